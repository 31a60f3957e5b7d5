"""Mixtures of elliptical distributions: the family of the Gaussian, the scale mixtures and Student's t."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.baselines.radial import Radial
from ride.data import seeded
from ride.errors import ConfigError, DataError
from ride.models.whitening import ConditionalWhitening
from ride.threads import spread

CHUNK = 4096
"""Patches scored at a time."""
WIDTH, AREA = 512, 2**19
"""Rows of the factors multiplied at once, and residuals held at once: enough for full speed, and within the cache."""


class EllipticalMixture(nn.Module):
    """A mixture of K elliptical distributions of D dimensions, on whitened patches y = W (x - m).

        p(y) = sum_k pi_k |A_k| g_k(|A_k (y - mu_k)|^2),    Sigma_k = (A_k^T A_k)^(-1)

    `log_pi` [K] are the logarithms of the mixing weights, `means` [K, D] the mu_k, `factors` [K, D, D] the A_k (lower
    triangular); `radial` has g_k and its parameters, `whitening` the mean m and the W of all training patches.

    Args:
        dimension: D.
        components: K.
        radial: the radial part, for K components of D dimensions.
        means: components have means of their own; otherwise all have that of the data.

    Raises:
        ConfigError: a size makes no sense.
    """

    log_pi: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, dimension: int, components: int, radial: Radial, means: bool) -> None:
        super().__init__()
        for name, size in (("dimensions", dimension), ("components", components)):
            if size < 1:
                raise ConfigError(f"a mixture needs at least 1 of its {name}, not {size}")
        self.dimension, self.components, self.free_means = dimension, components, means
        self.whitening = ConditionalWhitening(0, dimension)
        self.radial = radial
        self.register_buffer("log_pi", torch.empty(components))
        self.register_buffer("means", torch.empty(components, dimension))
        self.register_buffer("factors", torch.empty(components, dimension, dimension))
        self.reset()

    def reset(self) -> None:
        """Make every component the radial part's own, of mean 0 and Sigma the identity."""
        self.log_pi.fill_(-math.log(self.components))
        self.means.zero_()
        self.factors.copy_(torch.eye(self.dimension))
        self.radial.reset()

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-density of patches in nats per patch, exact; memory beyond the result does not grow with P.

        Raises:
            ConfigError: the patches have another dimension or type of numbers than the model.
        """
        self.check(x)

        def of_part(rows: Tensor) -> Tensor:
            return torch.cat([self._log_prob(chunk) for chunk in rows.split(CHUNK)])

        return torch.cat(spread(of_part, x, least=CHUNK))

    def _log_prob(self, x: Tensor) -> Tensor:
        joint = self.joint(self.distances(self.whiten(x)))
        return joint.logsumexp(0) + self.whitening.log_jacobian

    def check(self, x: Tensor) -> None:
        """Raise `ConfigError` unless patches have the dimension and the type of numbers of the model."""
        if x.shape[-1] != self.dimension:
            raise ConfigError(f"this mixture is of patches of {self.dimension} numbers, not {x.shape[-1]}")
        if x.dtype != self.means.dtype:
            raise ConfigError(f"this mixture computes in {self.means.dtype}: convert the patches from {x.dtype}")

    def whiten(self, x: Float[Tensor, "P D"]) -> Float[Tensor, "P D"]:
        """Patches as the components see them, y = W (x - m)."""
        return self.whitening.whiten_outputs(x[:, :0], x)

    def distances(self, y: Float[Tensor, "P D"]) -> Float[Tensor, "K P"]:
        """delta = |A_k (y - mu_k)|^2 of whitened patches from every component."""
        delta = y.new_empty(self.components, len(y))
        together = max(1, WIDTH // self.dimension)
        for first in range(0, self.components, together):
            factors = self.factors[first : first + together]
            rows = factors.flatten(0, 1)
            offset = torch.einsum("kij,kj->ki", factors, self.means[first : first + together]).reshape(-1, 1)
            size = max(1, AREA // len(rows))
            for start in range(0, len(y), size):
                residual = rows @ y[start : start + size].mT
                if self.free_means:
                    residual -= offset
                squares = residual.square_().unflatten(0, (len(factors), self.dimension))
                delta[first : first + together, start : start + size] = squares.sum(1)
        return delta

    def joint(self, delta: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
        """log p(y, k) of whitened patches at these distances from the components."""
        log_det = self.factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return (self.log_pi + log_det)[:, None] + self.radial.log_density(delta)

    def initialize(self, x: Float[Tensor, "P D"], seed: int) -> None:
        """Start from patches, each component from another one, drawn at random.

        A component with a mean of its own starts there, with its share of the volume of all. One without starts with
        the contrast of the patch, and more variance in its direction.
        """
        self.reset()
        if self.components == 1:
            return
        rows = torch.randperm(len(x), generator=seeded(seed, "components"))[: self.components]
        seeds = self.whiten(x[rows.to(x.device)])
        if self.free_means:
            self.means.copy_(seeds)
            self.factors.mul_(self.components ** (1 / self.dimension))
            return
        energy = seeds.square().sum(-1).clamp(min=torch.finfo(x.dtype).eps)
        direction = seeds / energy.sqrt()[:, None]
        spike = torch.einsum("ki,kj->kij", direction, direction)
        covariance = torch.eye(self.dimension).to(x) + math.sqrt(self.dimension) * spike
        self.factors.copy_(inverse_factor(covariance * (energy / self.dimension)[:, None, None]))


def inverse_factor(covariance: Float[Tensor, "K D D"]) -> Float[Tensor, "K D D"]:
    """The lower triangular A with A^T A = covariance^(-1), in float64.

    Raises:
        DataError: a covariance is not positive definite.
    """
    covariance = covariance.double()
    cholesky, failed = torch.linalg.cholesky_ex(covariance)
    if failed.any():
        raise DataError("the covariance of a component is not positive definite: raise the ridge or give more patches")
    identity = torch.eye(covariance.shape[-1], dtype=torch.float64, device=covariance.device)
    return torch.linalg.solve_triangular(cholesky, identity.expand_as(cholesky), upper=False)
