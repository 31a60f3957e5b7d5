"""The Gaussian-Bernoulli restricted Boltzmann machine, Table 2."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from ride.baselines.annealing import LogZ, anneal
from ride.baselines.trained import Call, TrainedConfig, TrainedDensity
from ride.data import seeded
from ride.errors import require_at_least
from ride.models.whitening import ConditionalWhitening


@dataclass(frozen=True)
class GRBMConfig(TrainedConfig):
    """Sizes and training of a `GRBM`.

    Args:
        hidden: binary units.
        steps: of persistent contrastive divergence.
        batch: patches a step, and persistent chains.
        sweeps: of Gibbs sampling a step.
        rate: learning rate after the warm-up.
        rate_end: learning rate at the end.
        chains: of annealed importance sampling.
        temperatures: of annealed importance sampling; a look at the held-out patches takes a tenth of both.

    Raises:
        ConfigError: a number is below 1, or there is a single chain.
    """

    hidden: int = 256
    steps: int = 20000
    batch: int = 500
    sweeps: int = 1
    rate: float = 5e-3
    rate_end: float = 1e-4
    chains: int = 1000
    temperatures: int = 5000

    def __post_init__(self) -> None:
        require_at_least(1, self, "hidden", "sweeps", "temperatures")
        require_at_least(2, self, "chains")


class GRBM(TrainedDensity):
    """A restricted Boltzmann machine with Gaussian visible units v and binary hidden units h.

        E(v, h)  = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - sum_j c_j h_j - sum_ij v_i / sigma_i w_ij h_j
        F(v)     = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - sum_j log(1 + exp(c_j + sum_i v_i / sigma_i w_ij))
        log p(v) = -F(v) - log Z

    v is the patch, whitened. Parameters are `w` [D, H], `b` [D], `c` [H] and `log_variance` [D]. log Z is an estimate,
    part of the state and NaN before there is one: `log_z`, its standard error `log_z_error` and the `effective` number
    of chains behind it, without many of which neither is to be trusted.

    Args:
        dimension: D, numbers of a patch.
        config: sizes and training.
    """

    name = "GRBM"
    config: GRBMConfig
    log_z: Tensor
    log_z_error: Tensor
    effective: Tensor
    chains: Tensor

    def __init__(self, dimension: int, config: GRBMConfig | None = None) -> None:
        super().__init__(dimension, config or GRBMConfig())
        self.whitening = ConditionalWhitening(0, dimension)
        hidden = self.config.hidden
        self.w = nn.Parameter(torch.empty(dimension, hidden))
        self.b = nn.Parameter(torch.empty(dimension))
        self.c = nn.Parameter(torch.empty(hidden))
        self.log_variance = nn.Parameter(torch.empty(dimension))
        self.register_buffer("log_z", torch.zeros((), dtype=torch.float64))
        self.register_buffer("log_z_error", torch.zeros((), dtype=torch.float64))
        self.register_buffer("effective", torch.zeros((), dtype=torch.float64))
        self.register_buffer("chains", torch.zeros(self.config.batch, dimension))  # of contrastive divergence
        self.reset_parameters(seeded(0, self.name))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Begin with few hidden units on, which patches of low contrast need none of.

        Where all are as likely on as off, contrastive divergence finds little more than a Gaussian.
        """
        w = torch.randn(self.w.shape, generator=generator)
        self.w.copy_(1.5 * w / w.norm(dim=0))
        self.b.zero_()
        self.c.fill_(-4)
        self.log_variance.fill_(math.log(0.7))
        self.chains.copy_(torch.randn(self.chains.shape, generator=generator))
        self.log_z.fill_(math.nan)

    def _judge(self, call: Call) -> Callable[[Tensor], float]:
        """Each look estimates log Z."""

        def judge(held_out: Tensor) -> float:
            found = self._estimate(call, "look", 10)
            # Where few chains carry the weight, log Z is likely more than they say, and the likelihood less.
            return float(self.log_prob(held_out).double().mean()) - math.log(found.chains / found.effective)

        return judge

    def _train(self, patches: Tensor, held_out: Tensor, call: Call) -> float:
        """Persistent contrastive divergence; returns the mean log-likelihood after a last estimate of log Z."""
        super()._train(patches, held_out, call)
        self._estimate(call, "log Z", 1)
        return float(self.log_prob(held_out).double().mean())

    def _estimate(self, call: Call, purpose: str, divisor: int) -> LogZ:
        """Estimate log Z with a part of the chains, and of the temperatures for the length of the fit."""
        temperatures = max(1, round(call.length * self.config.temperatures)) // divisor
        drawn = seeded(call.seed, purpose)
        return self.estimate_log_z(max(2, self.config.chains // divisor), max(1, temperatures), drawn)

    def _settings(self) -> dict[str, Any]:
        return {"grbm": vars(self.config)}

    def _log_density(self, x: Tensor) -> Tensor:
        """Exact up to the estimate of log Z, which is the same for all patches."""
        rest = self.whitening.log_jacobian - self.log_z.to(x.dtype)
        return -self.free_energy(self.whitening.whiten_outputs(x[:, :0], x)) + rest

    def free_energy(self, v: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """F(v) of whitened patches."""
        return self._quadratic(v) - softplus(self._inputs(v)).sum(-1)

    @torch.no_grad()
    def estimate_log_z(self, chains: int, temperatures: int, generator: torch.Generator) -> LogZ:
        """Estimate log Z, and keep the estimate, by annealed importance sampling from a standard Gaussian.

        The densities between have the energies beta E(v, h) + (1 - beta) |v|^2 / 2: for each beta another GRBM.
        """
        base_log_z = 0.5 * self.dimension * math.log(2 * math.pi) + self.config.hidden * math.log(2)
        precision = (-self.log_variance).exp()

        def log_ratio(v: Tensor, beta: float, following: float) -> Tensor:
            inputs = self._inputs(v)
            quadratic = self._quadratic(v) - 0.5 * v.square().sum(-1)
            return (softplus(following * inputs) - softplus(beta * inputs)).sum(-1) - (following - beta) * quadratic

        def move(v: Tensor, beta: float) -> Tensor:
            h = self._hidden(beta * self._inputs(v), generator)
            between = beta * precision + (1 - beta)
            mean = beta * (precision * self.b + precision.sqrt() * (h @ self.w.mT)) / between
            return mean + self._noise(v.shape, generator) * between.rsqrt()

        start = self._noise((chains, self.dimension), generator)
        betas = torch.linspace(0, 1, temperatures + 1, dtype=torch.float64).tolist()
        found = anneal(start, base_log_z, betas, log_ratio, move)
        self.log_z.fill_(found.value)
        self.log_z_error.fill_(found.error)
        self.effective.fill_(found.effective)
        return found

    @torch.no_grad()
    def gibbs(self, v: Float[Tensor, "P D"], generator: torch.Generator) -> Float[Tensor, "P D"]:
        """One sweep of Gibbs sampling: hidden units given whitened patches, and patches given these."""
        h = self._hidden(self._inputs(v), generator)
        sigma = (0.5 * self.log_variance).exp()
        return self.b + sigma * (h @ self.w.mT + self._noise(v.shape, generator))

    def objective(self, x: Tensor, negatives: Tensor) -> Tensor:
        """Has the gradient of the mean log-likelihood, if the negatives are samples of the model."""
        return self.free_energy(negatives).mean() - self.free_energy(self.whitening.whiten_outputs(x[:, :0], x)).mean()

    def noise(self, count: int, generator: torch.Generator) -> tuple[Tensor]:
        """So many samples of the chains, moved on."""
        for _ in range(self.config.sweeps):
            self.chains.copy_(self.gibbs(self.chains, generator))
        return (self.chains[:count].clone(),)

    def _inputs(self, v: Tensor) -> Tensor:
        """What the hidden units get, c + (v / sigma)^T w."""
        return torch.addmm(self.c, v * (-0.5 * self.log_variance).exp(), self.w)

    def _quadratic(self, v: Tensor) -> Tensor:
        return 0.5 * ((v - self.b).square() * (-self.log_variance).exp()).sum(-1)

    def _hidden(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        u = torch.rand(inputs.shape, generator=generator, dtype=inputs.dtype).to(inputs.device)
        return (u < inputs.sigmoid()).to(inputs.dtype)

    def _noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=self.w.dtype).to(self.w.device)
