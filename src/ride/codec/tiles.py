"""Coding the tiles of an image, each in the shortest way."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ride.codec.container import Kind
from ride.codec.integer import IntegerModel
from ride.codec.modelled import SYMBOLS, Intervals, Plan, decode_tiles, find_intervals
from ride.codec.plain import deflate, inflate
from ride.codec.sheet import Shape
from ride.codec.turns import turned, turned_back, turned_size
from ride.errors import CodecError
from ride.progress import Progress, part_of

Levels = NDArray[np.uint8]
Size = tuple[int, int]
Given = tuple[Levels, ...]
"""The same tile of the planes that the model knows before."""
GAPS = 8
"""Missing levels between the least and the largest that make a list of those present worth its 32 bytes."""
ALL_LEVELS = np.arange(SYMBOLS).astype(np.uint8)
LIST_BYTES = SYMBOLS // 8


class Coded(NamedTuple):
    """A tile as bytes; `turn` says how it was turned before, see `ride.codec.turns`."""

    kind: Kind
    stream: bytes
    turn: int = 0


def shortest(
    model: IntegerModel,
    tiles: list[Levels],
    given: list[Given],
    progress: Progress | None = None,
    *,
    turns: int = 1,
) -> list[Coded]:
    """Each tile in the shortest way, of those with a model turned in the first so many ways, and what it is given."""
    coded = [without_model(tile) for tile in tiles]
    trying = [k for k, (kind, _, _) in enumerate(coded) if kind != Kind.CONSTANT]
    if not trying:
        return coded
    best: dict[int, tuple[Intervals, Kind, bytes, int]] = {}
    for turn in range(turns):
        seen = [turned(tiles[k], turn) for k in trying]
        heads = [_head(tile) for tile in seen]
        plans = [
            _plan(*head, _size(tile), _turned(given[k], turn))
            for k, tile, head in zip(trying, seen, heads, strict=True)
        ]
        found = find_intervals(model, seen, plans, part_of(progress, turn, turns))
        for k, intervals, (kind, head) in zip(trying, found, heads, strict=True):
            if k not in best or intervals.bits < best[k][0].bits:
                best[k] = intervals, kind, head, turn
    for k, (intervals, kind, head, turn) in best.items():
        modelled = Coded(kind, head + intervals.to_bytes(), turn)
        coded[k] = min(coded[k], modelled, key=lambda one: len(one.stream))
    return coded


def implied(model: IntegerModel, tiles: list[Levels], given: list[Given]) -> list[float]:
    """What the probabilities of a model imply for tiles, in bits."""
    plans = [_plan(*_head(tile), _size(tile), planes) for tile, planes in zip(tiles, given, strict=True)]
    return [intervals.bits for intervals in find_intervals(model, tiles, plans)]


def constant(tile: Levels) -> bool:
    """Whether all pixels have the same level."""
    return bool((tile == tile[0, 0]).all())


def without_model(tile: Levels) -> Coded:
    """A tile in the shortest way that needs no model."""
    if constant(tile):
        return Coded(Kind.CONSTANT, bytes([tile[0, 0]]))
    return min(Coded(Kind.RAW, tile.tobytes()), Coded(Kind.DEFLATED, deflate(tile)), key=lambda one: len(one.stream))


def restored(
    model: IntegerModel | None,
    coded: list[Coded],
    sizes: list[Size],
    given: list[Given],
    progress: Progress | None = None,
) -> list[Levels | CodecError]:
    """The pixels of tiles of so many rows and columns and what each is given, or what is wrong with them."""
    tiles: list[Levels | CodecError] = []
    plans: dict[int, Plan] = {}
    for k, ((kind, stream, turn), size, planes) in enumerate(zip(coded, sizes, given, strict=True)):
        try:
            if kind >= Kind.MODEL:
                plans[k] = _plan(kind, stream, turned_size(size, turn), _turned(planes, turn))
            tiles.append(np.zeros((0, 0), np.uint8) if k in plans else _plain(kind, stream, size))
        except CodecError as error:
            tiles.append(error)
    if plans:
        assert model is not None
        streams = [coded[k].stream[_head_bytes(coded[k].kind) :] for k in plans]
        for k, tile in zip(plans, decode_tiles(model, list(plans.values()), streams, progress), strict=True):
            if tile is None:
                tiles[k] = CodecError("a tile is damaged: its stream does not end with its pixels")
            else:
                tiles[k] = turned_back(tile, coded[k].turn)
    return tiles


def _plain(kind: Kind, stream: bytes, size: Size) -> Levels:
    if kind == Kind.DEFLATED:
        return inflate(stream, *size)
    if len(stream) != (1 if kind == Kind.CONSTANT else size[0] * size[1]):
        raise CodecError("a tile is damaged: it has too many bytes or too few")
    return np.broadcast_to(np.frombuffer(stream, np.uint8).reshape(-1, size[1] if kind == Kind.RAW else 1), size)


def _head(tile: Levels) -> tuple[Kind, bytes]:
    """How a model codes a tile: the level above it and, where it leaves levels out, a bit for each level."""
    present = np.unique(tile)
    above = bytes([tile[0, 0]])
    if int(present[-1]) - int(present[0]) + 1 - len(present) < GAPS:
        return Kind.MODEL, above
    return Kind.MODEL_OF_LEVELS, above + np.packbits(np.isin(ALL_LEVELS, present), bitorder="little").tobytes()


def _head_bytes(kind: Kind) -> int:
    return 1 if kind == Kind.MODEL else 1 + LIST_BYTES


def _plan(kind: Kind, stream: bytes, size: Size, given: Given) -> Plan:
    """What a model has to know about a tile, from the beginning of its stream."""
    if len(stream) < _head_bytes(kind):
        raise CodecError("a tile is damaged: its stream has no beginning")
    levels = ALL_LEVELS
    if kind == Kind.MODEL_OF_LEVELS:
        bits = np.frombuffer(stream[1 : 1 + LIST_BYTES], np.uint8)
        levels = ALL_LEVELS[np.unpackbits(bits, bitorder="little").astype(bool)]
        if not len(levels):
            raise CodecError("a tile is damaged: it lists no level")
    return Plan(Shape(*size, stream[0]), levels, given)


def _turned(given: Given, turn: int) -> Given:
    return tuple(turned(plane, turn) for plane in given)


def _size(tile: Levels) -> Size:
    return tile.shape[0], tile.shape[1]
