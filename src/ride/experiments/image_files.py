"""Images as files, for those that a model or a generator has made."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ride.atomic import replacing
from ride.errors import ConfigError

SUFFIXES = (".png", ".npy")


def write_image(path: Path, image: Float[Tensor, "H W *M"]) -> None:
    """Write an image in units of the full range, by its suffix, whole or not at all.

    `.png` holds 8 bits, gray or RGB: what lies in [k/256, (k + 1)/256) becomes k, the inverse of
    dequantisation, and what lies outside [0, 1] its nearest end. `.npy` holds the floats as they are.

    Raises:
        ConfigError: another suffix, or a number of channels that a PNG cannot hold.
        OutputError: the file cannot be written.
    """
    values = image.detach().cpu().numpy()
    if path.suffix.lower() == ".npy":
        with replacing(path) as temporary:
            np.save(temporary, values)
        return
    if path.suffix.lower() != ".png":
        raise ConfigError(f"cannot write {path}: its name must end in {' or '.join(SUFFIXES)}")
    if values.ndim == 3 and values.shape[2] not in (1, 3):
        raise ConfigError(f"cannot write {path}: a PNG has 1 or 3 channels, not {values.shape[2]}; use .npy")
    levels = np.floor(values.astype(np.float64) * 256).clip(0, 255).astype(np.uint8)
    with replacing(path) as temporary:
        Image.fromarray(levels.squeeze(2) if levels.shape[2:] == (1,) else levels).save(temporary)
