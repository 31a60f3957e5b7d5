"""What a table of the paper looks like: lines of figures, each with the row that measures it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ride.evaluation.dc_component import bits_per_pixel
from ride.experiments.document import Block
from ride.experiments.results import Result, comparable, difference
from ride.experiments.rows import Row, Setting
from ride.experiments.sources import Kind


@dataclass(frozen=True)
class Cell:
    """One figure of the paper, and how it is measured here.

    Args:
        paper: the figure in the paper; None for a model that the paper does not have.
        row: what measures it; None for a figure of the paper that was not reproduced.
        dc: row of l_DC: the figure is the rate of whole patches, in bit/px, that the row and this one make together.
        compare: show the distance to the baseline of the column.
        digits: after the point; those of the column unless given.
        over: what this figure is compared with; the baseline of the column unless given.
    """

    paper: float | None = None
    row: Row | None = None
    dc: Row | None = None
    compare: bool = True
    digits: int | None = None
    over: Row | None = None

    def measured(self, found: Mapping[str, Result]) -> tuple[float, float | None] | None:
        """The figure and its standard error, from results by the key of their rows; None where one is not there.

        A rate of whole patches has no error of its own: the two that make it have.
        """
        result = found.get(self.row.key) if self.row else None
        if result is None or self.dc is None:
            return (result.value, result.stderr) if result else None
        mean = found.get(self.dc.key)
        return (bits_per_pixel(result.value, mean.value), None) if mean else None


@dataclass(frozen=True)
class Line:
    """One line of a table: a name, and a cell for each column that has a figure.

    `further` are rows that no column has, for what `Table.show` shows.
    """

    name: str
    cells: dict[str, Cell]
    further: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of figures.

    Args:
        title: as in the paper.
        unit: of the figures: bit/px or nat.
        baseline: key of the row that the others are compared with, image by image; None for no comparison.
        digits: after the point.
        relative: only the distances to the baseline can be compared with the paper's.
        also: keys of further rows that the others are compared with, which the paper does not have.
    """

    title: str
    unit: str
    baseline: str | None = None
    digits: int = 3
    relative: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of the paper, or one in its spirit.

    Args:
        title: what it is about.
        source: the images.
        columns: by a name that the lines use.
        lines: in the paper's order.
        notes: what the reader has to know about how it was made and what differs from the paper; no figures that
            are measured here.
        widths: a figure instead of a table: the width of the neighborhood of each row, by its key.
        lead: what a line is about.
        parts: over which standard errors are taken.
        show: makes the blocks of the report below the table, with pictures in a folder, instead of the charts and
            samples of other tables.
    """

    title: str
    source: Kind
    columns: dict[str, Column]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    widths: dict[str, int] | None = None
    lead: str = "model"
    parts: str = "test images"
    show: "Show | None" = None

    @property
    def rows(self) -> dict[str, Row]:
        """All that can be run, by key."""
        rows = [
            row for line in self.lines for row in (*(cell.row for cell in line.cells.values()), *line.further) if row
        ]
        return {row.key: row for row in rows}

    def baseline(self, column: str, cell: Cell) -> str | None:
        """Key of the row that a figure is compared with; None for the baseline itself and where there is none."""
        key = cell.over.key if cell.over else self.columns[column].baseline
        own = cell.row.key if cell.row else None
        return key if cell.compare and key != own else None

    def paper_distance(self, column: str, cell: Cell) -> float | None:
        """What the paper has over the same baseline; None where it lacks one of the two figures."""
        key = self.baseline(column, cell)
        base = next((other.paper for _, other in self.cells(column) if other.row and other.row.key == key), None)
        return None if key is None or base is None or cell.paper is None else cell.paper - base

    def distance(self, column: str, cell: Cell, found: Mapping[str, Result]) -> tuple[float, float | None] | None:
        """How far a measured figure is above its baseline, and the standard error of that, where both are there and
        about the same images."""
        return between(cell, self.baseline(column, cell), found)

    def cells(self, column: str) -> Iterator[tuple[Line, Cell]]:
        """The lines that have a figure in a column, with it."""
        for line in self.lines:
            if column in line.cells:
                yield line, line.cells[column]


def between(cell: Cell, key: str | None, found: Mapping[str, Result]) -> tuple[float, float | None] | None:
    """How far the figure of a cell is above that of a row, and the standard error of that."""
    result = found.get(cell.row.key) if cell.row else None
    base = found.get(key or "")
    if result is None or base is None or result is base or not comparable(result, base):
        return None
    return difference(result, base)


Show = Callable[[Table, Mapping[str, Result], Setting, str, Path], list[Block]]
"""Makes blocks from results, in a setting, with pictures whose names begin with a name in a folder."""


def single(column: str, paper: float | None, row: Row) -> Line:
    """A line with one figure, called as its row is."""
    return Line(row.name, {column: Cell(paper, row)})
