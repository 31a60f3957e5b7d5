"""The charts of a report: the paper's figures against ours, learning curves, and Figure 2."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ride.atomic import replacing
from ride.errors import ConfigError
from ride.experiments.document import Figure
from ride.experiments.results import Result
from ride.experiments.tables import Cell, Table


def draw_charts(table: Table, found: Mapping[str, Result], name: str, folder: Path) -> list[Figure]:
    """Draw what the results allow for, as PNG files whose names begin with `name`.

    Raises:
        ConfigError: matplotlib is not installed.
        OutputError: a file cannot be written.
    """
    drawn = []
    if table.widths:
        _save(_widths(table, found), folder / f"{name}.png")
        caption = "Rate against the width of the causal neighborhood; bars are standard errors over images."
        drawn.append(Figure(f"{name}.png", caption))
    else:
        for key, column in table.columns.items():
            if any(_shown(table, key, cell, found) for _, cell in table.cells(key)):
                file = f"{name}-{key}.png"
                _save(_against_the_paper(table, key, found), folder / file)
                what = "distances" if column.relative else "figures"
                caption = f"the paper's {what} and those measured here; an arrow stands for one far below."
                drawn.append(Figure(file, f"{column.title}: {caption}"))
    curves = {key: found[key] for key, row in table.rows.items() if key in found and row.fitted is None}
    curves = {key: result for key, result in curves.items() if result.curve.training or result.curve.held_out}
    if curves:
        file = f"{name}-curves.png"
        _save(_learning(table, curves), folder / file)
        drawn.append(Figure(file, "Learning curves: training batches (thin) and held-out images or patches (points)."))
    return drawn


def draw_points(path: Path, points: Mapping[str, tuple[float, float]], across: str, up: str) -> None:
    """Draw named points, the horizontal axis logarithmic; less is better on both.

    Raises:
        ConfigError: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    drawing = _figure(6.5, 4.2)
    axes = drawing.subplots()
    axes.set_xscale("log")
    axes.margins(x=0.3, y=0.12)
    for number, (name, (x, y)) in enumerate(points.items()):
        axes.plot([x], [y], "o", color=_color(number, len(points)))
        axes.annotate(name, (x, y), xytext=(7, 4), textcoords="offset points", fontsize=9)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    _save(drawing, path)


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure as Drawing
    except ImportError as error:
        raise ConfigError("a report needs matplotlib: pip install 'ride-density[plots]'") from error
    return Drawing((width, height), dpi=110, layout="constrained")


def _save(drawing: Any, path: Path) -> None:
    with replacing(path) as temporary:
        drawing.savefig(temporary, format="png")


def _printed(table: Table, key: str, cell: Cell) -> float | None:
    """What the paper has: the figure, or its distance to the baseline."""
    return table.paper_distance(key, cell) if table.columns[key].relative else cell.paper


def _shown(table: Table, key: str, cell: Cell, found: Mapping[str, Result]) -> tuple[float, float | None] | None:
    """What was measured: the figure, or its distance to the baseline with the standard error of that."""
    if table.columns[key].relative:
        return table.distance(key, cell, found)
    figure = cell.measured(found)
    # Between images figures vary much more than distances; bars as wide as the whole chart would tell nothing.
    return (figure[0], None) if figure else None


def _against_the_paper(table: Table, key: str, found: Mapping[str, Result]) -> Any:
    """A line for each model: what the paper has, and what was measured, or their distances to the baseline."""
    column = table.columns[key]
    lines = [
        (line.name, _printed(table, key, cell), _shown(table, key, cell, found))
        for line, cell in table.cells(key)
        if cell.compare
    ]
    lines = [(name, printed, figure) for name, printed, figure in lines if printed is not None or figure]
    drawing = _figure(7.5, 1.0 + 0.28 * len(lines))
    axes = drawing.subplots()
    heights = range(len(lines), 0, -1)
    paper = [(line[1], height) for line, height in zip(lines, heights, strict=True) if line[1] is not None]
    ours = [(*line[2], height) for line, height in zip(lines, heights, strict=True) if line[2]]
    if paper:
        axes.plot(*zip(*paper, strict=True), "o", color="0.6", label="paper")
    figures = [value for value, _ in paper]
    # One far below would take the whole scale for itself.
    least = 2 * min(figures) - max(figures) if len(figures) > 1 else -math.inf
    near = [point for point in ours if point[0] >= least]
    x, error, y = ([point[k] or 0.0 for point in near] for k in range(3))
    axes.errorbar(x, y, xerr=error, fmt="D", color="C3", markersize=5, elinewidth=1, label="measured")
    if column.relative:
        # All lines start from the baseline, which has no distance of its own.
        axes.axvline(0, color="0.4", linewidth=0.8)
    axes.margins(x=0.08)
    axes.set_ylim(0.4, len(lines) + 0.6)
    left = axes.get_xlim()[0]
    for value, _, height in (point for point in ours if point[0] < least):
        axes.plot([left], [height], "<", color="C3", clip_on=False)
        axes.annotate(f"{value:.2f}", (left, height), xytext=(7, -3), textcoords="offset points", fontsize=8)
    axes.set_xlim(left=left)
    axes.set_yticks(list(heights), [name for name, _, _ in lines])
    over = f" over {table.rows[column.baseline].name}" if column.relative and column.baseline else ""
    axes.set_xlabel(f"{column.title}{over}, {column.unit} (more is better)")
    axes.grid(axis="both", alpha=0.3)
    axes.legend(loc="best")
    return drawing


def _widths(table: Table, found: Mapping[str, Result]) -> Any:
    """Figure 2: a curve for each kind of model."""
    assert table.widths is not None
    drawing = _figure(6, 4.2)
    axes = drawing.subplots()
    for number, (key, column) in enumerate(table.columns.items()):
        points = []
        for _, cell in table.cells(key):
            if cell.row and cell.row.key in found:
                result = found[cell.row.key]
                points.append((table.widths[cell.row.key], result.value, result.stderr or 0.0))
        if points:
            x, y, error = zip(*sorted(points), strict=True)
            axes.errorbar(x, y, error, fmt="o-", capsize=3, color=f"C{number}", label=column.title)
    axes.set_xlabel("width of the causal neighborhood, pixels")
    axes.set_ylabel("log-likelihood rate, bit/px")
    axes.grid(alpha=0.3)
    axes.legend()
    return drawing


def _color(number: int, of: int) -> str | tuple[float, ...]:
    """One of so many colors that can be told apart: with more than ten in pairs of a dark and a light one."""
    from matplotlib import colormaps

    return f"C{number}" if of <= 10 else colormaps["tab20"](number % 20)


def _learning(table: Table, found: Mapping[str, Result]) -> Any:
    """The curves of all rows, of patches beside those of images, in units of the full range."""
    kinds = [of for of in ("patches", "pixels") if any(result.of == of for result in found.values())]
    drawing = _figure(9.0 * len(kinds), 4.5)
    for of, axes in zip(kinds, drawing.subplots(1, len(kinds), squeeze=False)[0], strict=True):
        scale = 1 / math.log(2) if of == "pixels" else 1.0
        floor = math.inf
        shown = {key: result for key, result in found.items() if result.of == of}
        for number, (key, result) in enumerate(shown.items()):
            curve, color = result.curve, _color(number, len(shown))
            if curve.training:
                x, y = zip(*curve.training, strict=True)
                axes.plot(x, [scale * value for value in y], color=color, linewidth=0.6, alpha=0.7)
            x, y = zip(*(curve.held_out or curve.training[-1:]), strict=True)
            points = [scale * value for value in y]
            axes.plot(x, points, "o-", color=color, markersize=4, label=table.rows[key].name)
            floor = min([floor, *points, *(scale * value for _, value in curve.training[len(curve.training) // 5 :])])
        # The first steps start from far below, and would take the whole scale for themselves.
        axes.set_ylim(bottom=floor)
        axes.set_xlabel("minutes of training")
        unit = "bit/px" if of == "pixels" else "nat per patch"
        axes.set_ylabel(f"log-likelihood, {unit} (of the full range)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)
    return drawing
