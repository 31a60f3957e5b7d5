"""The Gaussian-Bernoulli restricted Boltzmann machine, Table 2."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from ride.baselines.annealing import LogZ, anneal
from ride.data import seeded
from ride.errors import ConfigError
from ride.models.whitening import ConditionalWhitening
from ride.progress import Progress
from ride.training.patches import PatchFitConfig, fit_patches

SCORED = 10000
"""Patches scored at a time."""


@dataclass(frozen=True)
class GRBMConfig:
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
        for name, least in {"hidden": 1, "sweeps": 1, "chains": 2, "temperatures": 1}.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} of a GRBM must be at least {least}, not {getattr(self, name)}")


class GRBM(nn.Module):
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

    log_z: Tensor
    log_z_error: Tensor
    effective: Tensor
    chains: Tensor

    def __init__(self, dimension: int, config: GRBMConfig | None = None) -> None:
        super().__init__()
        if dimension < 1:
            raise ConfigError(f"a GRBM needs patches of at least 1 number, not {dimension}")
        self.dimension, self.config = dimension, config or GRBMConfig()
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
        self.reset_parameters(seeded(0, "GRBM"))

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
        """Fit by persistent contrastive divergence from the beginning, and estimate log Z.

        Args:
            patches: to learn from.
            held_out: to choose the best parameters by; each look estimates log Z.
            seed: of the initial parameters, the batches and the chains.
            length: factor of the numbers of steps and temperatures.
            directory: of the run, which goes on from there; None keeps nothing.
            progress: called with the steps made and all.

        Returns: the mean log-likelihood of the held-out patches in nats per patch, after the last estimate of log Z.

        Raises:
            ConfigError: training diverged, or the directory holds another run.
            DataError: there are no or too few patches, or their numbers are not finite.
        """
        self.whitening.fit([(patches[:, :0], patches)])
        self.reset_parameters(seeded(seed, "GRBM"))
        config = self.config
        how = PatchFitConfig(
            steps=config.steps,
            batch=config.batch,
            rate=config.rate,
            rate_end=config.rate_end,
            seed=seed,
        ).scaled(length)
        temperatures = max(1, round(length * config.temperatures))

        def judge(held_out: Tensor) -> float:
            found = self.estimate_log_z(max(2, config.chains // 10), max(1, temperatures // 10), seeded(seed, "look"))
            # Where few chains carry the weight, log Z is likely more than they say, and the likelihood less.
            return float(self.log_prob(held_out).double().mean()) - math.log(found.chains / found.effective)

        fit_patches(
            self,
            self._divergence,
            patches,
            held_out,
            how,
            noise=self._negatives,
            judge=judge,
            settings={"grbm": asdict(config)},
            directory=directory,
            progress=progress,
        )
        self.estimate_log_z(config.chains, temperatures, seeded(seed, "log Z"))
        return float(self.log_prob(held_out).double().mean())

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-density of each patch in nats, exact up to the estimate of log Z, which is the same for all."""
        rest = self.whitening.log_jacobian - self.log_z.to(x.dtype)
        whiten = self.whitening.whiten_outputs
        parts = [-self.free_energy(whiten(part[:, :0], part)) + rest for part in x.split(SCORED)]
        return torch.cat(parts) if parts else x.new_empty(0)

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

    def _divergence(self, x: Tensor, negatives: Tensor) -> Tensor:
        """Has the gradient of the mean log-likelihood, if the negatives are samples of the model."""
        return self.free_energy(negatives).mean() - self.free_energy(self.whitening.whiten_outputs(x[:, :0], x)).mean()

    def _negatives(self, count: int, generator: torch.Generator) -> tuple[Tensor]:
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
