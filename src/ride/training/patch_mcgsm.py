"""Fitting an MCGSM for each pixel of a patch (section 3.2), one after another, resumable."""

import math
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ride.errors import ConfigError, DataError, ModelError
from ride.models.mcgsm import MCGSM
from ride.models.patches import PatchMCGSM, PixelMCGSM
from ride.progress import Progress
from ride.training.head import fit_head
from ride.training.patches import PatchFitConfig, fingerprint, fit_patches
from ride.training.run import Run

AT_ONCE = 50_000
"""Patches that are whitened at a time."""


@dataclass(frozen=True)
class PatchMCGSMFitConfig:
    """How the MCGSM of each pixel is fitted: stochastic gradients, then L-BFGS.

    Args:
        steps: the stochastic gradients, with the same settings for all pixels.
        head_iterations: iterations of L-BFGS after them, ended early by the held-out patches. None by default: on
            300,000 patches they gained on these alone.
        head_patches: patches that L-BFGS works on, the first ones.
        seed: of the initial parameters.

    Raises:
        ConfigError: a number makes no sense.
    """

    steps: PatchFitConfig = field(
        default_factory=lambda: PatchFitConfig(6000, 2000, rate=1.5e-2, rate_end=1e-4, betas=(0.9, 0.95), looks=4)
    )
    head_iterations: int = 0
    head_patches: int = 1_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.head_iterations < 0 or self.head_patches < 1:
            raise ConfigError(
                f"L-BFGS makes 0 iterations or more on 1 patch or more, not {self.head_iterations} on "
                f"{self.head_patches}"
            )

    def scaled(self, factor: float) -> "PatchMCGSMFitConfig":
        """The same with `factor` times as many steps and iterations."""
        return replace(self, steps=self.steps.scaled(factor), head_iterations=math.ceil(self.head_iterations * factor))


def fit_patch_mcgsm(
    model: PatchMCGSM,
    patches: Float[Tensor, "P _"],
    held_out: Float[Tensor, "V _"],
    config: PatchMCGSMFitConfig | None = None,
    *,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> float:
    """Fit all pixels in place, each for itself, and return the mean log-likelihood of held-out patches in nats.

    Args:
        model: has its own whitening fitted too.
        patches: to learn from.
        held_out: keep each pixel at its best.
        config: how.
        directory: of the run, see `Run`. The pixels that are done are kept there, and the same call goes on after
            them; the result is the same bit for bit.
        progress: called with the pixels done and all, in thousandths of a pixel.

    Raises:
        ConfigError: training diverged, or the directory holds another run.
        DataError: there are too few patches, they have another number of pixels, or some that are not finite.
        ModelError: what the directory holds is damaged.
        OutputError: the directory cannot be written.
    """
    config = config or PatchMCGSMFitConfig()
    for some in (patches, held_out):
        if some.shape[1] != model.dimension or not len(some):
            raise DataError(f"this density is of patches of {model.dimension} numbers, not {list(some.shape)}")
    run: Run | None = None
    nats: list[float] = []
    seconds = 0.0
    if directory:
        settings = {
            "patch MCGSM": {"dimension": model.dimension, **asdict(model.config)},
            "fit": asdict(config),
            "data": {"train": fingerprint(patches), "valid": fingerprint(held_out)},
        }
        run = Run(directory, settings)
        if tree := run.restore():
            nats, seconds = _restored(run, model, tree)
    clock = time.monotonic() - seconds
    for number in range(len(nats), model.dimension):
        within = _within(progress, number, model.dimension, math.fsum(nats))
        nats.append(fit_pixel(model.pixel(number), patches, held_out, config, within))
        if run:
            seconds = time.monotonic() - clock
            run.log({"pixel": number, "nats": nats[-1], "seconds": round(seconds, 1)})
            run.save({"nats": nats, "seconds": seconds, "model": dict(model.state_dict())})
    return math.fsum(nats)


def fit_pixel(
    pixel: PixelMCGSM,
    patches: Float[Tensor, "P D"],
    held_out: Float[Tensor, "V D"],
    config: PatchMCGSMFitConfig,
    progress: Progress | None = None,
) -> float:
    """Fit the whitening and the MCGSM of one pixel, and return its mean log-likelihood on held-out patches in nats.

    Raises:
        ConfigError: training diverged.
        DataError: there are too few patches, or some that are not finite.
    """
    pixel.fit_whitening(patches)
    pixel.initialize(config.seed)
    jacobian = float(pixel.whitening.log_jacobian)
    data, held = _whitened(pixel, patches), _whitened(pixel, held_out)
    nats = fit_patches(pixel.head, partial(_objective, pixel.head), data, held, config.steps, progress=progress)
    if config.head_iterations:
        some = data[: config.head_patches]
        nats = fit_head(pixel.head, _pair(pixel.head, some), _pair(pixel.head, held), config.head_iterations).best
    return nats + jacobian


@torch.no_grad()
def _whitened(pixel: PixelMCGSM, patches: Tensor) -> Float[Tensor, "P N"]:
    """What the MCGSM sees of all patches, whitened once and for all: inputs and pixel side by side."""
    like = pixel.whitening.mean_out
    data = like.new_empty(len(patches), pixel.before + 1)
    for part, place in zip(patches.split(AT_ONCE), data.split(AT_ONCE), strict=True):
        torch.cat(pixel.whitened(part.to(like)), dim=1, out=place)
    return data


def _pair(head: MCGSM, data: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and pixel."""
    return data[:, : head.inputs], data[:, head.inputs :]


def _objective(head: MCGSM, data: Tensor) -> Tensor:
    return head.mean_log_prob(*_pair(head, data))


def _restored(run: Run, model: PatchMCGSM, tree: dict[str, Any]) -> tuple[list[float], float]:
    """The rates of the pixels that are done, which the model gets, and the seconds that they took."""
    try:
        model.load_state_dict(tree["model"])
        return list(tree["nats"]), float(tree["seconds"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{run.checkpoint_path} does not fit this run ({error}): remove it to start the run anew"
        ) from error


def _within(progress: Progress | None, number: int, count: int, nats: float) -> Progress | None:
    """The progress of one pixel as a part of the whole."""
    if progress is None:
        return None

    def tell(done: int, total: int, message: str = "") -> None:
        progress(1000 * number + 1000 * done // total, 1000 * count, f"{nats:.2f} nat in {number} pixels of {count}")

    return tell
