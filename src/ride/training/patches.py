"""Fitting any density of patches by stochastic gradients, resumable bit for bit."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.data import seeded
from ride.errors import ConfigError, DataError
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

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "looks"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")

    def learning_rate(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        rate = self.rate_end + (self.rate - self.rate_end) * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return rate * min(1.0, (step + 1) / max(1, self.warmup))


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
        model: has the parameters; it is fitted in place.
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
        ConfigError: training diverged, or the directory holds another run.
        DataError: there are no patches.
        OutputError: the directory cannot be written.
    """
    if not len(patches) or not len(held_out):
        raise DataError("a density of patches needs patches to learn from and others to be judged by")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=0.0)
    run = Run(directory, {"fit": asdict(config), **(settings or {})}) if directory else None
    step, best, seconds = 0, -math.inf, 0.0
    kept = _copy(model)
    if run and (tree := run.restore()):
        step, best, seconds, kept = tree["step"], tree["best"], tree["seconds"], tree["kept"]
        model.load_state_dict(tree["model"])
        optimizer.load_state_dict(tree["optimizer"])
    clock = saved = time.monotonic()
    sums, count = 0.0, 0
    while step < config.steps:
        drawn = seeded(config.seed, "batch", step)
        rows = torch.randint(len(patches), (config.batch,), generator=drawn)
        batch = patches[rows], *(noise(config.batch, drawn) if noise else ())
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate(step)
        value = float(descent(parameters, objective, batch, 1.0, LEAST_PATCHES))
        if not math.isfinite(value):
            raise ConfigError(
                f"training diverged at step {step + 1}: give it a learning rate below {config.rate:g}"
                + (" and another directory" if directory else "")
            )
        if config.clip is not None:
            nn.utils.clip_grad_norm_(parameters, config.clip)
        optimizer.step()
        step, sums, count = step + 1, sums + value, count + 1
        now = time.monotonic()
        seconds, clock = seconds + now - clock, now
        if step % LOG_STEPS == 0 or step == config.steps:
            if run:
                run.log({"phase": "steps", "step": step, "nats": sums / count, "seconds": round(seconds, 1)})
            sums, count = 0.0, 0
        looking = step * config.looks // config.steps != (step - 1) * config.looks // config.steps
        if looking:
            rate = judge(held_out) if judge else _held_out(objective, held_out, noise, config.seed)
            if run:
                run.log({"phase": "valid", "step": step, "nats": rate, "seconds": round(seconds, 1)})
            if rate > best:
                best, kept = rate, _copy(model)
        if run and (looking or now - saved >= CHECKPOINT_SECONDS):
            run.save(
                {
                    "step": step,
                    "best": best,
                    "seconds": seconds,
                    "model": dict(model.state_dict()),
                    "optimizer": optimizer.state_dict(),
                    "kept": kept,
                }
            )
            saved = time.monotonic()
        if progress:
            progress(step, config.steps, f"{value:.3f} nat a patch in training")
    model.load_state_dict(kept)
    return best


def _held_out(objective: Callable[..., Tensor], held_out: Tensor, noise: Noise | None, seed: int) -> float:
    """Mean objective of the held-out patches."""
    drawn = seeded(seed, "held out noise")
    whole = 0.0
    for part in held_out.split(SCORED):
        whole += total(objective, part, *(noise(len(part), drawn) if noise else ()), least=LEAST_PATCHES)
    return whole / len(held_out)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
