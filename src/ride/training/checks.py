"""What can be known to go wrong before any work is done."""

from ride.data import Pixels
from ride.errors import ConfigError
from ride.models.ride import RIDE
from ride.training.config import FitConfig


def check_fit(model: RIDE, config: FitConfig, training: Pixels, held_out: Pixels | None) -> None:
    """See that model, patches and images go together.

    Raises:
        ConfigError: the images have another number of channels than the model, or a patch holds no neighborhood.
        DataError: an image is smaller than the largest patch, or a held-out image than the neighborhood.
    """
    for pixels in (training, held_out):
        if pixels is not None and pixels.channels != model.config.planes:
            raise ConfigError(
                f"this model is for {model.config.planes} channels, {pixels.names[0]} has {pixels.channels}"
            )
    width = model.neighborhood.width
    sides = {"patch": min(stage.patch for stage in config.stages), "head_patch": config.head_patch}
    for name, side in {**sides, "valid_tile": config.valid_tile}.items():
        if side is not None and side < width:
            raise ConfigError(f"{name} must be at least the width of the neighborhood, {width}, not {side}")
    largest = max(stage.patch for stage in config.stages)
    training.check_patch(largest, largest)
    if held_out is not None and held_out_tile(config, held_out) < width:
        held_out.check_patch(width, width)


def head_patch(config: FitConfig, patch: int, training: Pixels) -> int:
    """Side of the patches for L-BFGS in a stage of this patch: no larger than fits in every image."""
    return min(config.head_patch or patch, int(training.heights.min()), int(training.widths.min()))


def held_out_tile(config: FitConfig, held_out: Pixels) -> int:
    """Side of the tiles on which held-out images are scored: no larger than fits in every image."""
    return min(config.valid_tile, int(held_out.heights.min()), int(held_out.widths.min()))
