"""Coding a tile without a model: as it is, or filtered and deflated, whichever is shorter."""

import zlib

import numpy as np
from numpy.typing import NDArray

from ride.errors import CodecError

Levels = NDArray[np.uint8]
FILTERS = 4
"""No filter; differences from the left; from above; from left + above - above left."""


def deflate(pixels: Levels) -> bytes:
    """The number of a filter, and the zlib stream of what it leaves of the pixels; the shortest of all filters.

    In noise of few levels, such as the lower bits of 12, matches cost more than the levels alone: a stream without any
    is tried too.
    """
    streams = [bytes([kind]) + zlib.compress(_filtered(pixels, kind).tobytes(), 9) for kind in range(FILTERS)]
    packer = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    return min(*streams, bytes([0]) + packer.compress(pixels.tobytes()) + packer.flush(), key=len)


def inflate(data: bytes, rows: int, columns: int) -> Levels:
    """The inverse of `deflate`, in memory bounded by the tile.

    Raises:
        CodecError: these bytes cannot be from there.
    """
    if not data or data[0] >= FILTERS:
        raise CodecError("a tile is damaged: it has an unknown filter")
    raw = unpacked(data[1:], rows * columns)
    return _unfiltered(np.frombuffer(raw, np.uint8).reshape(rows, columns), data[0])


def unpacked(data: bytes, size: int) -> bytes:
    """What a zlib stream holds, in memory bounded by the size that it must have.

    Raises:
        CodecError: it is no such stream, or one of another size.
    """
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(data, size + 1)
    except zlib.error as error:
        raise CodecError(f"what was deflated is damaged: {error}") from error
    if len(raw) != size or not unpack.eof or unpack.unused_data:
        raise CodecError("what was deflated is damaged: it has another size")
    return raw


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
