"""Reading images from files: pictures of 8 and 16 bits, raw van Hateren images and arrays."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ride.data.picture import Picture
from ride.errors import DataError

ARRAYS = {".npy", ".npz"}
VAN_HATEREN = ".iml"
VAN_HATEREN_SHAPE = (1024, 1536)
NOT_DECODED = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats whose suffixes Pillow knows and whose pixels it does not give."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray: ITU-R BT.601."""

Reader = Callable[[], Picture]
Check = Callable[[Path, ImageFile.ImageFile], None]


def readable(path: Path) -> bool:
    """Whether the suffix of a file is that of an image."""
    suffix = path.suffix.lower()
    if suffix in ARRAYS or suffix == VAN_HATEREN:
        return True
    known = Image.registered_extensions().get(suffix)
    return known in Image.OPEN and known not in NOT_DECODED


def readers(path: Path, channels: int) -> Iterator[Reader]:
    """One function for each image in a file, an array of many images included, that reads it when called.

    With one channel, colour becomes gray (luma of ITU-R BT.601) and is rounded to 8 bits where it had 8. Pictures
    are turned upright as their EXIF data say. Of animations and documents the first page is read. An .npy is read
    as far as needed, an .npz is unpacked as a whole.

    Raises:
        DataError: the file cannot be read or its pixels do not fit; it is named.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        yield from _of_array(str(path), partial(mapped, path), channels)
    elif suffix == ".npz":
        for name, array in _unpacked(path).items():
            yield from _of_array(f"{path}[{name}]", partial(np.asarray, array), channels)
    elif suffix == VAN_HATEREN:
        yield lambda: _fitted(str(path), _van_hateren(path), channels)
    else:
        yield lambda: _fitted(str(path), decode(path), channels)


@contextmanager
def naming(path: Path, large: bool = False) -> Iterator[None]:
    """Turn what libraries raise about a file into a `DataError` that names it."""
    try:
        yield
    except (DataError, MemoryError):
        # Want of memory is not the file's fault.
        raise
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow warns of more pixels than that, and refuses twice as many.
        most = (Image.MAX_IMAGE_PIXELS or 0) * (2 if large else 1)
        raise DataError(f"{path} claims more pixels than {most:,}; cut it, or store it as .npy") from error
    except Exception as error:  # Decoders raise anything when a file is damaged.
        if isinstance(error, OSError) and error.errno:
            why = error.strerror
        elif path.stat().st_size == 0:
            why = "the file is empty"
        elif isinstance(error, UnidentifiedImageError):
            why = "it is damaged, truncated or no image"
        else:
            line = (str(error).splitlines() or [type(error).__name__])[0]
            why = f"it is damaged, truncated or no image ({line})"
        raise DataError(f"cannot read {path}: {why}") from error


def decode(path: Path, large: bool = False, check: Check | None = None) -> NDArray[np.generic]:
    """The pixels of a picture, turned upright: [H, W] or [H, W, 3] of uint8, uint16 or float32.

    Args:
        path: the file.
        large: read up to twice as many pixels as `Image.MAX_IMAGE_PIXELS` says.
        check: raises `DataError` for what is not to be read, before it is.

    Raises:
        DataError: the file cannot be read; it is named.
    """
    with naming(path, large), warnings.catch_warnings():
        # Of what is wrong with the metadata only nobody needs to know.
        warnings.simplefilter("ignore")
        if not large:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as opened:
            _check_depth(path, opened)
            if check:
                check(path, opened)
            # In place, for copies of large images are large.
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            image: Image.Image = opened
        wide = image.mode == "F" or image.mode.startswith("I")
        if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
            whole = image.convert("RGBA")
            if wide or whole.getchannel("A").getextrema() != (255, 255):
                raise DataError(f"{path} has transparent pixels; flatten it onto a background first")
            image = image.getchannel(0) if image.mode == "LA" else whole.convert("RGB")
        if image.mode == "F":
            return np.asarray(image, dtype=np.float32)
        if wide:
            integers = np.asarray(image)
            if integers.min() < 0 or integers.max() > 65535:
                raise DataError(f"{path} has integers outside 0 to 65535; store it with 8 or 16 bits")
            return integers.astype(np.uint16)
        mode = "L" if image.mode in ("1", "L") else "RGB"
        return np.asarray(image if image.mode == mode else image.convert(mode))


def _check_depth(path: Path, opened: ImageFile.ImageFile) -> None:
    """Refuse what Pillow would cut down to 8 bits, and integers whose range nobody knows."""
    # BGR;16 has 5, 6 and 5 bits.
    depths = str([tile[3] for tile in opened.tile]).replace("BGR;16", "")
    if not opened.mode.startswith("I") and (";16" in depths or "65535" in depths):
        raise DataError(f"{path} has 16 bits in each of its colours, of which 8 would be lost; use .npy")
    if opened.mode == "I" and ";32" in depths:
        raise DataError(f"{path} has 32-bit integers; store it with 8 or 16 bits")


def _van_hateren(path: Path) -> NDArray[np.generic]:
    """A raw image of the van Hateren collection: 1024 x 1536 unsigned 16-bit big-endian integers."""
    with naming(path):
        content = path.read_bytes()
    wanted = 2 * VAN_HATEREN_SHAPE[0] * VAN_HATEREN_SHAPE[1]
    if len(content) != wanted:
        raise DataError(f"cannot read {path}: an .iml image has {wanted:,} bytes, this file {len(content):,}")
    return np.frombuffer(content, dtype=">u2").reshape(VAN_HATEREN_SHAPE).astype(np.uint16)


def mapped(path: Path) -> NDArray[np.generic]:
    """The array of an .npy, of which what is looked at is read; raises `DataError` where it cannot be."""
    with naming(path):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            array.close()
            raise DataError(f"cannot read {path}: it holds several arrays; name it .npz")
        return array


def _unpacked(path: Path) -> dict[str, NDArray[np.generic]]:
    """All arrays of an .npz."""
    with naming(path), path.open("rb") as file:
        members = np.load(file, allow_pickle=False)
        if isinstance(members, np.ndarray):
            raise DataError(f"cannot read {path}: it holds a single array; name it .npy")
        return dict(members)


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
    if pixels.dtype == bool:
        # A mask: black and white, as in a picture of 1 bit.
        pixels = np.where(pixels, np.uint8(255), np.uint8(0))
    levels = {"uint8": 256, "uint16": 65536}.get(pixels.dtype.name)
    if levels is None and pixels.dtype.kind != "f":
        raise DataError(f"{name} has {pixels.dtype} pixels; use uint8, uint16, or floats from 0 to 1")
    # A number too large for its type becomes infinite, and that is complained about below.
    with np.errstate(over="ignore"):
        pixels = pixels.astype({256: np.uint8, 65536: np.uint16, None: np.float32}[levels])
    # Checks that there is an image, that it is finite and in its range.
    pixels = Picture(name, np.asarray(pixels), levels).pixels
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    found = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1 and found == 3:
        gray = pixels @ np.array(LUMA)
        pixels = gray.clip(0, 1).astype(np.float32) if levels is None else np.rint(gray).astype(pixels.dtype)
    elif found != channels:
        raise DataError(f"{name} has {found} channels where {channels} are needed")
    return Picture(name, np.ascontiguousarray(pixels), levels)
