"""Densities of patches that stochastic gradients fit: all that they have in common but for their equations."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.baselines.scoring import check_patches, in_chunks
from ride.data import seeded
from ride.errors import ConfigError
from ride.models.whitening import ConditionalWhitening
from ride.progress import Progress
from ride.training.patches import Noise, PatchFitConfig, fit_patches


class TrainedConfig:
    """What the settings of every density say of its training; those that have no value here are fields of theirs."""

    steps: int
    batch: int
    rate: float
    held_out: int | None = None
    """The first so many of the held-out patches choose the best parameters; None for all."""
    longest_warmup: ClassVar[int | None] = None
    """Steps of a warm-up that is no longer than the run; None for that of `PatchFitConfig`."""

    @property
    def rate_end(self) -> float:
        """Learning rate at the end."""
        return self.rate / 100

    def schedule(self, length: float, seed: int) -> PatchFitConfig:
        """How to fit in so many times the steps."""
        whole = PatchFitConfig(self.steps, self.batch, self.rate, self.rate_end, seed=seed).scaled(length)
        if self.longest_warmup is None:
            return whole
        return replace(whole, warmup=min(whole.steps, self.longest_warmup))


@dataclass(frozen=True)
class Call:
    """What `TrainedDensity.fit` is given besides the patches."""

    seed: int
    length: float
    directory: Path | None
    progress: Progress | None


class TrainedDensity(nn.Module):
    """A density of patches that is fitted by stochastic gradients.

    Each has its parameters, draws them in `reset_parameters`, and says what log p(x) is: in `_log_density`, or in an
    `objective` and a `log_prob` of its own.

    Args:
        dimension: D, pixels or other numbers of a patch.
        config: sizes and training.

    Raises:
        ConfigError: the dimension makes no sense.
    """

    name: ClassVar[str]
    """Of the density, in messages and in the seeds of its parameters."""
    config: TrainedConfig
    whitening: ConditionalWhitening
    noise: Noise | None = None
    """Draws what `objective` needs besides the patches."""

    def __init__(self, dimension: int, config: TrainedConfig) -> None:
        super().__init__()
        if dimension < 1:
            raise ConfigError(f"a patch has at least 1 pixel or other number, not {dimension}")
        self.dimension, self.config = dimension, config

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial parameters."""
        raise NotImplementedError

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
        """Maximise the mean log-likelihood, or what the density has for it, by stochastic gradients, in place.

        Args:
            patches: to learn from.
            held_out: to choose the best parameters by; the first `config.held_out` of them, where the settings say so.
            seed: of the initial parameters, the batches and all else that is drawn.
            length: of the training, in parts of `config.steps`.
            directory: of the run; the same call goes on from there. None keeps nothing.
            progress: called with the steps made and all.

        Returns: the best mean of the objective over the held-out patches, or what a density has for it, in nats per
        patch.

        Raises:
            ConfigError: training diverged, the patches do not fit, or the directory holds another run.
            DataError: there are too few patches, or they are not finite.
            OutputError: the directory cannot be written.
        """
        for some in (patches, held_out):
            self._check(some)
        call = Call(seed, length, directory, progress)
        self._begin(patches, held_out, call)
        return self._train(patches, held_out[: self.config.held_out], call)

    def _standardize(self, patches: Tensor) -> None:
        """Learn mean and covariance."""
        self.whitening.fit([(patches[:, :0], patches)])

    def _begin(self, patches: Tensor, held_out: Tensor, call: Call) -> None:
        """Set all that the first step starts from."""
        self._standardize(patches)
        self.reset_parameters(seeded(call.seed, self.name))

    def _train(self, patches: Tensor, held_out: Tensor, call: Call) -> float:
        return fit_patches(
            self,
            self.objective,
            patches,
            held_out,
            self.config.schedule(call.length, call.seed),
            noise=self.noise,
            judge=self._judge(call),
            settings=self._settings(),
            directory=call.directory,
            progress=call.progress,
        )

    def _judge(self, call: Call) -> Callable[[Tensor], float] | None:
        """What tells how good the density is on the held-out patches, where the objective does not."""
        return None

    def _settings(self) -> dict[str, Any]:
        """What a directory is for."""
        return {self.name: vars(self.config), "dimension": self.dimension}

    def _mean_log_density(self, x: Tensor) -> Tensor:
        return self._log_density(x).mean()

    objective: Callable[..., Tensor] = _mean_log_density
    """`objective(batch, *noise)` is what training maximises, in nats per patch."""

    def log_prob(self, x: Float[Tensor, "P D"]) -> Float[Tensor, " P"]:
        """Log-likelihood of each patch, exact, in nats; memory beyond the result does not grow with their number."""
        self._check(x)
        return in_chunks(self._log_density, x)

    def _log_density(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _check(self, x: Tensor) -> None:
        check_patches(x, self.dimension, next(self.parameters()).dtype, self.name)
