"""Fitting any density of patches by stochastic gradients, resumable bit for bit."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.data import seeded
from ride.errors import ConfigError, DataError, require_at_least
from ride.progress import Progress
from ride.training import optimizers
from ride.training.best import keep_best
from ride.training.gradients import descent, total

LEAST_PATCHES = 100
"""Patches for a thread of its own."""
SCORED = 2000
"""Patches scored at a time."""

Noise = Callable[[int, torch.Generator], tuple[Tensor, ...]]
"""What an objective needs drawn for so many patches: tensors with a row for each patch."""


@dataclass(frozen=True)
class PatchFitConfig:
    """How a density of patches is fitted: Adam or SOAP, with a rate that rises for `warmup` steps and falls along half
    a cosine.

    Args:
        steps: batches to draw.
        batch: patches a step.
        rate: learning rate after the warm-up.
        rate_end: learning rate at the end.
        warmup: steps over which the rate rises.
        clip: largest norm of the gradient; None for no clipping.
        looks: how often the held-out patches are scored; the parameters kept are those that were best on them.
        seed: of the batches and the noise.
        betas: decay of Adam's means of the gradient and of its square, a step.
        optimizer: `sgd`, `adam`, or `soap`, which is Adam in a better basis for spatial LSTMs.

    Raises:
        ConfigError: a number or a choice makes no sense.
    """

    steps: int
    batch: int = 1000
    rate: float = 1e-2
    rate_end: float = 1e-4
    warmup: int = 20
    clip: float | None = 1.0
    looks: int = 10
    seed: int = 0
    betas: tuple[float, float] = (0.9, 0.999)
    optimizer: optimizers.Name = "adam"

    def __post_init__(self) -> None:
        require_at_least(1, self, "steps", "batch", "looks")
        for name in ("rate", "rate_end", "warmup"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be at least 0 and finite, not {getattr(self, name)}")
        if self.optimizer not in get_args(optimizers.Name):
            raise ConfigError(f"optimizer must be {' or '.join(get_args(optimizers.Name))}, not {self.optimizer}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas must be at least 0 and below 1, not {self.betas}")
        if self.clip is not None and not self.clip > 0:
            raise ConfigError(f"clip must be positive, or None for no clipping, not {self.clip}")

    def learning_rate(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        rate = self.rate_end + (self.rate - self.rate_end) * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return rate * min(1.0, (step + 1) / max(1, self.warmup))

    def scaled(self, factor: float) -> "PatchFitConfig":
        """The same with `factor` times as many steps."""
        if not 0 < factor < math.inf:
            raise ConfigError(f"the length of a run is scaled by a positive factor, not {factor}")
        return replace(self, steps=max(1, round(self.steps * factor)))


def fit_patches(
    model: nn.Module,
    objective: Callable[..., Tensor],
    patches: Float[Tensor, "P ..."],
    held_out: Float[Tensor, "V ..."],
    config: PatchFitConfig,
    *,
    noise: Noise | None = None,
    judge: Callable[[Tensor], float] | None = None,
    settings: dict[str, Any] | None = None,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> float:
    """Maximise the mean of an objective over patches, and keep the parameters that were best on the held-out ones.

    Args:
        model: has the parameters; it is fitted in place, where it lies. Patches and noise follow it there.
        objective: `objective(batch, *noise)` is the mean log-likelihood of a batch, or a bound of it, in nats.
        patches: to learn from.
        held_out: to choose the best parameters by.
        config: how.
        noise: draws what the objective needs besides the patches; the held-out patches get the same at each look.
        judge: says what the held-out patches come to, in nats, where the objective does not say how good a model is.
        settings: what else the directory is for, so that another run does not go on in it.
        directory: of the run: settings, a log in JSON lines and checkpoints; the same call goes on from there.
        progress: called with the steps made and all.

    Returns: the best mean of the held-out objective, or the best judgement, in nats.

    Raises:
        ConfigError: training diverged, the directory holds another run, or several processes are at it.
        DataError: there are no patches.
        ModelError: the checkpoint is damaged, or of another model.
        OutputError: the directory cannot be written.
    """
    if not len(patches) or not len(held_out):
        raise DataError("a density of patches needs patches to learn from and others to be judged by")
    data = {"train": fingerprint(patches), "valid": fingerprint(held_out)} if directory else {}
    work = _Descent(model, objective, (patches, held_out), config, noise, bool(directory))
    return keep_best(
        model,
        work.step,
        (lambda: judge(held_out)) if judge else work.score,
        steps=config.steps,
        looks=config.looks,
        state=lambda: {"optimizer": work.optimizer.state_dict()},
        restore=lambda tree: work.optimizer.load_state_dict(tree["optimizer"]),
        settings={"fit": asdict(config), "data": data, **(settings or {})},
        figure="objective" if judge else "nats",
        directory=directory,
        progress=progress,
    )


def fingerprint(patches: Tensor) -> str:
    """A digest of all numbers of some patches and of their shape: equal for equal data only."""
    digest = hashlib.blake2b(repr((tuple(patches.shape), str(patches.dtype))).encode(), digest_size=16)
    for part in patches.split(100_000):
        digest.update(part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def model_fingerprint(model: nn.Module) -> str:
    """A digest of all parameters and buffers of a model."""
    values = [value.detach().flatten().double().cpu() for value in model.state_dict().values()]
    return fingerprint(torch.cat(values))


class _Descent:
    """The steps of a fit, and the score of the held-out patches."""

    def __init__(
        self,
        model: nn.Module,
        objective: Callable[..., Tensor],
        data: tuple[Tensor, Tensor],
        config: PatchFitConfig,
        noise: Noise | None,
        resumable: bool,
    ) -> None:
        self.objective, self.config, self.noise, self.resumable = objective, config, noise, resumable
        self.patches, self.held_out = data
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = optimizers.make(config.optimizer, model, config.betas)

    def step(self, number: int) -> float:
        """Make a step, and return the objective before it."""
        config = self.config
        drawn = seeded(config.seed, "batch", number)
        rows = torch.randint(len(self.patches), (config.batch,), generator=drawn)
        batch = self._with_noise(self.patches[rows.to(self.patches.device)], drawn)
        value = float(descent(self.parameters, self.objective, batch, 1.0, LEAST_PATCHES))
        self._expect_finite(value, number)
        if config.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, config.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate(number)
        self.optimizer.step()
        return value

    def score(self) -> float:
        """Mean objective of the held-out patches."""
        drawn = seeded(self.config.seed, "held out noise")
        whole = 0.0
        for part in self.held_out.split(SCORED):
            whole += total(self.objective, *self._with_noise(part, drawn), least=LEAST_PATCHES)
        return self._expect_finite(whole / len(self.held_out), None)

    def _with_noise(self, batch: Tensor, generator: torch.Generator) -> list[Tensor]:
        """A batch and its noise, where the model is."""
        drawn = self.noise(len(batch), generator) if self.noise else ()
        return [one.to(self.parameters[0].device) for one in (batch, *drawn)]

    def _expect_finite(self, value: float, step: int | None) -> float:
        """Raise ConfigError unless training has kept to numbers."""
        if not math.isfinite(value):
            place = "on the held-out patches" if step is None else f"at step {step + 1}"
            raise ConfigError(
                f"training diverged {place}: give it a learning rate below {self.config.rate:g}"
                + (" and another directory" if self.resumable else "")
            )
        return value
