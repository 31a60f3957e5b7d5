"""Tiles that are coded together: where their pixels lie, in which order they come, what continues their borders."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ride.codec import scales
from ride.models.neighborhood import Neighborhood

Index = NDArray[np.int64]
UNIT = 2.0 ** (scales.STATE_BITS - 8)
MIDDLE = 128


class Shape(NamedTuple):
    """Rows and columns of a tile, and the level that continues it above."""

    rows: int
    columns: int
    above: int


class Step(NamedTuple):
    """The pixels of all tiles with the same t = j + (r + 1) i, tile after tile, from top to bottom.

    Args:
        t: of all of them.
        row: of each pixel, counting the rows of all tiles; a row of nothing lies above the first of each.
        place: of each pixel in the sheet.
        tile: of each pixel.
        end: 1 for the first pixel of a row, plus 2 for the last; 0 where no row follows.
    """

    t: int
    row: Index
    place: Index
    tile: Index
    end: Index


class Sheet:
    """The pixels of tiles one below the other, in units of the model, with borders that continue them.

    A tile is continued above by a level of its own; to the left and to the right a row is continued by the first and
    the last pixel of the row above it. So everything a pixel is predicted from is known before it. Planes that are
    given are continued by their nearest pixels.
    """

    def __init__(self, shapes: Sequence[Shape], neighborhood: Neighborhood) -> None:
        self.shapes, self.radius = shapes, neighborhood.radius
        self.slope, self.lead = self.radius + 1, max(self.radius, 1)
        self.width = max(shape.columns for shape in shapes) + 2 * self.radius
        self.offsets = np.array([di * self.width + dj for di, dj in neighborhood.offsets], np.int64)
        self.given_offsets = np.array([di * self.width + dj for di, dj in neighborhood.given_offsets], np.int64)
        self.nearest = np.arange(1, self.radius + 1)
        heights = np.array([shape.rows for shape in shapes])
        self.first_line = np.concatenate([[0], np.cumsum(heights + self.lead)]).tolist()
        self.first_row = np.concatenate([[0], np.cumsum(heights + 1)]).tolist()
        self.pixels = np.zeros((self.first_line[-1], self.width))
        self.flat = self.pixels.reshape(-1)
        self.given = [np.zeros_like(self.pixels) for _ in range(neighborhood.given)]
        for shape, line in zip(shapes, self.first_line, strict=False):
            self.pixels[line : line + self.lead + 1] = (shape.above - MIDDLE) * UNIT
        self._order()

    @property
    def rows(self) -> int:
        """Rows of all tiles, with one of nothing above each."""
        return int(self.first_row[-1])

    def _order(self) -> None:
        """Sort the pixels of all tiles by step, then tile, then row."""
        parts: list[list[Index]] = []
        for number, shape in enumerate(self.shapes):
            i, j = np.divmod(np.arange(shape.rows * shape.columns), shape.columns)
            place = (i + self.lead + self.first_line[number]) * self.width + j + self.radius
            end = np.where(i + 1 < shape.rows, (j == 0) * 1 + (j == shape.columns - 1) * 2, 0)
            parts.append([j + self.slope * i, i + 1 + self.first_row[number], place, np.full_like(i, number), end])
        time, *data = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.lexsort((data[0], time))
        self.row, self.place, self.tile, self.end = (part[order] for part in data)
        # Tiles narrower than the slope have no pixels for some t.
        self.times, counts = np.unique(time, return_counts=True)
        self.bounds = [0, *np.cumsum(counts).tolist()]
        self.most = int(counts.max())

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.times)

    def cut(self, number: int) -> slice:
        """Where the pixels of a step lie among all pixels in order."""
        return slice(self.bounds[number], self.bounds[number + 1])

    def by_tile(self) -> Iterator[tuple[Index, list[int]]]:
        """For each tile the places of its pixels among all in order, and how many each of its steps has."""
        step = np.repeat(np.arange(len(self)), np.diff(self.bounds))
        sizes = [shape.rows * shape.columns for shape in self.shapes]
        for own in np.split(np.argsort(self.tile, kind="stable"), np.cumsum(sizes)[:-1]):
            yield own, np.unique(step[own], return_counts=True)[1].tolist()

    def step(self, number: int) -> Step:
        """The pixels of a step."""
        cut = self.cut(number)
        return Step(int(self.times[number]), self.row[cut], self.place[cut], self.tile[cut], self.end[cut])

    def inputs(self, step: Step) -> NDArray[np.float64]:
        """The neighborhoods [P, D] of the pixels of a step."""
        near = [self.flat[step.place[:, None] + self.offsets]]
        near += [plane.reshape(-1)[step.place[:, None] + self.given_offsets] for plane in self.given]
        return near[0] if len(near) == 1 else np.concatenate(near, axis=1)

    def put(self, step: Step, levels: Index) -> None:
        """Write the pixels of a step, and what they continue."""
        values = (levels - MIDDLE) * UNIT
        self.flat[step.place] = values
        if not step.end.any():
            return
        for bit, direction in ((1, -1), (2, 1)):
            at = np.flatnonzero(step.end & bit)
            beside = step.place[at, None] + self.width + direction * self.nearest
            self.flat[beside] = values[at, None]

    def tile_pixels(self, number: int) -> NDArray[np.float64]:
        """A view of the pixels [rows, columns] of a tile."""
        shape, line = self.shapes[number], self.first_line[number] + self.lead
        return self.pixels[line : line + shape.rows, self.radius : self.radius + shape.columns]

    def fill(self, number: int, levels: NDArray[np.uint8]) -> None:
        """Write all pixels of a tile, and what continues them."""
        line, r, (rows, columns, _) = self.first_line[number] + self.lead, self.radius, self.shapes[number]
        own = self.tile_pixels(number)
        own[:] = (levels.astype(np.float64) - MIDDLE) * UNIT
        below = self.pixels[line + 1 : line + rows]
        below[:, :r] = own[:-1, :1]
        below[:, r + columns : columns + 2 * r] = own[:-1, -1:]

    def give(self, number: int, planes: Sequence[NDArray[np.uint8]]) -> None:
        """Write the planes that are given to a tile."""
        line, r, (rows, columns, _) = self.first_line[number] + self.lead, self.radius, self.shapes[number]
        for own, levels in zip(self.given, planes, strict=True):
            values = (levels.astype(np.float64) - MIDDLE) * UNIT
            own[line - r : line + rows, : columns + 2 * r] = np.pad(values, ((r, 0), (r, r)), "edge")

    def at(self, place: Index) -> Index:
        """The levels of pixels."""
        return (self.flat[place] / UNIT).astype(np.int64) + MIDDLE

    def levels(self, number: int) -> NDArray[np.uint8]:
        """The pixels of a tile as levels."""
        return (self.tile_pixels(number) / UNIT + MIDDLE).astype(np.uint8)
