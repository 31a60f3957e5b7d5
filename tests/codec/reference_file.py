"""docs/codec.md from the first byte to the last, in Python's whole numbers: another program that reads the files."""

import hashlib
import struct
import zlib
from typing import Any

from tests.codec.reference import Pixels, decode_tile

from ride.codec.integer import IntegerModel


def read_file(model: IntegerModel, data: bytes) -> list[list[Any]]:
    """The pixels of a file: numbers, or lists of red, green and blue."""
    magic, version, depth, channels, places, rows, columns, side, digest = struct.unpack_from("<8sBBBBIII8s", data)
    assert (magic, version) == (bytes.fromhex("89524944450D0A1A"), 1)
    tiles = [(i, j) for i in range(0, rows, side) for j in range(0, columns, side)]
    b = places or depth
    planes = channels * (1 if b == 8 else 2)
    place = 32
    table = [struct.unpack_from("<BIII", data, place + 13 * k) for k in range(planes * len(tiles))]
    place += 13 * len(table)
    levels = list(range(2**depth))
    if places:
        (size,) = struct.unpack_from("<I", data, place)
        bits = zlib.decompress(data[place + 4 : place + 4 + size])
        levels = [8 * j + k for j in range(8192) for k in range(8) if bits[j] >> k & 1]
        place += 4 + size
    assert struct.unpack_from("<I", data, place)[0] == zlib.crc32(data[:place])
    place += 4
    found = [[[0] * columns for _ in range(rows)] for _ in range(planes)]
    for number, (way, size, crc, pixel_crc) in enumerate(table):
        stream = data[place : place + size]
        place += size
        assert zlib.crc32(stream) == crc
        top, left = tiles[number % len(tiles)]
        height, width = min(side, rows - top), min(side, columns - left)
        plane = number // len(tiles)
        own, before = model, []
        if way % 16 >= 5:
            way -= 2
        elif planes == 3 and model.colours:
            own = [model, *model.colours][plane]
            before = [[row[left : left + width] for row in earlier[top : top + height]] for earlier in found[:plane]]
        tile = read_tile(own, way, stream, height, width, before)
        assert zlib.crc32(bytes(value for row in tile for value in row)) == pixel_crc
        if way % 16 >= 3:
            whole = model.digest
            if planes == 3 and model.colours:
                whole = hashlib.sha256(b"".join(one.digest for one in (model, *model.colours))).digest()
            assert digest == whole[:8]
        for i in range(height):
            found[plane][top + i][left : left + width] = tile[i]
    assert place == len(data)
    return [
        [pixel([plane[i][j] for plane in found], b, channels, levels) for j in range(columns)] for i in range(rows)
    ]


def pixel(values: list[int], b: int, channels: int, levels: list[int]) -> Any:
    """From the planes to a pixel."""
    if b > 8:
        values = [values[k] << (b - 8) | values[k + 1] for k in range(0, len(values), 2)]
    if channels == 1:
        return levels[values[0]]
    green, red, blue = values
    return [levels[(red + green - 2 ** (b - 1)) % 2**b], levels[green], levels[(blue + green - 2 ** (b - 1)) % 2**b]]


def read_tile(model: IntegerModel, way: int, stream: bytes, rows: int, columns: int, before: list[Pixels]) -> Pixels:
    """A tile of any kind; `before` are the same tiles of the planes that the model is given."""
    turn, kind = divmod(way, 16)
    if kind == 0:
        return [[stream[0]] * columns for _ in range(rows)]
    if kind < 3:
        return plain(stream, kind, rows, columns)
    levels, start = list(range(256)), 1
    if kind == 4:
        levels, start = [8 * j + k for j in range(32) for k in range(8) if stream[1 + j] >> k & 1], 33
    size = (columns, rows) if turn & 4 else (rows, columns)
    tile = decode_tile(model, *size, stream[0], levels, stream[start:], [turned(plane, turn) for plane in before])
    if turn & 2:
        tile = [row[::-1] for row in tile]
    if turn & 1:
        tile = tile[::-1]
    return [list(column) for column in zip(*tile, strict=True)] if turn & 4 else tile


def turned(plane: Pixels, turn: int) -> Pixels:
    """A tile as it was coded."""
    if turn & 4:
        plane = [list(column) for column in zip(*plane, strict=True)]
    if turn & 1:
        plane = plane[::-1]
    return [row[::-1] for row in plane] if turn & 2 else plane


def plain(stream: bytes, kind: int, rows: int, columns: int) -> Pixels:
    """A tile without a model."""
    kept, filtered = stream, 0
    if kind == 2:
        filtered, kept = stream[0], zlib.decompress(stream[1:])
    tile = [list(kept[i * columns : (i + 1) * columns]) for i in range(rows)]
    if filtered & 2:
        for i in range(1, rows):
            tile[i] = [(a + c) % 256 for a, c in zip(tile[i], tile[i - 1], strict=True)]
    if filtered & 1:
        for row in tile:
            for j in range(1, columns):
                row[j] = (row[j] + row[j - 1]) % 256
    return tile
