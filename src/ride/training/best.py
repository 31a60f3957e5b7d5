"""The loop around any step by step fit: it keeps what was best on held-out data, and can be interrupted."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ride import ranks
from ride.errors import ConfigError, ModelError, RideError
from ride.progress import Progress
from ride.training.run import Run

CHECKPOINT_SECONDS = 60.0
LOG_STEPS = 100


def keep_best(
    model: nn.Module,
    step: Callable[[int], float],
    score: Callable[[], float],
    *,
    steps: int,
    looks: int,
    state: Callable[[], dict[str, Any]],
    restore: Callable[[dict[str, Any]], None],
    settings: dict[str, Any],
    figure: str = "nats",
    directory: Path | None = None,
    progress: Progress | None = None,
) -> float:
    """Make the steps of a fit, and leave the model with the state that was best on held-out data.

    Args:
        model: is fitted in place.
        step: makes the step of a number, counted from 0, and returns the mean log-likelihood in training, in nats.
        score: mean log-likelihood of the held-out data in nats.
        steps: to make.
        looks: how often the held-out data are scored.
        state: what a step goes on from besides the state of the model; a tree that a checkpoint can hold.
        restore: takes up what `state` returned.
        settings: what the directory is for, so that another run does not go on in it.
        figure: what the log calls that which `step` returns, where it is no log-likelihood.
        directory: of the run: settings, a log in JSON lines and checkpoints; the same call goes on from there.
        progress: called with the steps made and all.

    Returns: the best score.

    Raises:
        ConfigError: the directory holds another run, several processes are at it, or the score is not finite.
        ModelError: the checkpoint is damaged, or of another model.
        OutputError: the directory cannot be written.
    """
    if ranks.count() > 1:
        raise ConfigError("a density of patches is fitted by one process: start it without torchrun")
    run = Run(directory, settings) if directory else None
    done, since, best, seconds, kept = 0, 0.0, -math.inf, 0.0, copied_state(model)
    if run and (tree := run.restore()):
        try:
            done, since, best, seconds = (tree[name] for name in ("step", "since", "best", "seconds"))
            kept = {name: value.to(kept[name].device) for name, value in tree["kept"].items()}
            model.load_state_dict(tree["model"])
            restore(tree["state"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{run.checkpoint_path} does not fit this run ({error}): remove it to start the run anew"
            ) from error

    def save() -> None:
        if run:
            tree = {"step": done, "since": since, "best": best, "seconds": seconds}
            run.save({**tree, "model": dict(model.state_dict()), "state": state(), "kept": kept})

    clock = saved = time.monotonic()
    while done < steps:
        value = step(done)
        done, since = done + 1, since + value
        now = time.monotonic()
        seconds, clock = seconds + now - clock, now
        if done % LOG_STEPS == 0 or done == steps:
            if run:
                mean = since / ((done - 1) % LOG_STEPS + 1)
                run.log({"phase": "steps", "step": done, figure: mean, "seconds": round(seconds, 1)})
            since = 0.0
        looking = done * looks // steps != (done - 1) * looks // steps
        if looking:
            rate = score()
            if not math.isfinite(rate):
                raise ConfigError(
                    f"training diverged: the held-out patches have {rate} nat after step {done}; fit at a lower"
                    " learning rate, in another directory"
                )
            if run:
                run.log({"phase": "valid", "step": done, "nats": rate, "seconds": round(seconds, 1)})
            if rate > best:
                best, kept = rate, copied_state(model)
        if looking or now - saved >= CHECKPOINT_SECONDS:
            save()
            saved = time.monotonic()
        if progress:
            try:
                progress(done, steps, f"{value:.3f} nat a patch in training")
            except BaseException:
                # It ends the work, of which nothing is lost; what went wrong first is what is told.
                with suppress(RideError):
                    save()
                raise
    model.load_state_dict(kept)
    return best


def copied_state(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of a model as they are now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
