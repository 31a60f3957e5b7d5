"""The Gaussian, fitted in closed form."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ride.baselines.elliptical import EllipticalMixture
from ride.baselines.mixture_em import standardize
from ride.baselines.radial import Radial
from ride.progress import Progress


@dataclass(frozen=True)
class GaussianConfig:
    """The Gaussian has no settings."""


class Gaussian(EllipticalMixture):
    """p(x) = N(x; m, C) with the mean and the (biased) covariance of the training patches.

    Args:
        dimension: D, numbers of a patch.
        config: settings, of which there are none.

    Raises:
        ConfigError: D is not positive.
    """

    def __init__(self, dimension: int, config: GaussianConfig | None = None) -> None:
        super().__init__(dimension, 1, Radial(dimension, 1), means=False)
        self.config = config or GaussianConfig()

    @torch.no_grad()
    def fit(
        self,
        patches: Float[Tensor, "P D"],
        held_out: Float[Tensor, "V D"],
        *,
        seed: int = 0,
        length: float = 1.0,
        directory: Path | None = None,
        progress: Progress | None = None,
    ) -> float:
        """Set mean and covariance, in one pass: there is nothing to draw, to shorten or to resume.

        Returns: mean log-likelihood of the held-out patches in nats per patch.

        Raises:
            ConfigError: the patches have another dimension or type of numbers than the model.
            DataError: patches are too few or not finite.
        """
        standardize(self, patches, held_out)
        rate = float(self.log_prob(held_out).mean(dtype=torch.float64))
        if progress:
            progress(1, 1, f"{rate:.3f} nat a patch")
        return rate
