"""The conditional distribution p(y | x) of an MCGSM, equations (3) to (5) as they stand."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ride.errors import ConfigError


@dataclass(frozen=True)
class MCGSMDistribution:
    """A mixture of Gaussians for each of a batch of pixels, equation (3).

        p(y | x) = sum_cs p(c, s | x) N(y; mu_c(x), (e^alpha_cs L_c L_c^T)^-1)

    Args:
        gate: log p(c, s | x), normalised [*, C, S].
        means: mu_c(x) [*, C, M].
        alpha: log-precisions [C, S].
        factor: L_c [C, M, M], lower triangular; all 1 for M = 1.
    """

    gate: Float[Tensor, "*batch C S"]
    means: Float[Tensor, "*batch C M"]
    alpha: Float[Tensor, "C S"]
    factor: Float[Tensor, "C M M"]

    def log_prob(self, y: Float[Tensor, "*batch M"]) -> Float[Tensor, "*batch"]:
        """Log-density of all channels of a pixel together, in nats."""
        return torch.logsumexp(self._joint(y).flatten(-2), dim=-1)

    def posterior(self, y: Float[Tensor, "*batch M"]) -> Float[Tensor, "*batch C S"]:
        """Log p(c, s | x, y): which component and scale a pixel comes from, by Bayes' rule."""
        return self._joint(y).flatten(-2).log_softmax(-1).unflatten(-1, self.alpha.shape)

    def _joint(self, y: Float[Tensor, "*batch M"]) -> Float[Tensor, "*batch C S"]:
        """Log p(y, c, s | x), the terms of equation (3)."""
        channels = self.means.shape[-1]
        residual = torch.einsum("cmk,...cm->...ck", self.factor, y.unsqueeze(-2) - self.means)
        distance = residual.square().sum(-1, keepdim=True)  # [*, C, 1]
        log_det = self.factor.diagonal(dim1=-2, dim2=-1).abs().log().sum(-1, keepdim=True)  # [C, 1]
        experts = -0.5 * self.alpha.exp() * distance + 0.5 * channels * (self.alpha - math.log(2 * math.pi)) + log_det
        return self.gate + experts

    def cdf(self, y: Float[Tensor, "*batch M"]) -> Float[Tensor, "*batch"]:
        """Probability of a value of at most y.

        Raises:
            ConfigError: a pixel has more than one channel.
        """
        if self.means.shape[-1] != 1:
            raise ConfigError(f"the cdf is defined for pixels of one channel, and these have {self.means.shape[-1]}")
        standard = (0.5 * self.alpha).exp() * (y.unsqueeze(-2) - self.means)  # [*, C, S]
        return (self.gate.exp() * torch.special.ndtr(standard)).sum((-2, -1)).clamp(max=1)

    @property
    def mean(self) -> Float[Tensor, "*batch M"]:
        """Expected pixel."""
        return torch.einsum("...cs,...cm->...m", self.gate.exp(), self.means)

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "*batch M"]:
        """Draw one pixel for each of the batch."""
        device = generator.device if generator is not None else self.gate.device
        like = self.means[..., 0, :]
        u = torch.rand(like.shape[:-1], generator=generator, dtype=torch.float64, device=device)
        z = torch.randn(like.shape, generator=generator, dtype=like.dtype, device=device)
        return self.draw(u.to(like.device), z.to(like.device))

    @torch.no_grad()
    def draw(self, u: Float[Tensor, "*batch"], z: Float[Tensor, "*batch M"]) -> Float[Tensor, "*batch M"]:
        """Turn noise into pixels: u, uniform in [0, 1), chooses (c, s), and z, standard normal, the value.

        (c, s) is where the cumulative distribution of the gate, c-major, passes u; the pixel is then
        mu_c(x) + e^(-alpha_cs / 2) L_c^-T z.
        """
        # Float64, so that the last entry is chosen only where it has probability.
        cumulative = self.gate.flatten(-2).exp().cumsum(-1, dtype=torch.float64)
        level = u.double().unsqueeze(-1) * cumulative[..., -1:]
        chosen = torch.searchsorted(cumulative, level, right=True).squeeze(-1)
        component = chosen // self.alpha.shape[1]
        channels = self.means.shape[-1]
        at = component[..., None, None].expand(*component.shape, 1, channels)
        mean = self.means.gather(-2, at).squeeze(-2)
        deviation = z * (-0.5 * self.alpha).exp().flatten()[chosen].unsqueeze(-1)
        if channels > 1:
            identity = torch.eye(channels, dtype=z.dtype, device=z.device)
            inverse = torch.linalg.solve_triangular(self.factor, identity, upper=False)  # L^-1
            deviation = torch.einsum("...k,...km->...m", deviation, inverse[component])
        return mean + deviation
