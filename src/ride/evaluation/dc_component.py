"""From nats on patches without their DC component to bits per pixel of whole patches, section 3.2.

The pixels of a patch are mapped to their mean and to what `without_dc` leaves of them. With the density of the mean
taken to be independent of the rest, the log-likelihood of a whole patch of S² pixels is

    l_1:(S²-1) + l_DC + ln|det A|.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ride.errors import ConfigError
from ride.models.patches import PatchMCGSMConfig, PixelMCGSM
from ride.training.head import fit_head

PAPER_DC_NATS = 0.5020
"""l_DC of BSDS300 in the paper."""


def preprocessing(side: int) -> Float[Tensor, "K K"]:
    """A: the pixels of a patch, row by row, to what is left without their DC component, and then their mean."""
    count = side**2
    matrix = torch.eye(count, dtype=torch.float64) - 1 / count
    matrix[-1] = 1 / count
    return matrix


def log_det(side: int) -> float:
    """ln|det A| in nats: -ln S².

    Adding the last row, the mean m, to the others undoes the subtraction: they become rows of the identity, and the
    determinant that of [[I, 0], [1/S² ... 1/S²]], whose last entry is 1/S².
    """
    return -math.log(side**2)


def bits_per_pixel(nats: float, dc_nats: float, side: int = 8) -> float:
    """Log-likelihood rate in bit/px of whole patches, from nats per patch without DC component and nats of the mean.

    Raises:
        ConfigError: the side is not positive.
    """
    if side < 1:
        raise ConfigError(f"a patch has at least 1 pixel a side, not {side}")
    return (nats + dc_nats + log_det(side)) / (side**2 * math.log(2))


def fit_dc(
    means: Float[Tensor, " P"],
    *,
    components: int = 16,
    scales: int = 4,
    iterations: int = 100,
) -> PixelMCGSM:
    """A mixture of Gaussian scale mixtures for the means of patches; its `log_prob` takes [P, 1] to nats [P].

    Raises:
        DataError: there are fewer than 2 means, or one is not finite.
        ConfigError: a number is not positive.
    """
    density = PixelMCGSM(0, PatchMCGSMConfig(components, scales)).to(means)
    density.fit_whitening(means[:, None])
    density.initialize(0)
    fit_head(density.head, density.whitened(means[:, None]), None, iterations)
    return density


def dc_nats(density: PixelMCGSM, means: Float[Tensor, " P"]) -> float:
    """l_DC: mean log-likelihood of the means of patches in nats."""
    with torch.no_grad():
        return float(density.log_prob(means[:, None]).double().mean())


def dc_nats_of_histogram(means: Float[Tensor, " P"], others: Float[Tensor, " Q"], *, bins: int = 60) -> float:
    """The same for `others` under a histogram of `means` in [0, 1], for a check on the mixture.

    Raises:
        ConfigError: there are no bins.
    """
    if bins < 1:
        raise ConfigError(f"a histogram needs at least one bin, not {bins}")
    counts = torch.stack(
        [(part.double() * bins).long().clamp(0, bins - 1).bincount(minlength=bins) for part in (means, others)]
    )
    # One more in each bin: a value that was never seen is improbable, not impossible.
    density = (counts[0] + 1.0) / (counts[0].sum() + bins) * bins
    return float((counts[1] / counts[1].sum() * density.log()).sum())
