"""The bytes around the tiles: header, table of tiles, checksums. docs/codec.md describes them for other programs."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from math import ceil

import numpy as np

from ride.codec.plain import unpacked
from ride.codec.planes import ALL, Layout
from ride.codec.turns import TURNS
from ride.errors import CodecError

MAGIC = b"\x89RIDE\r\n\x1a"
"""Not text, and altered by whatever takes it for text."""
VERSION = 1
HEADER = struct.Struct("<8sBBBBIII8s")
"""Magic, version, bits of a channel, channels, bits of a place in the list of levels (0 where there is none), rows,
columns, side of a tile, digest of the model."""
ENTRY = struct.Struct("<BIII")
"""Kind of a tile and, from bit 4 on, its turn; its bytes, CRC-32 of the bytes and of the pixels."""
TURN_BIT = 4
CHECKSUM = struct.Struct("<I")
LISTED = struct.Struct("<I")
"""Bytes of the list of levels."""
SIDES = (16, 1024)
"""The least and the largest side of a tile."""
DEFAULT_SIDE = 512
LARGEST_SIDE = 2**31 - 1
NO_MODEL = bytes(8)


class Kind(IntEnum):
    """How a tile is coded; alone is by the model of the first plane, where others are given some."""

    CONSTANT = 0
    RAW = 1
    DEFLATED = 2
    MODEL = 3
    MODEL_OF_LEVELS = 4
    ALONE = 5
    ALONE_OF_LEVELS = 6

    @property
    def way(self) -> "Kind":
        """The kind without the question by which model."""
        return Kind(self - 2) if self >= Kind.ALONE else self

    @property
    def alone(self) -> "Kind":
        """The same by the model of the first plane."""
        return Kind(self + 2) if Kind.MODEL <= self < Kind.ALONE else self


@dataclass(frozen=True)
class Entry:
    """A tile in the table: its kind, the bytes of its stream, CRC-32 of these and of its pixels row by row.

    `turn` says how it was turned before it was coded, see `ride.codec.turns`; its pixels are counted as they were.
    """

    kind: Kind
    size: int
    stream_crc: int
    pixel_crc: int
    turn: int = 0


@dataclass(frozen=True)
class Info:
    """What a compressed file says of itself.

    Args:
        rows, columns: of the image.
        side: of a tile; those at the right and lower border may be smaller.
        depth: bits of a channel.
        channels: of a pixel.
        model: the first 8 bytes of the digest of the model; zeros where no tile needs one.
        tiles: plane after plane, in raster order.
        listed: a zlib stream of a bit for each level of 16 bits that occurs, where pixels are places among these.
    """

    rows: int
    columns: int
    side: int
    depth: int
    channels: int
    model: bytes
    tiles: tuple[Entry, ...]
    listed: bytes = b""

    @cached_property
    def layout(self) -> Layout:
        """How pixels become planes.

        Raises:
            CodecError: the list of levels is damaged.
        """
        if not self.listed:
            return Layout(self.channels, self.depth)
        bits = np.frombuffer(unpacked(self.listed, ALL // 8), np.uint8)
        levels = np.flatnonzero(np.unpackbits(bits, bitorder="little")).astype(np.uint16)
        if not len(levels):
            raise CodecError("the file is damaged: it lists no level")
        return Layout(self.channels, self.depth, levels)

    @property
    def planes(self) -> int:
        """How many planes of bytes there are."""
        return self.layout.planes

    @property
    def start(self) -> int:
        """Where the streams begin."""
        lists = LISTED.size + len(self.listed) if self.listed else 0
        return HEADER.size + len(self.tiles) * ENTRY.size + lists + CHECKSUM.size


def boxes(rows: int, columns: int, side: int) -> Iterator[tuple[slice, slice]]:
    """The tiles of an image in raster order."""
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            yield slice(top, min(top + side, rows)), slice(left, min(left + side, columns))


def join(info: Info, streams: list[bytes]) -> bytes:
    """The whole file."""
    entries = ((tile.kind | tile.turn << TURN_BIT, tile.size, tile.stream_crc, tile.pixel_crc) for tile in info.tiles)
    table = b"".join(ENTRY.pack(*entry) for entry in entries)
    if info.listed:
        table += LISTED.pack(len(info.listed)) + info.listed
    places = info.layout.bits if info.listed else 0
    size = info.rows, info.columns, info.side
    head = HEADER.pack(MAGIC, VERSION, info.depth, info.channels, places, *size, info.model) + table
    return b"".join([head, CHECKSUM.pack(zlib.crc32(head)), *streams])


def parse(data: bytes, most_pixels: int | None) -> Info:
    """Header and table of a compressed file, nothing of which is believed before its checksum is seen to fit.

    Raises:
        CodecError: the bytes are no such file, of a later version, damaged, or claim more pixels than `most_pixels`,
            where that is not None.
    """
    if not data.startswith(MAGIC):
        raise CodecError("this is no image that ride has compressed")
    if len(data) < HEADER.size:
        raise CodecError("the file is truncated within its header")
    _, version, depth, channels, places, rows, columns, side, model = HEADER.unpack_from(data)
    if version != VERSION:
        raise CodecError(f"the file has version {version} and this version of ride reads {VERSION}: update ride")
    if not (1 <= rows <= LARGEST_SIDE and 1 <= columns <= LARGEST_SIDE and SIDES[0] <= side <= SIDES[1]):
        raise CodecError(f"the file is damaged: it claims {rows} x {columns} pixels in tiles of {side}")
    if depth not in (8, 16) or channels not in (1, 3) or (places and not (depth == 16 and 8 <= places < 16)):
        raise CodecError(
            f"the file claims {channels} channels of {depth} bits, which this version of ride cannot read"
        )
    planes = channels * _bytes(depth, places)
    # In Python's integers, before anything of that size is made.
    if most_pixels is not None and rows * columns * planes > most_pixels:
        raise CodecError(
            f"the file claims {rows} x {columns} pixels, in all channels more than the {most_pixels:,} allowed: "
            "allow more (most_pixels, --most-pixels in the shell) if you trust it"
        )
    count = planes * ceil(rows / side) * ceil(columns / side)
    end = HEADER.size + count * ENTRY.size
    lists = b""
    if places and len(data) >= end + LISTED.size:
        start = end + LISTED.size
        end = start + LISTED.unpack_from(data, end)[0]
        lists = data[start:end]
    if len(data) < end + CHECKSUM.size:
        raise CodecError(f"the file is truncated within the table of its {count} tiles, or its header is damaged")
    if CHECKSUM.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise CodecError("the file is damaged: its header does not match its checksum")
    tiles = tuple(_entry(*ENTRY.unpack_from(data, HEADER.size + k * ENTRY.size)) for k in range(count))
    info = Info(rows, columns, side, depth, channels, model, tiles, lists)
    if places and info.layout.bits != places:
        raise CodecError("the file is damaged: its list of levels has another length")
    return info


def claimed_bytes(head: bytes) -> int:
    """How many pixels all planes claim to have, by the beginning of a file, to show progress; nothing is checked."""
    if len(head) < HEADER.size:
        return 0
    _, _, depth, channels, places, rows, columns, _, _ = HEADER.unpack_from(head)
    return int(rows * columns * channels * _bytes(depth, places))


def most_bytes(head: bytes) -> int:
    """How long a whole file can be at most, by its beginning: as long as with all tiles raw."""
    if len(head) < HEADER.size:
        return len(head)
    _, _, depth, channels, places, rows, columns, side, _ = HEADER.unpack_from(head)
    planes = channels * _bytes(depth, places)
    tiles = planes * ceil(rows / max(1, side)) * ceil(columns / max(1, side))
    # A list of levels is shorter than twice its bits.
    lists = LISTED.size + 2 * ALL // 8 if places else 0
    return int(HEADER.size + tiles * ENTRY.size + lists + CHECKSUM.size + rows * columns * planes)


def _bytes(depth: int, places: int) -> int:
    """Planes of a channel."""
    return depth // 8 if places == 0 else 1 if places == 8 else 2


def _entry(way: int, size: int, stream_crc: int, pixel_crc: int) -> Entry:
    turn, kind = divmod(way, 1 << TURN_BIT)
    if kind not in list(Kind) or turn >= (TURNS if kind >= Kind.MODEL else 1):
        raise CodecError(f"the file has a tile of kind {way}, which this version of ride cannot read")
    return Entry(Kind(kind), size, stream_crc, pixel_crc, turn)
