"""Images as files, for those that a model or a generator has made."""

from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ride.atomic import replacing, write_bytes
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
        # NumPy says less of a full disk than the system does.
        buffer = BytesIO()
        np.save(buffer, values)
        write_bytes(path, buffer.getvalue())
        return
    if path.suffix.lower() != ".png":
        raise ConfigError(f"cannot write {path}: its name must end in {' or '.join(SUFFIXES)}")
    if values.ndim == 3 and values.shape[2] not in (1, 3):
        raise ConfigError(f"cannot write {path}: a PNG has 1 or 3 channels, not {values.shape[2]}; use .npy")
    with replacing(path) as temporary:
        Image.fromarray(to_levels(image)).save(temporary, "png")


def to_levels(image: Float[Tensor, "H W *M"]) -> NDArray[np.uint8]:
    """Pixels [H, W] or [H, W, M] of 8 bits; see `write_image`."""
    values = image.detach().cpu().double().numpy()
    levels = np.floor(values * 256).clip(0, 255).astype(np.uint8)
    return levels.squeeze(2) if levels.shape[2:] == (1,) else levels
