"""Diffusion models of patches and a lower bound of their log-likelihood (Sohl-Dickstein et al., "Deep unsupervised
learning using nonequilibrium thermodynamics", 2015)."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu

from ride.baselines.trained import TrainedConfig, TrainedDensity
from ride.data import seeded
from ride.errors import ConfigError, require_at_least
from ride.models.whitening import ConditionalWhitening
from ride.training.patches import fingerprint

SCORED = 10000
"""Noisy patches scored at a time."""
TINY = 1e-30
"""Where a variance is 0."""
WAVES = 8
"""Sines and cosines by which the network knows the noise."""


@dataclass(frozen=True)
class DiffusionConfig(TrainedConfig):
    """Sizes and training of a `Diffusion`.

    Args:
        levels: T, steps of the diffusion.
        snr: logarithms of the signal-to-noise ratios of the first and the last step.
        hidden: units of a layer of the network.
        layers: of the network.
        gates: products of a linear function of the patch and one of the top layer.
        steps: of stochastic gradients.
        batch: patches a step.
        rate: learning rate after the warm-up.
        rate_end: learning rate at the end.
        draws: noisy patches that score a patch; T of them take each step of the diffusion once.

    Raises:
        ConfigError: a size is below 1, or the ratios do not fall.
    """

    levels: int = 200
    snr: tuple[float, float] = (10.0, -6.0)
    hidden: int = 256
    layers: int = 3
    gates: int = 128
    steps: int = 30000
    batch: int = 1000
    rate: float = 2e-3
    rate_end: float = 1e-5
    draws: int = 50

    def __post_init__(self) -> None:
        require_at_least(1, self, "levels", "hidden", "layers", "gates", "draws")
        if self.levels > 1 and not self.snr[0] > self.snr[1]:
            raise ConfigError(
                f"signal-to-noise ratios of a diffusion must fall, not from {self.snr[0]} to {self.snr[1]}"
            )


class Diffusion(TrainedDensity):
    """A diffusion makes a Gaussian of the whitened patch x_0 in T steps, and a network learns the way back.

        q(x_t | x_0)     = N(alpha_t x_0, sigma_t^2 I),    alpha_t^2 = sigmoid(lambda_t),    sigma_t^2 = 1 - alpha_t^2
        p(x_t-1 | x_t)   = int q(x_t-1 | x_t, x_0) N(x_0; m(x_t, t), diag s^2(x_t, t)) dx_0,    p(x_T) = N(0, I)
        log p(x_0)      >= E_q[log p(x_0 | x_1)] - sum_t>1 E_q[KL(q(x_t-1 | x_t, x_0) | p(x_t-1 | x_t))]
                           - KL(q(x_T | x_0) | p(x_T))

    with lambda_t = log(alpha_t^2 / sigma_t^2) falling linearly. The network says what it takes for the mean m and the
    variances s^2 of the patch given its noisy version, so that the bound is tight for a Gaussian. Before training
    m = alpha_t x_t and s^2 = sigma_t^2, which is right for white Gaussian patches.

    Args:
        dimension: D, numbers of a patch.
        config: sizes and training.
    """

    name = "diffusion"
    config: DiffusionConfig
    bound = True
    """What `log_prob` returns is a lower bound."""

    def __init__(self, dimension: int, config: DiffusionConfig | None = None) -> None:
        super().__init__(dimension, config or DiffusionConfig())
        self.whitening = ConditionalWhitening(0, dimension)
        self.network = Network(dimension, self.config.hidden, self.config.layers, self.config.gates)
        self.reset_parameters(seeded(0, self.name))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial parameters."""
        self.network.reset_parameters(generator)

    def _settings(self) -> dict[str, Any]:
        return {"diffusion": vars(self.config)}

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "P D"], draws: int | None = None, seed: int = 0) -> Float[Tensor, " P"]:
        """Lower bound of the log-density of each patch in nats, estimated without bias from noisy versions of it.

        The bound is a sum over T steps of expectations. The `draws` (by default those of the config) fall on steps at
        equal distances from a random first, so that T of them take each step once with one noise. The seed makes the
        same noise for the same patches, and another for others.
        """
        self._check(x)
        draws = draws or self.config.draws
        if draws < 1:
            raise ConfigError(f"a bound needs at least 1 draw, not {draws}")
        found = []
        for part in x.split(SCORED):
            generator = seeded(seed, "bound", fingerprint(part))
            u = self.whitening.whiten_outputs(part[:, :0], part)
            total = torch.zeros(len(u), dtype=torch.float64, device=u.device)
            first = torch.rand(len(u), generator=generator, dtype=torch.float64)
            for draw in range(draws):
                t = self._level((draw + first) / draws)
                total += self.bound_at(u, t.to(u.device), self._normal(u.shape, generator))
            found.append((total / draws).to(x) + self.whitening.log_jacobian)
        return torch.cat(found)

    def bound_at(self, x: Float[Tensor, "P D"], t: Tensor, noise: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """An estimate of the bound for whitened patches from step t (of 1 to T) [P] of each and standard normal noise.

        Its mean over noise and all t is the bound. The bound of white Gaussian patches, which is their log-density, is
        made of terms of the same kind; only what differs is estimated, T times the difference of the terms of step t.
        """
        lambda_t, before = self.log_snr(t).unsqueeze(-1), self.log_snr(t - 1).unsqueeze(-1)
        alpha, sigma = lambda_t.sigmoid().sqrt(), (-lambda_t).sigmoid().sqrt()
        noisy = alpha * x + sigma * noise
        first = (t == 1).unsqueeze(-1)
        # q(x_t-1 | x_t, x_0) = N(... x_t + a x_0, c I). Of the step to x_0 itself a = 1 and c = 0.
        kept = -torch.expm1(lambda_t - before)
        c = torch.where(first, TINY, (-before).sigmoid() * kept)
        log_a_squared = torch.where(first, 0.0, logsigmoid(before) + 2 * kept.log())

        def term(mean: Tensor, log_variance: Tensor) -> Tensor:
            """Minus a divergence, or the log-density of the patch; without what is the same for all networks."""
            log_whole = torch.logaddexp(log_a_squared + log_variance, c.log())
            error = log_a_squared.exp() * (x - mean).square()
            return -0.5 * (log_whole + (error + c) * (-log_whole).exp()).sum(-1)

        white = term(alpha * noisy, logsigmoid(-lambda_t).expand_as(x))
        gain = term(*self.posterior(noisy, lambda_t)) - white
        return self.config.levels * gain - 0.5 * (x.square() + math.log(2 * math.pi)).sum(-1)

    def log_snr(self, t: Tensor) -> Tensor:
        """lambda_t, log(alpha_t^2 / sigma_t^2), of steps from 1 to T; of 0, where it is infinite, that of step 1."""
        first, last = self.config.snr
        part = (t.clamp(min=1) - 1).to(self.whitening.mean_out) / max(1, self.config.levels - 1)
        return first + (last - first) * part

    def posterior(
        self, noisy: Float[Tensor, "P D"], lambda_t: Float[Tensor, "P 1"]
    ) -> tuple[Float[Tensor, "P D"], Float[Tensor, "P D"]]:
        """Mean and log-variances of whitened patches given noisy ones, as far as the network knows them."""
        mean, log_variance = self.network(noisy, lambda_t)
        alpha, sigma = lambda_t.sigmoid().sqrt(), (-lambda_t).sigmoid().sqrt()
        return alpha * noisy + sigma * mean, log_variance + logsigmoid(-lambda_t)

    def objective(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Mean of the bound of patches as one noisy version of each estimates it; `log_prob` is more precise."""
        u = self.whitening.whiten_outputs(x[:, :0], x)
        return self.bound_at(u, t, noise).mean() + self.whitening.log_jacobian

    def noise(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Steps of the diffusion at equal distances, and noise."""
        u = (torch.arange(count) + torch.rand(1, generator=generator, dtype=torch.float64)) / count
        device = self.whitening.mean_out.device
        return self._level(u).to(device), self._normal((count, self.dimension), generator)

    def _level(self, u: Tensor) -> Tensor:
        """The step of u in [0, 1)."""
        return (u * self.config.levels).long().clamp(max=self.config.levels - 1) + 1

    def _normal(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator).to(self.whitening.mean_out)


class Network(nn.Module):
    """What a diffusion learns: for noisy patches and log signal-to-noise ratios, corrections of mean and log-variance.

    The patch comes as its direction and the logarithm of its size, since patches differ most in contrast. The mean is
    a linear function of the layers and of products of theirs with linear functions of the direction, as in mixtures of
    Wiener filters. All outputs are 0 to begin with.
    """

    def __init__(self, dimension: int, hidden: int, layers: int, gates: int) -> None:
        super().__init__()
        self.enter = nn.Linear(dimension + 2 + 2 * WAVES, hidden)
        self.layers = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(layers))
        self.gate = nn.Linear(hidden, gates)
        self.filter = nn.Linear(dimension, gates, bias=False)
        self.leave = nn.Linear(gates + hidden, dimension)
        self.variance = nn.Linear(hidden, dimension)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial parameters."""
        for layer in (self.enter, *self.layers, self.gate, self.filter):
            assert isinstance(layer, nn.Linear)
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / math.sqrt(layer.in_features))
            if layer.bias is not None:
                layer.bias.zero_()
        for layer in (self.leave, self.variance):
            layer.weight.zero_()
            layer.bias.zero_()

    def forward(self, noisy: Float[Tensor, "P D"], lambda_t: Float[Tensor, "P 1"]) -> tuple[Tensor, Tensor]:
        """Corrections [P, D] of the mean, in units of sigma_t, and of the log-variances."""
        log_size = 0.5 * (noisy.square().mean(-1, keepdim=True) + 1e-8).log()
        direction = noisy * (-log_size).exp()
        phase = lambda_t * (0.1 * 2.0 ** torch.arange(WAVES, device=noisy.device).div(2))
        h = self.enter(torch.cat([direction, log_size, lambda_t / 5, phase.sin(), phase.cos()], -1))
        for layer in self.layers:
            h = h + silu(layer(h))
        gated = self.gate(h) * self.filter(direction)
        return self.leave(torch.cat([gated, h], -1)), self.variance(h)
