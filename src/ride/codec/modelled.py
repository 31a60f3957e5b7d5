"""Coding tiles under an integer model, many at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ride.codec import native
from ride.codec.ans import Stack
from ride.codec.integer import IntegerModel, Integers
from ride.codec.scales import LEVEL_BITS, TOTAL_BITS
from ride.codec.sheet import Shape, Sheet, Step
from ride.codec.states import Mixture, States
from ride.errors import CodecError
from ride.progress import Progress
from ride.threads import check

TOTAL = 2**TOTAL_BITS
SYMBOLS = 256
Levels = NDArray[np.uint8]


class Plan(NamedTuple):
    """A tile to be coded: its shape, the levels that its pixels may have, ascending, and the planes it is given."""

    shape: Shape
    levels: Levels
    given: tuple[Levels, ...] = ()


class Alphabets:
    """The levels of each tile as symbols 0 to K - 1, and the edges between them in units of 2^-8 of a level.

    Where levels are missing, an edge lies halfway between two that are not.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.size = np.array([len(plan.levels) for plan in plans], np.int64)
        self.level = np.zeros((len(plans), SYMBOLS), np.int64)
        self.symbol = np.zeros((len(plans), SYMBOLS), np.int64)
        self.edge = np.zeros((len(plans), SYMBOLS + 1), np.int64)
        for number, plan in enumerate(plans):
            levels = plan.levels.astype(np.int64)
            self.level[number, : len(levels)] = levels
            self.symbol[number, levels] = np.arange(len(levels))
            self.edge[number, 1 : len(levels)] = (levels[1:] + levels[:-1] + 1) << (LEVEL_BITS - 1)

    def intervals(self, mixture: Mixture, symbol: Integers, tile: Integers) -> tuple[Integers, Integers]:
        """Where the intervals of symbols begin and end, in units of 2^-24."""
        if mixture.compiled:
            _, begin, end = self._compiled(mixture, None, symbol, tile)
            return begin, end
        return self.below(mixture, symbol, tile, slice(None)), self.below(mixture, symbol + 1, tile, slice(None))

    def below(self, mixture: Mixture, symbol: Integers, tile: Integers, at: Integers | slice) -> Integers:
        """Where the interval of a symbol begins, in units of 2^-24; K stands for the end. Every symbol has a unit."""
        size = self.size[tile]
        inside = (mixture.cumulative(self.edge[tile, symbol], at) * (TOTAL - size) >> TOTAL_BITS) + symbol
        return np.where(symbol == 0, 0, np.where(symbol == size, TOTAL, inside))

    def find(self, mixture: Mixture, points: Integers, tile: Integers) -> tuple[Integers, Integers, Integers]:
        """The symbols whose intervals hold these points, and where the intervals begin and end."""
        if mixture.compiled:
            return self._compiled(mixture, points, np.empty_like(points), tile)
        low, high = np.zeros_like(points), self.size[tile]
        begin, end = np.zeros_like(points), np.full_like(points, TOTAL)
        open_ = np.flatnonzero(high - low > 1)
        while len(open_):
            middle = (low[open_] + high[open_]) // 2
            value = self.below(mixture, middle, tile[open_], open_)
            under = value <= points[open_]
            down, up = open_[under], open_[~under]
            low[down], begin[down] = middle[under], value[under]
            high[up], end[up] = middle[~under], value[~under]
            open_ = open_[high[open_] - low[open_] > 1]
        return low, begin, end

    def _compiled(
        self, mixture: Mixture, points: Integers | None, symbol: Integers, tile: Integers
    ) -> tuple[Integers, Integers, Integers]:
        begin, end = np.empty_like(symbol), np.empty_like(symbol)
        native.intervals(
            *(points, symbol, begin, end, tile, self.size, self.edge),
            *(mixture.means, mixture.inverse, mixture.weights, mixture.total, mixture.ready.normal),
            *(np.empty(3 * mixture.inverse.size), mixture.ready.normal_middle, len(mixture.ready.normal)),
            *(len(symbol), *mixture.inverse.shape, mixture.means.strides[0] // 8, self.edge.shape[1]),
        )
        return symbol, begin, end


class Intervals(NamedTuple):
    """Where the intervals of the pixels of a tile begin, how wide they are, and how many pixels each step has."""

    begins: Integers
    widths: Integers
    counts: list[int]

    @property
    def bits(self) -> float:
        """What the probabilities imply: the stream has a little more."""
        return float((TOTAL_BITS - np.log2(self.widths)).sum())

    def to_bytes(self) -> bytes:
        """The stream."""
        stack, end = Stack(), len(self.begins)
        begin, width = self.begins.tolist(), self.widths.tolist()
        for count in reversed(self.counts):
            sizes = width[end - count : end]
            offsets = stack.pop_offsets(sizes)
            stack.push_points([low + offset for low, offset in zip(begin[end - count : end], offsets, strict=True)])
            end -= count
        return stack.to_bytes()


def encode_tiles(
    model: IntegerModel, tiles: Sequence[Levels], plans: Sequence[Plan], progress: Progress | None = None
) -> list[bytes]:
    """The streams of tiles; each holds only levels of its plan."""
    return [intervals.to_bytes() for intervals in find_intervals(model, tiles, plans, progress)]


def find_intervals(
    model: IntegerModel, tiles: Sequence[Levels], plans: Sequence[Plan], progress: Progress | None = None
) -> list[Intervals]:
    """What the streams of tiles are made from; each tile holds only levels of its plan."""
    sheet = _sheet(model, plans)
    for number, tile in enumerate(tiles):
        sheet.fill(number, tile)
    states, alphabets = States(model, sheet), Alphabets(plans)
    begins, ends = np.empty(len(sheet.place), np.int64), np.empty(len(sheet.place), np.int64)
    values = sheet.at(sheet.place)
    symbols = alphabets.symbol[sheet.tile, values]
    for number in range(len(sheet)):
        step, mixture = _visit(model, sheet, states, number)
        cut = sheet.cut(number)
        begins[cut], ends[cut] = alphabets.intervals(mixture, symbols[cut], step.tile)
        if progress:
            progress(number + 1, len(sheet))
    return [Intervals(begins[own], ends[own] - begins[own], counts) for own, counts in sheet.by_tile()]


def decode_tiles(
    model: IntegerModel, plans: Sequence[Plan], streams: Sequence[bytes], progress: Progress | None = None
) -> list[Levels | None]:
    """The pixels of tiles; None for one whose stream does not end where its pixels do."""
    sheet = _sheet(model, plans)
    states, alphabets = States(model, sheet), Alphabets(plans)
    stacks: list[Stack | None] = []
    for stream in streams:
        try:
            stacks.append(Stack.from_bytes(stream))
        except CodecError:
            stacks.append(None)
    for number in range(len(sheet)):
        step, mixture = _visit(model, sheet, states, number)
        parts = _parts(step)
        points: list[int] = []
        for tile, _, count in parts:
            stack = stacks[tile]
            points += stack.pop_points(count) if stack else [0] * count
        point = np.array(points, np.int64)
        symbol, begin, end = alphabets.find(mixture, point, step.tile)
        sheet.put(step, alphabets.level[step.tile, symbol])
        offsets, sizes = (point - begin).tolist(), (end - begin).tolist()
        for tile, start, count in parts:
            if stack := stacks[tile]:
                stack.push_offsets(offsets[start : start + count], sizes[start : start + count])
        if progress:
            progress(number + 1, len(sheet))
    return [sheet.levels(number) if stack and stack.empty else None for number, stack in enumerate(stacks)]


def _sheet(model: IntegerModel, plans: Sequence[Plan]) -> Sheet:
    """The sheet of tiles, with what they are given."""
    sheet = Sheet([plan.shape for plan in plans], model.neighborhood)
    for number, plan in enumerate(plans):
        sheet.give(number, plan.given)
    return sheet


def _visit(model: IntegerModel, sheet: Sheet, states: States, number: int) -> tuple[Step, Mixture]:
    check()
    step = sheet.step(number)
    x = sheet.inputs(step)
    return step, Mixture(model, x, states.advance(step, x))


def _parts(step: Step) -> list[tuple[int, int, int]]:
    """For each tile in a step its number, its first pixel and how many there are."""
    starts = np.flatnonzero(np.diff(step.tile, prepend=-1))
    counts = np.diff(starts, append=len(step.tile))
    return list(zip(step.tile[starts].tolist(), starts.tolist(), counts.tolist(), strict=True))
