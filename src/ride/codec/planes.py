"""Images of several channels or of 16 bits as planes of bytes, each of which is coded like a gray image of 8 bits."""

import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ride.errors import CodecError, DataError

Levels = NDArray[np.uint8]
KINDS = {8: "uint8", 16: "uint16"}
ALL = 2**16
ROWS = 256
"""Rows that are looked through at once for their levels."""


class Layout(NamedTuple):
    """How the pixels of an image become planes.

    Args:
        channels: of a pixel, 1 or 3.
        depth: bits of a channel, 8 or 16.
        levels: those that occur, ascending, where channels of 16 bits are coded as places in this list; or None.
    """

    channels: int
    depth: int
    levels: NDArray[np.uint16] | None = None

    @property
    def bits(self) -> int:
        """Of a channel as it is coded: 8 to 16."""
        return self.depth if self.levels is None else max(8, (len(self.levels) - 1).bit_length())

    @property
    def planes(self) -> int:
        """How many planes of bytes there are."""
        return self.channels * (1 if self.bits == 8 else 2)


def layout_of(image: NDArray[Any]) -> Layout:
    """How an image [H, W] or [H, W, 3] of uint8 or uint16 is best made into planes.

    Many images of 16 bits have fewer levels: of 12 bits, multiplied, or with gaps from a curve that they went through.

    Raises:
        DataError: the image has another shape or type, or no pixels.
    """
    if image.dtype.name not in KINDS.values() or image.ndim not in (2, 3) or image.size == 0:
        raise DataError(
            f"only images of uint8 or uint16 with pixels can be compressed, not {image.dtype}{image.shape}"
        )
    if image.ndim == 3 and image.shape[2] != 3:
        raise DataError(f"only images of 1 or 3 channels can be compressed, not of {image.shape[2]}: store each alone")
    plain = Layout(1 if image.ndim == 2 else 3, 8 * image.dtype.itemsize)
    if plain.depth == 8:
        return plain
    present = np.zeros(ALL, bool)
    for top in range(0, len(image), ROWS):
        present[image[top : top + ROWS]] = True
    few = plain._replace(levels=np.flatnonzero(present).astype(np.uint16))
    # The list has to be worth its bytes.
    saved = image.size * (plain.bits - few.bits) // 16
    return few if few.bits < plain.bits and len(listed(few)) < saved else plain


def listed(layout: Layout) -> bytes:
    """The levels of a layout as a file has them: a zlib stream of a bit for each of 16 bits; empty where none are."""
    if layout.levels is None:
        return b""
    present = np.zeros(ALL, bool)
    present[layout.levels] = True
    return zlib.compress(np.packbits(present, bitorder="little").tobytes(), 9)


def split(image: NDArray[Any], layout: Layout) -> Levels:
    """The planes [P, H, W] of (a part of) an image.

    Of red, green and blue remain green, red - green and blue - green, these modulo 2^bits and with 0 in the middle. A
    channel of more than 8 bits is a plane of its 8 higher bits and then one of the others.
    """
    if layout.levels is not None:
        image = np.searchsorted(layout.levels, image).astype(np.uint16)
    mask, middle, low = _numbers(layout, image.dtype)
    channels = [image]
    if layout.channels == 3:
        red, green, blue = np.moveaxis(image, 2, 0)
        channels = [green, red - green + middle & mask, blue - green + middle & mask]
    if not low:
        return np.stack(channels).astype(np.uint8)
    parts = [plane for channel in channels for plane in (channel >> low, channel & (1 << low) - 1)]
    return np.stack(parts).astype(np.uint8)


def merge(planes: Levels, layout: Layout) -> NDArray[Any]:
    """The inverse of `split`.

    Raises:
        CodecError: the planes cannot be from there.
    """
    kind = np.dtype(KINDS[layout.depth])
    mask, middle, low = _numbers(layout, kind)
    parts = planes.astype(kind)
    if low:
        if (parts[1::2] >> low).any():
            raise CodecError("a plane of lower bits has more of them")
        parts = parts[::2] << low | parts[1::2]
    image = parts[0]
    if layout.channels == 3:
        green, red, blue = parts
        image = np.stack([red + green - middle & mask, green, blue + green - middle & mask], axis=2)
    if layout.levels is None:
        return image
    if image.max() >= len(layout.levels):
        raise CodecError("a pixel has a place beyond the list of levels")
    return layout.levels[image]


def _numbers(layout: Layout, kind: np.dtype[Any]) -> tuple[Any, Any, int]:
    """All bits, the middle, and how many bits are lower ones."""
    return kind.type((1 << layout.bits) - 1), kind.type(1 << (layout.bits - 1)), layout.bits - 8
