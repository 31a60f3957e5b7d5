"""Lossless codecs that people can install, for images of 8 bits in gray or colour: how many bytes each needs."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ride.errors import ConfigError

Pixels = NDArray[np.uint8]
NAMES = ("png", "webp", "jpeg2000", "jpeg-ls", "jpeg-xl-7", "jpeg-xl-9")


class Codec(NamedTuple):
    """A way from pixels [H, W] or [H, W, 3] of uint8 to bytes, and from these and the number of channels back."""

    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes, int], Pixels]


def codec(name: str) -> Codec:
    """A codec by name, see `NAMES`; each at or near its smallest, JPEG XL by effort.

    PNG and WebP are Pillow's, JPEG 2000 and JPEG-LS those of `imagecodecs`, JPEG XL that of `pillow-jxl-plugin`,
    which makes smaller files than `imagecodecs` does. JPEG-LS has no transform of colours: green is taken from red and
    blue before it, as the others do of themselves in their ways; PNG has none and gets none.

    Raises:
        ConfigError: there is no such codec, or the library that has it is not installed.
    """
    if name == "png":
        return _of_pillow("PNG", optimize=True)
    if name == "webp":
        return _of_pillow("WEBP", lossless=True, quality=80, method=6, exact=True)
    if name in ("jpeg-xl-7", "jpeg-xl-9"):
        _needed("pillow_jxl")
        return _of_pillow("JXL", lossless=True, effort=int(name[-1]))
    library = _needed("imagecodecs")
    if name == "jpeg2000":
        return Codec(
            lambda x: bytes(library.jpeg2k_encode(x, level=0, reversible=True)),
            lambda data, channels: library.jpeg2k_decode(data),
        )
    if name == "jpeg-ls":
        return Codec(
            lambda x: bytes(library.jpegls_encode(_without_green(x))),
            lambda data, channels: _with_green(library.jpegls_decode(data)),
        )
    raise ConfigError(f"there is no codec {name!r} here: choose from {', '.join(NAMES)}")


def _without_green(pixels: Pixels) -> Pixels:
    """Red and blue of an image in colour less its green, modulo 256; gray as it is."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = np.moveaxis(pixels, 2, 0)
    return np.stack([red - green + np.uint8(128), green, blue - green + np.uint8(128)], axis=2)


def _with_green(pixels: Pixels) -> Pixels:
    """The inverse of `_without_green`."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = np.moveaxis(pixels, 2, 0)
    return np.stack([red + green - np.uint8(128), green, blue + green - np.uint8(128)], axis=2)


def _of_pillow(kind: str, **options: Any) -> Codec:
    def encode(pixels: Pixels) -> bytes:
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, kind, **options)
        return written.getvalue()

    def decode(data: bytes, channels: int) -> Pixels:
        with Image.open(io.BytesIO(data)) as image:
            # WebP has colour only.
            return np.asarray(image.convert("L" if channels == 1 else "RGB"))

    return Codec(encode, decode)


def _needed(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"this codec needs {name}: pip install 'ride-density[bench]'") from error
