"""Fitting RIDE on patches of fixed size (section 3.2): stochastic gradients, then L-BFGS on the MCGSM."""

import math
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ride.data import seeded
from ride.errors import ConfigError, DataError, ModelError, require_at_least
from ride.models.patches import PatchRIDE
from ride.progress import Progress
from ride.training.head import HeadState, fit_head
from ride.training.patches import PatchFitConfig, fingerprint, fit_patches
from ride.training.run import Run

AT_ONCE = 1000
"""Patches whose hidden units are computed at a time."""


@dataclass(frozen=True)
class PatchRIDEFitConfig:
    """How a RIDE of patches is fitted.

    Args:
        steps: the stochastic gradients; `clip` is in nats per patch.
        whitening_patches: patches on which the conditional whitening is fitted, the first ones.
        look_patches: held-out patches that choose the best parameters, the first ones.
        head_iterations: iterations of L-BFGS on the MCGSM at the end, the layers below fixed.
        head_patches: patches that it works on, drawn at random.
        forget_bias: initial bias of the forget gates.

    Raises:
        ConfigError: a number makes no sense.
    """

    steps: PatchFitConfig = field(
        default_factory=lambda: PatchFitConfig(
            25_000, 200, rate=3e-2, rate_end=1e-4, warmup=100, clip=63.0, optimizer="soap", betas=(0.9, 0.95)
        )
    )
    whitening_patches: int = 50_000
    look_patches: int = 20_000
    head_iterations: int = 100
    head_patches: int = 16_000
    forget_bias: float = 0.0

    def __post_init__(self) -> None:
        require_at_least(1, self, "whitening_patches", "look_patches", "head_patches")
        if self.head_iterations < 0:
            raise ConfigError(f"head_iterations must be at least 0, not {self.head_iterations}")

    def scaled(self, factor: float) -> "PatchRIDEFitConfig":
        """The same with `factor` times as many steps and iterations."""
        return replace(self, steps=self.steps.scaled(factor), head_iterations=math.ceil(self.head_iterations * factor))


def fit_patch_ride(
    model: PatchRIDE,
    patches: Float[Tensor, "P D"],
    held_out: Float[Tensor, "V D"],
    config: PatchRIDEFitConfig | None = None,
    *,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> float:
    """Fit a model in place and return the mean log-likelihood of the held-out patches in nats.

    Args:
        model: begins with the parameters that it has; its whitening is fitted too.
        patches: to learn from.
        held_out: keep the model at its best.
        config: how.
        directory: of the run, with one below it for each of its two parts. The same call goes on from there; the
            result is the same bit for bit.
        progress: called with the steps and iterations made and all.

    Raises:
        ConfigError: training diverged, or the directory holds another run.
        DataError: there are too few patches, or some that are not finite.
        ModelError: what the directory holds is damaged.
        OutputError: the directory cannot be written.
    """
    config = config or PatchRIDEFitConfig()
    if not len(patches) or not len(held_out):
        raise DataError("a density of patches needs patches to learn from and others to be judged by")
    like = model.whitening.mean_out
    model.fit_whitening(patches[: config.whitening_patches].to(like))
    model.set_forget_bias(config.forget_bias)
    settings = {"patch RIDE": asdict(model.config), "recipe": asdict(config)}
    looked = held_out[: config.look_patches]
    nats = fit_patches(
        model,
        model.mean_log_prob,
        patches,
        looked,
        config.steps,
        settings=settings,
        directory=directory / "steps" if directory else None,
        progress=progress,
    )
    return _fit_head(model, patches, looked, config, settings, directory, progress) if config.head_iterations else nats


def _fit_head(
    model: PatchRIDE,
    patches: Tensor,
    held_out: Tensor,
    config: PatchRIDEFitConfig,
    settings: dict[str, Any],
    directory: Path | None,
    progress: Progress | None,
) -> float:
    """L-BFGS on the MCGSM with the hidden units fixed; the mean log-likelihood of held-out patches in nats."""
    run, state, before, begun = None, None, 0.0, time.monotonic()
    if directory:
        run = Run(directory / "head", {**settings, "data": fingerprint(patches)})
        if tree := run.restore():
            state, before = _restored(run, model, tree)
    rows = torch.randint(len(patches), (config.head_patches,), generator=seeded(config.steps.seed, "head"))
    jacobian = float(model.whitening.log_jacobian)

    def after_look(state: HeadState) -> None:
        if run:
            nats = [model.dimension * (rate + jacobian) for rate in (state.rate, state.best)]
            seconds = before + time.monotonic() - begun
            rates = {"nats": nats[0], "best_held_out_nats": nats[1]}
            run.log({"iteration": state.iteration, **rates, "seconds": round(seconds, 1)})
            run.save({"head": vars(state), "parameters": dict(model.head.state_dict()), "seconds": seconds})
        if progress:
            progress(state.iteration, config.head_iterations, "fine-tuning")

    drawn = patches[rows.to(patches.device)]
    state = fit_head(
        model.head, _hidden(model, drawn), _hidden(model, held_out), config.head_iterations, state, after_look
    )
    return model.dimension * (state.best + jacobian)


@torch.no_grad()
def _hidden(model: PatchRIDE, patches: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden units and whitened pixels of all patches."""
    like = model.whitening.mean_out
    pairs = [model.hidden_states(part.to(like)) for part in patches.split(AT_ONCE)]
    x, y = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return x, y


def _restored(run: Run, model: PatchRIDE, tree: dict[str, Any]) -> tuple[HeadState, float]:
    """The state of L-BFGS, and the seconds that it took so far."""
    try:
        model.head.load_state_dict(tree["parameters"])
        return HeadState(**tree["head"]), float(tree.get("seconds", 0.0))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{run.checkpoint_path} does not fit this run ({error}): remove it to start the run anew"
        ) from error
