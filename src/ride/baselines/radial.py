"""Radial parts of elliptical distributions: how the density falls with the distance from the mean.

All are Gaussians whose precision is scaled by a hidden u: x | u ~ N(mu, Sigma / u). What differs is the distribution
of u: always 1 (Gaussian), one of S values (Gaussian scale mixture) or of a gamma distribution (Student's t). EM needs
of each the expected u, which weighs the patches in means and covariances, and an update of its own parameters.

Letters: P patches, K components, D dimensions, S scales, R statistics. The distance of a patch from a component is
delta = (x - mu)^T Sigma^(-1) (x - mu).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.errors import ConfigError

LEAST_WEIGHT = 1e-12
"""Patches, as a part of all, that a scale is taken to have seen at precision 1 besides its own where the ridge is
smaller, so that an empty one stays finite."""
FREEDOM = (1e-2, 1e4)
"""Least and most degrees of freedom; beyond the most, Student's t is a Gaussian for all that a sample can tell."""


class Radial(nn.Module):
    """The Gaussian, u = 1, and what all radial parts can do.

    Args:
        dimension: D.
        components: K.
    """

    def __init__(self, dimension: int, components: int) -> None:
        super().__init__()
        self.dimension, self.components = dimension, components

    def reset(self) -> None:
        """Set the parameters that EM starts from."""

    def log_density(self, delta: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
        """Log-density in nats at a distance, but for -1/2 log|Sigma|."""
        return -0.5 * (delta + self.dimension * math.log(2 * math.pi))

    def precision(self, delta: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
        """E[u | x, k], by which a patch counts in the mean and the covariance of a component."""
        return torch.ones_like(delta)

    def statistics(self, delta: Float[Tensor, "K P"], posterior: Float[Tensor, "K P"]) -> Float[Tensor, "R K"]:
        """What `update` needs to know, summed over the patches; float64."""
        return delta.new_zeros(0, self.components, dtype=torch.float64)

    def update(self, statistics: Float[Tensor, "R K"], weight: Float[Tensor, " K"], ridge: float = 0.0) -> None:
        """Maximise the expected complete log-likelihood over the parameters of u.

        Args:
            statistics: means of `statistics` over patches.
            weight: means of the posterior over patches.
            ridge: see `EMConfig`.
        """

    def scatter_weight(self, weight: Float[Tensor, " K"], precision: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
        """What the scatter of the patches is divided by to give Sigma.

        Args:
            weight: means of the posterior over patches.
            precision: means of the posterior times E[u | x, k].
        """
        return weight


class ScaleMixture(Radial):
    """Gaussian scale mixture (Wainwright & Simoncelli, 2000): u = e^alpha_ks with probability pi_ks.

    Parameters are `alpha` [S, K] and `log_pi` [S, K].

    Args:
        dimension: D.
        components: K.
        scales: S.

    Raises:
        ConfigError: there is no scale.
    """

    alpha: Tensor
    log_pi: Tensor

    def __init__(self, dimension: int, components: int, scales: int) -> None:
        super().__init__(dimension, components)
        if scales < 1:
            raise ConfigError(f"a Gaussian scale mixture needs at least 1 scale, not {scales}")
        self.register_buffer("alpha", torch.empty(scales, components))
        self.register_buffer("log_pi", torch.empty(scales, components))
        self.reset()

    def reset(self) -> None:
        """Set equally probable scales, apart from each other by a factor."""
        scales = len(self.alpha)
        # From e^-2 to e^2: the contrast of patches of images varies more than that.
        self.alpha.copy_(torch.linspace(-2, 2, scales)[:, None] if scales > 1 else torch.zeros(1, 1))
        self.log_pi.fill_(-math.log(scales))

    def _joint(self, delta: Tensor) -> Float[Tensor, "S K P"]:
        constant = self.log_pi + 0.5 * self.dimension * (self.alpha - math.log(2 * math.pi))
        return constant[..., None] - 0.5 * self.alpha.exp()[..., None] * delta

    def log_density(self, delta: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
        """Log-density in nats at a distance, but for -1/2 log|Sigma|."""
        return self._joint(delta).logsumexp(0)

    def precision(self, delta: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
        """E[u | x, k] = sum_s p(s | x, k) e^alpha_ks."""
        return (self._joint(delta).softmax(0) * self.alpha.exp()[..., None]).sum(0)

    def statistics(self, delta: Float[Tensor, "K P"], posterior: Float[Tensor, "K P"]) -> Float[Tensor, "R K"]:
        """p(k, s | x), and the same times the distance, summed over the patches: R = 2 S."""
        each = self._joint(delta).softmax(0) * posterior
        return torch.cat([each.sum(-1, dtype=torch.float64), (each * delta).sum(-1, dtype=torch.float64)])

    def update(self, statistics: Float[Tensor, "R K"], weight: Float[Tensor, " K"], ridge: float = 0.0) -> None:
        """Probability and precision of each scale, in closed form.

        The ridge keeps a scale from closing in on a few patches that are alike, at a precision without end.
        """
        least = max(LEAST_WEIGHT, ridge)
        weights, distances = statistics.chunk(2)
        weights = weights + least
        self.alpha.copy_((self.dimension * weights / (distances + self.dimension * least)).log())
        self.log_pi.copy_((weights / weights.sum(0)).log())


class Student(Radial):
    """Student's t: u is of a gamma distribution of mean 1 with nu degrees of freedom, both its parameters nu / 2.

    The parameter is `freedom` [K]. EM as in Peel & McLachlan (2000); the scatter is divided by the sum of the
    weights, as Kent, Tyler & Vardi (1994) do, which climbs much faster where D is large.

    Args:
        dimension: D.
        components: K.
    """

    freedom: Tensor

    def __init__(self, dimension: int, components: int) -> None:
        super().__init__(dimension, components)
        self.register_buffer("freedom", torch.empty(components))
        self.reset()

    def reset(self) -> None:
        """Set degrees of freedom that make for tails neither light nor heavy."""
        self.freedom.fill_(5.0)

    def log_density(self, delta: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
        """Log-density in nats at a distance, but for -1/2 log|Sigma|."""
        nu, half = self.freedom.double(), 0.5 * self.dimension
        constant = torch.lgamma(0.5 * nu + half) - torch.lgamma(0.5 * nu) - half * (nu * math.pi).log()
        power = (0.5 * nu + half).to(delta)
        return constant.to(delta)[:, None] - power[:, None] * (delta / self.freedom[:, None]).log1p()

    def precision(self, delta: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
        """E[u | x, k] = (nu + D) / (nu + delta)."""
        nu = self.freedom[:, None]
        return (nu + self.dimension) / (nu + delta)

    def statistics(self, delta: Float[Tensor, "K P"], posterior: Float[Tensor, "K P"]) -> Float[Tensor, "R K"]:
        """E[log u - u | x, k] times the posterior, summed over the patches: R = 1."""
        nu = self.freedom[:, None]
        log_u = torch.digamma(0.5 * (nu + self.dimension)) - (0.5 * (nu + delta)).log()
        return ((log_u - self.precision(delta)) * posterior).sum(-1, dtype=torch.float64)[None]

    def update(self, statistics: Float[Tensor, "R K"], weight: Float[Tensor, " K"], ridge: float = 0.0) -> None:
        """Solve log(nu / 2) - digamma(nu / 2) + 1 + E[log u - u] = 0 for nu, by bisection."""
        target = -1 - statistics[0] / (weight + torch.finfo(torch.float64).tiny)
        low, high = (torch.full_like(target, math.log(end)) for end in FREEDOM)
        for _ in range(50):
            middle = 0.5 * (low + high)
            half = 0.5 * middle.exp()
            # log - digamma falls with nu.
            above = half.log() - torch.digamma(half) > target
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        self.freedom.copy_((0.5 * (low + high)).exp())

    def scatter_weight(self, weight: Float[Tensor, " K"], precision: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
        """The sum of the weights: Sigma is a weighted mean of the scatters of the patches."""
        return precision
