"""What a table of the paper looks like: lines of figures, each with the row that measures it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ride.experiments.rows import Row
from ride.experiments.sources import Kind


@dataclass(frozen=True)
class Cell:
    """One figure of the paper, and how it is measured here.

    Args:
        paper: the figure in the paper; None for a model that the paper does not have.
        row: what measures it; None for a figure of the paper that was not reproduced.
        note: name of a note of the row's result that is the figure; None for the result itself.
    """

    paper: float | None = None
    row: Row | None = None
    note: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of a table: a name, and a cell for each column that has a figure."""

    name: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Column:
    """One column of figures.

    Args:
        title: as in the paper.
        unit: of the figures: bit/px or nat.
        baseline: key of the row that the others are compared with, image by image; None for no comparison.
        digits: after the point.
    """

    title: str
    unit: str
    baseline: str | None = None
    digits: int = 3


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
    """

    title: str
    source: Kind
    columns: dict[str, Column]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    widths: dict[str, int] | None = None

    @property
    def rows(self) -> dict[str, Row]:
        """All that can be run, by key."""
        return {row.key: row for line in self.lines for cell in line.cells.values() if (row := cell.row)}

    def cells(self, column: str) -> Iterator[tuple[Line, Cell]]:
        """The lines that have a figure in a column, with it."""
        for line in self.lines:
            if column in line.cells:
                yield line, line.cells[column]


def single(column: str, paper: float | None, row: Row) -> Line:
    """A line with one figure, called as its row is."""
    return Line(row.name, {column: Cell(paper, row)})
