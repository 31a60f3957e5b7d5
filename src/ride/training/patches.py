"""Fitting any density of patches by stochastic gradients, resumable bit for bit."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride import ranks
from ride.data import seeded
from ride.errors import ConfigError, DataError, ModelError
from ride.progress import Progress
from ride.training.gradients import descent, total
from ride.training.run import Run

CHECKPOINT_SECONDS = 60.0
LOG_STEPS = 100
LEAST_PATCHES = 100
"""Patches for a thread of its own."""
SCORED = 2000
"""Patches scored at a time."""

Noise = Callable[[int, torch.Generator], tuple[Tensor, ...]]
"""What an objective needs drawn for so many patches: tensors with a row for each patch."""


@dataclass(frozen=True)
class PatchFitConfig:
    """How a density of patches is fitted: Adam, with a rate that rises for `warmup` steps and falls along half a
    cosine.

    Args:
        steps: batches to draw.
        batch: patches a step.
        rate: learning rate after the warm-up.
        rate_end: learning rate at the end.
        warmup: steps over which the rate rises.
        clip: largest norm of the gradient; None for no clipping.
        betas: decay of Adam's means of the gradient and of its square, a step.
        looks: how often the held-out patches are scored; the parameters kept are those that were best on them.
        seed: of the batches and the noise.

    Raises:
        ConfigError: a number makes no sense.
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

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "looks"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("rate", "rate_end", "warmup"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be at least 0 and finite, not {getattr(self, name)}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas must be at least 0 and below 1, not {self.betas}")
        if self.clip is not None and not self.clip > 0:
            raise ConfigError(f"clip must be positive, or None for no clipping, not {self.clip}")

    def learning_rate(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        rate = self.rate_end + (self.rate - self.rate_end) * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return rate * min(1.0, (step + 1) / max(1, self.warmup))

    def looks_after(self, step: int) -> bool:
        """Whether the held-out patches are scored when so many steps are made: the last time at the end."""
        return step * self.looks // self.steps != (step - 1) * self.looks // self.steps

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
        settings: what else the directory is for, so that another run does not go on in it.
        directory: of the run: settings, a log in JSON lines and checkpoints; the same call goes on from there.
        progress: called with the steps made and all.

    Returns: the best mean of the held-out objective in nats.

    Raises:
        ConfigError: training diverged, the directory holds another run, or several processes are at it.
        DataError: there are no patches.
        ModelError: the checkpoint is damaged, or of another model.
        OutputError: the directory cannot be written.
    """
    if not len(patches) or not len(held_out):
        raise DataError("a density of patches needs patches to learn from and others to be judged by")
    if ranks.count() > 1:
        raise ConfigError("a density of patches is fitted by one process: start it without torchrun")
    run = None
    if directory:
        data = {"train": fingerprint(patches), "valid": fingerprint(held_out)}
        run = Run(directory, {"fit": asdict(config), "data": data, **(settings or {})})
    return _Fit(model, objective, (patches, held_out), config, noise, run, progress).work_through()


def fingerprint(patches: Tensor) -> str:
    """A digest of all numbers of some patches and of their shape: equal for equal data only."""
    digest = hashlib.blake2b(repr((tuple(patches.shape), str(patches.dtype))).encode(), digest_size=16)
    for part in patches.split(100_000):
        digest.update(part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def copied_state(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of a model as they are now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


class _Fit:
    """Where a fit stands: the steps made, the sum of the objective since the last line of the log, the best
    parameters so far with their rate on held-out patches, and the seconds of work that led there."""

    def __init__(
        self,
        model: nn.Module,
        objective: Callable[..., Tensor],
        data: tuple[Tensor, Tensor],
        config: PatchFitConfig,
        noise: Noise | None,
        run: Run | None,
        progress: Progress | None,
    ) -> None:
        self.model, self.objective, self.config, self.noise = model, objective, config, noise
        self.patches, self.held_out = data
        self.run, self.progress = run, progress
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=0.0, betas=config.betas)
        self.step, self.since, self.best, self.seconds = 0, 0.0, -math.inf, 0.0
        self.kept = copied_state(model)
        if run and (tree := run.restore()):
            self._restore(run, tree)
        self.clock = self.saved = time.monotonic()

    def work_through(self) -> float:
        """Go on to the end, leave the model with its best parameters and return their rate."""
        while self.step < self.config.steps:
            value = self._descend()
            self.step += 1
            self.since += value
            if self.step % LOG_STEPS == 0 or self.step == self.config.steps:
                self._log("steps", self.since / ((self.step - 1) % LOG_STEPS + 1))
                self.since = 0.0
            looking = self.config.looks_after(self.step)
            if looking:
                self._look()
            self._checkpoint(always=looking)
            if self.progress:
                self.progress(self.step, self.config.steps, f"{value:.3f} nat a patch in training")
        self.model.load_state_dict(self.kept)
        return self.best

    def _descend(self) -> float:
        """Make a step, and return the objective before it."""
        config = self.config
        drawn = seeded(config.seed, "batch", self.step)
        rows = torch.randint(len(self.patches), (config.batch,), generator=drawn)
        batch = self._with_noise(self.patches[rows.to(self.patches.device)], drawn)
        value = float(descent(self.parameters, self.objective, batch, 1.0, LEAST_PATCHES))
        if not math.isfinite(value):
            self._diverged()
        if config.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, config.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate(self.step)
        self.optimizer.step()
        return value

    def _look(self) -> None:
        """Score the held-out patches, and keep the parameters if they are the best."""
        drawn = seeded(self.config.seed, "held out noise")
        whole = 0.0
        for part in self.held_out.split(SCORED):
            whole += total(self.objective, *self._with_noise(part, drawn), least=LEAST_PATCHES)
        rate = whole / len(self.held_out)
        if not math.isfinite(rate):
            self._diverged()
        self._log("valid", rate)
        if rate > self.best:
            self.best, self.kept = rate, copied_state(self.model)

    def _with_noise(self, batch: Tensor, generator: torch.Generator) -> list[Tensor]:
        """A batch and its noise, where the model is."""
        drawn = self.noise(len(batch), generator) if self.noise else ()
        return [one.to(self.parameters[0].device) for one in (batch, *drawn)]

    def _diverged(self) -> NoReturn:
        raise ConfigError(
            f"training diverged at step {self.step + 1}: give it a learning rate below {self.config.rate:g}"
            + (" and another directory" if self.run else "")
        )

    def _log(self, phase: str, rate: float) -> None:
        self._count_seconds()
        if self.run:
            self.run.log({"phase": phase, "step": self.step, "nats": rate, "seconds": round(self.seconds, 1)})

    def _count_seconds(self) -> None:
        now = time.monotonic()
        self.seconds, self.clock = self.seconds + now - self.clock, now

    def _checkpoint(self, always: bool) -> None:
        if not self.run or not (always or time.monotonic() - self.saved >= CHECKPOINT_SECONDS):
            return
        self._count_seconds()
        self.run.save(
            {
                "step": self.step,
                "since": self.since,
                "best": self.best,
                "seconds": self.seconds,
                "model": dict(self.model.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "kept": self.kept,
            }
        )
        self.saved = time.monotonic()

    def _restore(self, run: Run, tree: dict[str, Any]) -> None:
        try:
            self.step, self.since, self.best, self.seconds = (
                tree[name] for name in ("step", "since", "best", "seconds")
            )
            self.kept = {name: value.to(self.parameters[0].device) for name, value in tree["kept"].items()}
            self.model.load_state_dict(tree["model"])
            self.optimizer.load_state_dict(tree["optimizer"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{run.checkpoint_path} does not fit this run ({error}): remove it to start the run anew"
            ) from error
