"""Reading images from files: pictures of 8 and 16 bits, raw van Hateren images and arrays."""

import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ride.data.picture import Picture
from ride.errors import DataError

ARRAYS = {".npy", ".npz"}
VAN_HATEREN = ".iml"
VAN_HATEREN_SHAPE = (1024, 1536)
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray: ITU-R BT.601."""

Reader = Callable[[], Picture]


def readable(path: Path) -> bool:
    """Whether the suffix of a file is that of an image."""
    suffix = path.suffix.lower()
    return suffix in ARRAYS or suffix == VAN_HATEREN or suffix in Image.registered_extensions()


def readers(path: Path, channels: int) -> Iterator[Reader]:
    """One function for each image in a file, an array of many images included, that reads it when called.

    With one channel, colour becomes gray (luma of ITU-R BT.601) and is rounded to 8 bits where it had 8. Pictures
    are turned upright as their EXIF data say. Of animations and documents the first page is read.

    Raises:
        DataError: the file cannot be read or its pixels do not fit; it is named.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        yield from _of_array(str(path), partial(_load, path), channels)
    elif suffix == ".npz":
        with _naming(path), np.load(path, allow_pickle=False) as members:
            names = list(members.files)
        for name in names:
            yield from _of_array(f"{path}[{name}]", partial(_load, path, name), channels)
    elif suffix == VAN_HATEREN:
        yield lambda: _fitted(str(path), _van_hateren(path), channels)
    else:
        yield lambda: _fitted(str(path), _decode(path), channels)


class _naming:
    """Turns what libraries raise about a file into a DataError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, DataError) or not isinstance(error, Exception):
            return
        path = self.path
        if isinstance(error, FileNotFoundError):
            raise DataError(f"there is no file {path}") from error
        if isinstance(error, PermissionError | IsADirectoryError):
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
            raise DataError(
                f"{path} claims more pixels than {Image.MAX_IMAGE_PIXELS:,}; cut it, or store it as .npy"
            ) from error
        if isinstance(
            error, OSError | ValueError | SyntaxError | EOFError | struct.error | zipfile.BadZipFile | KeyError
        ):
            empty = path.is_file() and path.stat().st_size == 0
            why = "the file is empty" if empty else f"it is damaged, truncated or no image ({_first_line(error)})"
            raise DataError(f"cannot read {path}: {why}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _decode(path: Path) -> NDArray[np.generic]:
    """The pixels of a picture [H, W] or [H, W, 3]: uint8, uint16 or float32."""
    with _naming(path), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as opened:
            if any(";16" in str(tile.args) for tile in opened.tile) and opened.mode.startswith("RGB"):
                raise DataError(f"{path} has 16 bits in each of its colours, of which 8 would be lost; use .npy")
            image = ImageOps.exif_transpose(opened)
        if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
            image = image.convert("RGBA")
            if image.getchannel("A").getextrema() != (255, 255):
                raise DataError(f"{path} has transparent pixels; flatten it onto a background first")
            image = image.convert("RGB")
        if image.mode.startswith("I"):
            wide = np.asarray(image)
            if wide.min() < 0 or wide.max() > 65535:
                raise DataError(f"{path} has integers outside 0 to 65535; store it with 8 or 16 bits")
            return wide.astype(np.uint16)
        if image.mode == "F":
            return np.asarray(image, dtype=np.float32)
        if image.mode in ("1", "L"):
            return np.asarray(image.convert("L"))
        return np.asarray(image.convert("RGB"))


def _van_hateren(path: Path) -> NDArray[np.generic]:
    """A raw image of the van Hateren collection: 1024 x 1536 unsigned 16-bit big-endian integers."""
    with _naming(path):
        content = path.read_bytes()
    wanted = 2 * VAN_HATEREN_SHAPE[0] * VAN_HATEREN_SHAPE[1]
    if len(content) != wanted:
        raise DataError(f"cannot read {path}: an .iml image has {wanted:,} bytes, this file {len(content):,}")
    return np.frombuffer(content, dtype=">u2").reshape(VAN_HATEREN_SHAPE).astype(np.uint16)


def _load(path: Path, member: str | None = None) -> NDArray[np.generic]:
    array: NDArray[np.generic]
    with _naming(path):
        if member is None:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            with np.load(path, allow_pickle=False) as members:
                array = members[member]
    return array


def _of_array(name: str, load: Callable[[], NDArray[np.generic]], channels: int) -> Iterator[Reader]:
    """Readers of an array with one image, [H, W(, M)], or with many, [B, H, W(, M)]."""
    array = load()
    coloured = array.ndim > 2 and array.shape[-1] in (1, 3, channels)
    images = array.ndim - coloured
    if images == 2:
        yield lambda: _fitted(name, load(), channels)
    elif images == 3:
        for index in range(len(array)):
            yield partial(_of_many, name, load, index, channels)
    else:
        raise DataError(f"{name} has the shape {array.shape}; images are [H, W], [B, H, W], [H, W, M] or [B, H, W, M]")


def _of_many(name: str, load: Callable[[], NDArray[np.generic]], index: int, channels: int) -> Picture:
    return _fitted(f"{name}[{index}]", load()[index], channels)


def _fitted(name: str, pixels: NDArray[np.generic], channels: int) -> Picture:
    """The picture with so many channels; a copy, so that the file is not needed any more."""
    levels = {"uint8": 256, "uint16": 65536}.get(pixels.dtype.name)
    if levels is None:
        if pixels.dtype.kind != "f":
            raise DataError(f"{name} has {pixels.dtype} pixels; use uint8, uint16, or floats from 0 to 1")
        pixels = pixels.astype(np.float32)
    # Checks that there is an image, that it is finite and in its range.
    picture = Picture(name, np.array(pixels), levels)
    pixels = picture.pixels
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    found = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1 and found == 3:
        gray = pixels @ np.array(LUMA)
        pixels = gray.clip(0, 1).astype(np.float32) if levels is None else np.rint(gray).astype(pixels.dtype)
    elif found != channels:
        raise DataError(f"{name} has {found} channels where {channels} are needed")
    return Picture(name, np.ascontiguousarray(pixels), levels)
