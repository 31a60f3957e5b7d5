"""One texture as a job of the page: learn it, watch the training, draw more of it."""

from copy import deepcopy
from dataclasses import dataclass

from ride.app.jobs import Job, View
from ride.app.limits import LARGEST_SEED, Limits
from ride.app.show import Clock, image, picture, side_by_side
from ride.data import Picture, split_regions
from ride.errors import ConfigError
from ride.experiments.texture import learn
from ride.models.ride import RIDE, RIDEConfig
from ride.training import presets

LENGTHS = {"a trial (1/50)": 0.02, "short (1/5)": 0.2, "full": 1.0}
"""Of the training, in units of that of `ride texture`."""
FIRST = 256
"""Largest side of the sample that is drawn right after training."""


@dataclass(frozen=True)
class Known:
    """A texture that was learned, with the picture it is of."""

    model: RIDE
    picture: Picture


def learn_from(job: Job, pictured: Picture, length: str, seed: int) -> View:
    """Train on all regions of a texture but one; the view's value is what is `Known`.

    Raises:
        ConfigError: the length has no such name, or training diverged.
        DataError: the texture is too small to split, or has the same value everywhere.
        Stopped: the job was cancelled or its time is up.
    """
    if length not in LENGTHS:
        raise ConfigError(f"the training is one of {', '.join(LENGTHS)}, not {length}")
    regions = split_regions(pictured, seed)
    clock, config = Clock("Training", percent=True), RIDEConfig()
    job.tell(View("Training: cutting patches"))
    learned = learn(
        regions,
        config,
        presets.texture(config.layers),
        name="RIDE",
        seed=seed,
        length=LENGTHS[length],
        lengths=(1.0,),
        progress=lambda done, total, message="": job.tell(View(clock.line(done, total, message))),
    )
    rate = f"{learned.rate.bits_per_pixel:.3f} bit/px on the region held out"
    known = Known(learned.model, pictured)
    height, width = (min(FIRST, side) for side in pictured.pixels.shape)
    drawn = draw(job, known, height, width, seed, before=f"Learned: {rate}. ")
    return View(f"Learned in {learned.seconds:.0f} s: {rate}.", drawn.figures, value=known)


def draw(job: Job, known: Known, height: int, width: int, seed: int, before: str = "") -> View:
    """More of a texture that was learned.

    Raises:
        ModelError: what was drawn is not finite.
        Stopped: the job was cancelled or its time is up.
    """
    clock = Clock(f"{before}Drawing", percent=True)
    # The last drawing may not have ended yet.
    sample = copied(known).sample(
        height,
        width,
        seed=seed,
        progress=lambda done, total, message="": job.tell(View(clock.line(done, total))),
    )[0]
    part = known.picture.pixels[:height, :width]
    figures = [
        picture("original", part, f"{part.shape[0]} x {part.shape[1]} pixels"),
        image("sample", sample, f"{height} x {width} pixels, seed {seed}"),
    ]
    return View("Drawn.", side_by_side(figures))


def copied(known: Known) -> RIDE:
    """The model for one job: models have memory that they work in."""
    return deepcopy(known.model)


def check_size(height: int, width: int, seed: int, limits: Limits) -> None:
    """Raise `ConfigError` for a sample that the page does not draw."""
    for name, value in (("height", height), ("width", width)):
        if not limits.least <= value <= limits.side:
            raise ConfigError(
                f"the {name} must be from {limits.least} to {limits.side} pixels on this page, not {value}"
            )
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"the seed must be from 0 to {LARGEST_SEED}, not {seed}")
