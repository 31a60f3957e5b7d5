"""How far two textures are from each other, by statistics that need no trained network.

Every distance is 0 for identical images, the same both ways, and larger than 0 for two pieces of one texture: what
that noise amounts to has to be measured beside it, see `noise`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ride.data import seeded
from ride.errors import ConfigError, DataError

LAGS = 40
"""Of the autocorrelation in pixels, in both directions."""
PATCH = 7
"""Side of the patches that are compared, in pixels."""
SCALES = 3
"""The image itself, and averages over 2 x 2 and 4 x 4 pixels."""
DIRECTIONS = 64
"""Onto which patches are projected."""
QUERIES = 1000
"""Patches whose nearest training patch is looked for."""
ROUNDING = 1 / 12 / 256**2
"""Variance of the noise within a level of 8 bits: less power than that means nothing."""
CHUNK = 2**14
"""Training patches that are compared at a time."""


@dataclass(frozen=True)
class Distances:
    """What is between two images of one size, see the functions of the same names.

    Args:
        marginal: of the single values, Wasserstein-1, in units of the full range.
        spectrum: of the radial power spectra, in powers of ten.
        autocorrelation: up to `LAGS` pixels, in units of the variance.
        patches: of 7 x 7 patches, sliced Wasserstein-1, in units of the full range, at full size, half and quarter.
    """

    marginal: float
    spectrum: float
    autocorrelation: float
    patches: tuple[float, ...]

    @classmethod
    def mean(cls, several: Sequence["Distances"]) -> "Distances":
        """The mean of each distance."""
        means = {name: math.fsum(getattr(one, name) for one in several) / len(several) for name in _SINGLE}
        patches = tuple(math.fsum(scale) / len(several) for scale in zip(*(d.patches for d in several), strict=True))
        return cls(**means, patches=patches)


_SINGLE = [field.name for field in fields(Distances) if field.name != "patches"]


def distances(a: Float[Tensor, "H W"], b: Float[Tensor, "H2 W2"], seed: int = 0) -> Distances:
    """All distances between two images of one size.

    Raises:
        ConfigError: the images differ in size.
        DataError: they are too small for the lags or the patches, or have the same value everywhere.
    """
    return Distances(
        marginal_distance(a, b),
        spectrum_distance(a, b),
        autocorrelation_distance(a, b),
        tuple(patch_distance(a, b, scale, seed) for scale in range(SCALES)),
    )


def to_pieces(image: Float[Tensor, "H W"], pieces: Sequence[Float[Tensor, "_ _"]], seed: int = 0) -> Distances:
    """Mean distances of an image to several pieces of a texture; raises as `distances` does."""
    return Distances.mean([distances(image, piece, seed) for piece in pieces])


def noise(pieces: Sequence[Float[Tensor, "_ _"]], seed: int = 0) -> Distances:
    """Mean distances of pieces of one texture from each other: what is no larger than this is no difference.

    Raises:
        ConfigError: there are fewer than two pieces, or they differ in size.
    """
    if len(pieces) < 2:
        raise ConfigError(f"the noise of distances needs at least 2 pieces of a texture, not {len(pieces)}")
    return Distances.mean([distances(a, b, seed) for a, b in combinations(pieces, 2)])


def corners(image: Float[Tensor, "H W"], side: int) -> list[Float[Tensor, "side side"]]:
    """The four square pieces in the corners of an image, which do not overlap.

    Raises:
        DataError: the image is smaller than two pieces a side.
    """
    height, width = image.shape
    if min(height, width) < 2 * side:
        raise DataError(f"an image of {height} x {width} pixels has no four pieces of {side} x {side} pixels")
    return [image[top:, left:][:side, :side] for top in (0, height - side) for left in (0, width - side)]


def marginal_distance(a: Float[Tensor, "..."], b: Float[Tensor, "..."]) -> float:
    """Wasserstein-1 distance of the distributions of single values, in units of the full range.

    It is the area between the two distribution functions; the images may differ in size.
    """
    return float(_wasserstein(a.flatten()[None], b.flatten()[None])[0])


def radial_spectrum(image: Float[Tensor, "H W"]) -> Float[Tensor, " R"]:
    """Power at 1, 2, ... cycles per side, averaged over directions, of an image less its mean under a Hann window.

    It is normalised so that white noise has its variance at all frequencies. A ring holds the frequencies that round
    to it; for images that are not square, cycles are those over the shorter side.
    """
    height, width = image.shape
    window = torch.outer(*(torch.hann_window(n, periodic=True, dtype=torch.float64) for n in (height, width)))
    values = image.double()
    power = torch.fft.fft2((values - values.mean()) * window).abs().square() / window.square().sum()
    side = min(height, width)
    down, across = (side * torch.fft.fftfreq(n, dtype=torch.float64) for n in (height, width))
    ring = torch.hypot(down[:, None], across).round().long().flatten()
    sums = torch.zeros(int(ring.max()) + 1, dtype=torch.float64).index_add_(0, ring, power.flatten())
    return (sums / ring.bincount())[1 : side // 2]


def spectrum_distance(a: Float[Tensor, "H W"], b: Float[Tensor, "H2 W2"]) -> float:
    """Root mean square difference of the logarithms (base 10) of the radial power spectra, see `radial_spectrum`.

    1 is a factor of ten. The power of rounding to 8 bits is added to both, so that there is no logarithm of 0.

    Raises:
        ConfigError: the images differ in size.
    """
    _check_alike(a, b)
    logarithms = [(radial_spectrum(image) + ROUNDING).log10() for image in (a, b)]
    return float((logarithms[0] - logarithms[1]).square().mean().sqrt())


def autocorrelation(image: Float[Tensor, "H W"], lags: int = LAGS) -> Float[Tensor, "R C"]:
    """Correlation of pixels that are so many rows (0 to `lags`) and columns (-`lags` to `lags`) apart.

    The mean product of all such pairs of an image less its mean, over its variance: 1 at lag 0 (entry [0, lags]).
    Lags in the other half plane have the same values.

    Raises:
        DataError: the image is no larger than the lags, or has the same value everywhere.
    """
    height, width = image.shape
    if min(height, width) <= lags:
        raise DataError(f"an image of {height} x {width} pixels has no autocorrelation at {lags} pixels")
    values = image.double() - image.double().mean()
    if not (variance := float(values.square().mean())):
        raise DataError("an image that has the same value everywhere has no autocorrelation")
    shape = (height + lags, width + lags)
    sums = torch.fft.irfft2(torch.fft.rfft2(values, s=shape).abs().square(), s=shape)
    rows, columns = torch.arange(lags + 1), torch.arange(-lags, lags + 1)
    pairs = torch.outer(height - rows, width - columns.abs())
    return sums[rows[:, None], columns] / pairs / variance


def autocorrelation_distance(a: Float[Tensor, "H W"], b: Float[Tensor, "H2 W2"], lags: int = LAGS) -> float:
    """Root mean square difference of the autocorrelations at all lags up to 40 pixels in both directions.

    Raises:
        DataError: an image is no larger than the lags, or has the same value everywhere.
    """
    one, other = (autocorrelation(image, lags) for image in (a, b))
    # Row 0 has each lag twice, in both directions, and the lag 0.
    weights = torch.ones_like(one)
    weights[0] = 0.5
    weights[0, lags] = 0
    return float(((one - other).square() * weights).sum().div(weights.sum()).sqrt())


def patch_distance(a: Float[Tensor, "H W"], b: Float[Tensor, "H2 W2"], scale: int = 0, seed: int = 0) -> float:
    """Sliced Wasserstein distance of all 7 x 7 patches: the mean over directions of that of the projections.

    Patches are projected onto unit vectors that the seed draws, the same for both images. At scale s the images are
    averaged over 2^s x 2^s pixels first. In units of the full range.

    Raises:
        DataError: an image is too small for a patch at this scale.
    """
    directions = torch.randn(DIRECTIONS, PATCH**2, generator=seeded(seed, "directions", scale))
    directions = directions / directions.norm(dim=1, keepdim=True)
    projected = [directions @ patches(_smaller(image, scale)).T for image in (a, b)]
    return float(_wasserstein(*projected).double().mean())


def nearest_patch(
    image: Float[Tensor, "H W"], training: Sequence[Float[Tensor, "_ _"]], seed: int = 0, patch: int = PATCH
) -> float:
    """Median distance of patches of an image to the nearest patch of the training regions, the same for copies: 0.

    The distance is the root mean square difference of a pixel, in units of the full range. `QUERIES` patches of the
    image are drawn by the seed, and all patches of the regions are looked at. A sample whose patches are nearer than
    those of a region that was held out has been copied in part.

    Raises:
        DataError: there are no regions, or an image is smaller than a patch.
    """
    if not training:
        raise DataError("there are no training regions whose patches could be near")
    own = patches(image, patch)
    queries = own[torch.randperm(len(own), generator=seeded(seed, "queries"))[:QUERIES]]
    least = torch.full((len(queries),), math.inf)
    nearest = torch.empty_like(queries)
    for region in training:
        for chunk in patches(region, patch).split(CHUNK):
            # The square of the distance, but for the query's own; good enough to know which patch is the nearest.
            near = chunk.square().sum(1) - 2 * queries @ chunk.T
            value, index = near.min(1)
            closer = value < least
            least, nearest = torch.where(closer, value, least), torch.where(closer[:, None], chunk[index], nearest)
    return float((queries - nearest).double().square().mean(1).sqrt().median())


def patches(image: Float[Tensor, "H W"], side: int = PATCH) -> Float[Tensor, "P D"]:
    """All square patches of an image as rows.

    Raises:
        DataError: the image is smaller than a patch.
    """
    if min(image.shape) < side:
        raise DataError(
            f"an image of {image.shape[0]} x {image.shape[1]} pixels has no patches of {side} x {side} pixels"
        )
    return image.float().unfold(0, side, 1).unfold(1, side, 1).reshape(-1, side**2)


def _smaller(image: Tensor, scale: int) -> Tensor:
    """Averages over 2^scale x 2^scale pixels."""
    return avg_pool2d(image[None].float(), 2**scale)[0]


def _wasserstein(a: Float[Tensor, "K P"], b: Float[Tensor, "K Q"]) -> Float[Tensor, " K"]:
    """Wasserstein-1 distances of the rows of two samples."""
    a, b = a.sort(dim=1).values, b.sort(dim=1).values
    if a.shape == b.shape:
        return (a - b).abs().double().mean(1)
    # The quantile functions are steps: they are constant between the multiples of 1/P and 1/Q.
    ends = torch.cat([_multiples(a.shape[1]), _multiples(b.shape[1])]).sort().values
    widths = ends.diff(prepend=ends.new_zeros(1))
    middle = ends - widths / 2
    at = [values[:, (middle * values.shape[1]).long().clamp(max=values.shape[1] - 1)] for values in (a, b)]
    return (widths * (at[0] - at[1]).abs()).sum(1)


def _multiples(count: int) -> Tensor:
    return torch.arange(1, count + 1, dtype=torch.float64) / count


def _check_alike(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ConfigError(f"images that are compared must be of one size, not {tuple(a.shape)} and {tuple(b.shape)}")
