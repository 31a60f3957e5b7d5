"""What an image file stores, pixel for pixel: for compression without loss, where a silent conversion would be one."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ride.data.files import ARRAYS, decode, mapped, naming
from ride.errors import DataError

FORMATS = ("BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""Those of which Pillow gives the pixels as they are, or says what it changes."""
MODES = ("1", "L", "P", "LA", "PA", "RGB", "RGBA", "La", "RGBa", "F")
"""What becomes gray or RGB and can be told from its pixels. Numbers that are no integers are refused by the coder."""
BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, SAMPLE_FORMAT = 258, 277, 339
"""Tags of TIFF."""


def stored_pixels(path: Path) -> NDArray[Any]:
    """The pixels that a file stores, turned upright: [H, W] or [H, W, 3] of uint8, uint16 or float32.

    An .npy has one image, of any numbers. Of a picture twice as many pixels are read as `Image.MAX_IMAGE_PIXELS` says,
    178 million.

    Raises:
        DataError: the file cannot be read, has several images, or one of which something would be lost; it is named.
    """
    if path.suffix.lower() not in ARRAYS:
        return decode(path, large=True, check=_check)
    if path.suffix.lower() != ".npy":
        raise DataError(f"{path} may hold several arrays: store one image as .npy")
    array = mapped(path)
    pixels = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if (pixels.ndim != 2 and not (pixels.ndim == 3 and pixels.shape[2] == 3)) or not pixels.size:
        raise DataError(f"{path} has the shape {array.shape}: one image is [H, W] or [H, W, 3]")
    return np.array(pixels, dtype=pixels.dtype.newbyteorder("="), order="C")


def stored_bytes(path: Path) -> int:
    """About how many bytes `stored_pixels` will have, by the header of a file; 0 where it cannot be read."""
    try:
        if path.suffix.lower() == ".npy":
            return mapped(path).nbytes
        with naming(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as opened:
                depth = 2 if opened.mode.startswith("I") else 1
                return opened.width * opened.height * depth * (1 if opened.mode in ("1", "L") or depth > 1 else 3)
    except DataError:
        return 0


def _check(path: Path, opened: ImageFile.ImageFile) -> None:
    """Refuse a picture of which something would be lost."""
    if opened.format not in FORMATS:
        raise DataError(
            f"{path} is stored as {opened.format}, of which nobody here knows whether all bits would be kept: convert "
            "it to PNG or TIFF first"
        )
    frames = getattr(opened, "n_frames", 1)
    if frames > 1:
        raise DataError(f"{path} has {frames} images, of which one would be kept: store each in a file of its own")
    if opened.mode not in MODES and not opened.mode.startswith("I"):
        raise DataError(
            f"{path} has colours of the kind {opened.mode}, which would be changed: convert it to RGB first"
        )
    if opened.format == "TIFF":
        _check_tiff(path, opened)
    for tile in opened.tile:
        # Portable pixmaps are stretched from their own largest value to that of 8 or 16 bits.
        if tile[0] in ("ppm", "ppm_plain") and isinstance(tile[3], tuple) and tile[3][1] not in (255, 65535):
            raise DataError(
                f"{path} has pixels up to {tile[3][1]}, which would be changed: store it with 8 or 16 bits"
            )


def _check_tiff(path: Path, opened: ImageFile.ImageFile) -> None:
    tags: Any = opened.tag_v2  # type: ignore[attr-defined]
    depth, samples, kinds = (
        np.atleast_1d(tags.get(tag, 1)) for tag in (BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, SAMPLE_FORMAT)
    )
    if (kinds != 1).any() and opened.mode != "F":
        raise DataError(f"{path} has pixels that may be negative: store it with 8 or 16 bits without a sign")
    if samples[0] != len(opened.getbands()):
        raise DataError(
            f"{path} has {samples[0]} numbers a pixel, of which some would be lost: store it as RGB or gray"
        )
    most = 16 if opened.mode.startswith("I") else 8
    if depth.max() > most and opened.mode != "F":
        raise DataError(
            f"{path} has {depth.max()} bits a number, of which only {most} would be kept: store it as .npy of uint16"
        )
