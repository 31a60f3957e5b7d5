"""Images that somebody uploads: checked before they are decoded, and told about in a sentence."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ride.app.limits import Limits
from ride.data.files import readers
from ride.data.picture import Picture
from ride.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def read_upload(path: str | Path, limits: Limits) -> tuple[Picture, str]:
    """A gray picture of 8 bits from an uploaded file, and a sentence if only a part of it was taken, else "".

    Raises:
        DataError: the file is empty, too large, no image, or one that the page does not take; it is named without its
            folder, of which a visitor knows nothing.
    """
    path = Path(path)
    _check(path, limits)
    try:
        (read,) = readers(path, 1)
        picture = replace(read(), name=path.name)
    except DataError as error:
        raise DataError(str(error).replace(str(path), path.name)) from error
    if picture.levels != 256:
        raise DataError(f"{path.name} does not have 8 bits a pixel: convert it to an 8-bit image first")
    return middle(picture, limits)


def middle(picture: Picture, limits: Limits) -> tuple[Picture, str]:
    """The picture, or what is in the middle of it and a sentence that says so.

    Raises:
        DataError: it is too small.
    """
    height, width = picture.pixels.shape[:2]
    if min(height, width) < limits.least:
        least = f"{limits.least} x {limits.least}"
        raise DataError(f"{picture.name} is {height} x {width} pixels, too small: give an image of at least {least}")
    rows, columns = min(height, limits.side), min(width, limits.side)
    if (rows, columns) == (height, width):
        return picture, ""
    top, left = (height - rows) // 2, (width - columns) // 2
    pixels = np.ascontiguousarray(picture.pixels[top : top + rows, left : left + columns])
    said = f"{picture.name} is {height} x {width} pixels: the {rows} x {columns} in its middle were taken."
    return Picture(picture.name, pixels, picture.levels), said


def _check(path: Path, limits: Limits) -> None:
    """Refuse by size and header what must not be decoded."""
    name, size = path.name, path.stat().st_size
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{name} is no image that the page takes: give one of {', '.join(SUFFIXES)}")
    if not size:
        raise DataError(f"{name} is empty: the file has no bytes")
    if size > limits.upload_bytes:
        most = limits.upload_bytes / 2**20
        raise DataError(f"{name} has {size / 2**20:.4g} MB, and the page takes {most:g} at most: make it smaller")
    try:
        with warnings.catch_warnings():
            # The limit here is below that of Pillow, which warns first.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                width, height = image.size
                deep = image.mode == "F" or image.mode.startswith("I")
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not an image, whatever its name says, or it is damaged") from error
    except Image.DecompressionBombError as error:
        raise DataError(_too_many(name, limits)) from error
    except Exception as error:  # Decoders raise anything when a header is damaged.
        raise DataError(f"{name} cannot be read: it is damaged, or no image") from error
    if width * height > limits.upload_pixels:
        raise DataError(_too_many(name, limits))
    if deep:
        raise DataError(f"{name} has more than 8 bits a pixel: convert it to an 8-bit image first")


def _too_many(name: str, limits: Limits) -> str:
    return f"{name} claims more than {limits.upload_pixels / 1e6:g} million pixels: cut it or make it smaller"
