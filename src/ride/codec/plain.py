"""Coding a tile without a model: as it is, or filtered and deflated, whichever is shorter."""

import zlib

import numpy as np
from numpy.typing import NDArray

from ride.errors import CodecError

Levels = NDArray[np.uint8]
FILTERS = 4
"""No filter; differences from the left; from above; from left + above - above left."""


def deflate(pixels: Levels) -> bytes:
    """The number of a filter, and the zlib stream of what it leaves of the pixels; the shortest of all filters."""
    return min(
        (bytes([kind]) + zlib.compress(_filtered(pixels, kind).tobytes(), 9) for kind in range(FILTERS)), key=len
    )


def inflate(data: bytes, rows: int, columns: int) -> Levels:
    """The inverse of `deflate`, in memory bounded by the tile.

    Raises:
        CodecError: these bytes cannot be from there.
    """
    size = rows * columns
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(data[1:], size + 1)
    except zlib.error as error:
        raise CodecError(f"a tile is damaged: {error}") from error
    if not data or data[0] >= FILTERS or len(raw) != size or not unpack.eof or unpack.unused_data:
        raise CodecError("a tile is damaged: what was deflated does not fill it")
    return _unfiltered(np.frombuffer(raw, np.uint8).reshape(rows, columns), data[0])


def _filtered(pixels: Levels, kind: int) -> Levels:
    """Differences modulo 256; beyond the border is 0."""
    if kind & 1:
        pixels = np.diff(pixels, axis=1, prepend=np.uint8(0))
    if kind & 2:
        pixels = np.diff(pixels, axis=0, prepend=np.uint8(0))
    return pixels


def _unfiltered(pixels: Levels, kind: int) -> Levels:
    if kind & 2:
        pixels = np.cumsum(pixels, axis=0, dtype=np.uint8)
    if kind & 1:
        pixels = np.cumsum(pixels, axis=1, dtype=np.uint8)
    return pixels
