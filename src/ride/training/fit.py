"""Fitting a RIDE: the curriculum of section 3, resumable bit for bit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ride.models.ride import RIDE
from ride.progress import Progress
from ride.training.config import FitConfig
from ride.training.curriculum import Curriculum
from ride.training.images import Images, as_pictures
from ride.training.presets import default


@dataclass(frozen=True)
class FitResult:
    """What a run reached: the rate on held-out images (patches of the training images if there are none) in nats per
    pixel, how many stages it made, and the seconds of work."""

    nats_per_pixel: float
    stages: int
    seconds: float


def fit(
    model: RIDE,
    images: Images,
    valid_images: Images = (),
    config: FitConfig | None = None,
    *,
    start: RIDE | None = None,
    directory: str | Path | None = None,
    card: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit `model` in place and leave it with the parameters that were best on the held-out images, or with the last.

    Images are pictures, or arrays or tensors [B, H, W] or [B, H, W, M] of uint8, uint16 or floats in [0, 1]. With a
    `directory` the run writes a log, checkpoints and its best model there, and the same call with an equal model goes
    on where an earlier one was stopped, with as many threads to the same result bit for bit. A model that was fitted
    before keeps its whitening and goes on from its parameters; so does one that is told to `start` from another, which
    may differ in where its memory units end.

    Within a process group of `torch.distributed` all its processes make this call, with the same images and an equal
    model each on its own device. They divide each batch and the pixels of L-BFGS, and all end with the same model,
    that of a process alone up to rounding. Rank 0 writes the directory, and any number of processes can go on with it.

    Raises:
        DataError: there are no images, one is smaller than the largest patch, or they are not images.
        ConfigError: the directory holds another run, the images have other channels than the model, processes were
            given different things, `start` is another kind of model, or the learning rate was so high that training
            diverged; the best model and the last checkpoint stay.
        RankError: another process of the group has ended.
        ModelError: the checkpoint in the directory is damaged.
        OutputError: the directory cannot be written.
    """
    config = config or default(model.config.layers)
    pictures, held_out = as_pictures(images), as_pictures(valid_images, "held-out image")
    run = Curriculum(model, pictures, held_out, config, start, directory, card or {}, progress)
    run.work_through()
    return FitResult(run.position.best, run.position.stage, run.position.seconds)
