"""The report of a table: the paper's figures and ours, and all that stands behind each of ours."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ride.atomic import write_bytes
from ride.errors import OutputError
from ride.experiments import charts, document
from ride.experiments.document import Block, Figure, Grid, Heading, Paragraph, Points
from ride.experiments.reproduce import results
from ride.experiments.results import Result, write_record
from ride.experiments.rows import Setting
from ride.experiments.samples import draw_samples
from ride.experiments.tables import Cell, Table, between
from ride.wording import counted


def table_text(table: Table, found: Mapping[str, Result], measured_only: bool = False) -> str:
    """The table as Markdown, with the paper's figures beside what was measured; see `grid`."""
    return document.markdown([grid(table, found, measured_only)]).strip()


def write_report(table: Table, name: str, setting: Setting, folder: Path) -> list[Path]:
    """Write NAME.md, NAME.html, their pictures and NAME.json, the results themselves, into a folder.

    Args:
        table: what the report is about.
        name: of its files.
        setting: where the results lie.
        folder: is there.

    Returns: the files written.

    Raises:
        ConfigError: matplotlib, which draws the pictures, is not installed.
        OutputError: a file cannot be written.
    """
    found = results(table, setting)
    shown: list[Block] = [*(table.show(table, found, setting, name, folder) if table.show else ())]
    if not table.show:
        shown += charts.draw_charts(table, found, name, folder)
        shown += draw_samples(table, found, setting, name, folder)
    command = reproduce_command(name, table, found, setting)
    notes = [*table.notes, *setting.source.remarks()]
    if setting.length != 1:
        notes.insert(0, f"**A trial.** All fits have {setting.length:g} times the steps that are stated below.")
    blocks = _blocks(table, found, command, shown, notes)
    written = [folder / f"{name}.md", folder / f"{name}.html"]
    try:
        texts = document.markdown(blocks), document.page(table.title, blocks, folder)
    except OSError as error:
        raise OutputError(f"cannot read a picture of the report back: {error}") from error
    for path, text in zip(written, texts, strict=True):
        write_bytes(path, text.encode())
    record = folder / f"{name}.json"
    # Rows of another version of the table are not lost.
    others = {key: result for key, result in setting.known.items() if key not in table.rows}
    write_record(record, {**found, **others})
    samples = sorted(folder.glob(f"{name}-sample-*.png"))
    return [*written, record, *(folder / block.file for block in shown if isinstance(block, Figure)), *samples]


def write_known(table: Table, name: str, setting: Setting, folder: Path) -> None:
    """`write_report` of what is there; nothing where nothing is."""
    if results(table, setting):
        write_report(table, name, setting, folder)


def grid(table: Table, found: Mapping[str, Result], measured_only: bool = False) -> Grid:
    """The paper's table with our figures beside its own; with `measured_only` without lines that have none of ours."""
    head = [table.lead]
    for key, column in table.columns.items():
        if _in_paper(table, key):
            head += [f"{column.title}, paper [{column.unit}]", f"measured [{column.unit}]"]
        else:
            head.append(f"{column.title} [{column.unit}]")
        head += [f"over {table.rows[baseline].name}" for baseline in (column.baseline, *column.also) if baseline]
    rows = []
    for line in table.lines:
        if measured_only and not any(cell.row and cell.row.key in found for cell in line.cells.values()):
            continue
        cells = [line.name]
        for key in table.columns:
            # Without figures of the paper there is no place for them.
            cells += _cells(table, key, line.cells.get(key, Cell()), found)[0 if _in_paper(table, key) else 1 :]
        rows.append(cells)
    return Grid(head, rows)


def _in_paper(table: Table, column: str) -> bool:
    return any(cell.paper is not None for _, cell in table.cells(column))


def _cells(table: Table, key: str, cell: Cell, found: Mapping[str, Result]) -> list[str]:
    """What the paper has, what was measured, and the distance to the baseline where there is one."""
    column = table.columns[key]
    digits = column.digits if cell.digits is None else cell.digits
    figure = cell.measured(found)
    paper = "-" if cell.paper is None else f"{cell.paper:.{digits}f}"
    if figure is None:
        measured = "paper only" if cell.paper is not None else "-"
    else:
        measured = with_error(f"{figure[0]:.{digits}f}", figure[1], digits)
    cells = [paper, measured]
    if column.baseline:
        cells.append(_apart(table.distance(key, cell, found), table.paper_distance(key, cell), digits))
    return cells + [_apart(between(cell, other, found), None, digits) for other in column.also]


def _apart(measured: tuple[float, float | None] | None, printed: float | None, digits: int) -> str:
    """A measured distance, and the paper's in parentheses."""
    texts = [with_error(f"{measured[0]:+.{digits}f}", measured[1], digits)] if measured else []
    texts += [] if printed is None else [f"(paper {printed:+.{digits}f})"]
    return " ".join(texts) or "-"


def with_error(figure: str, error: float | None, digits: int = 3) -> str:
    """A figure and its standard error, where it has one."""
    return figure if error is None else f"{figure} ± {error:.{digits}f}"


def reproduce_command(name: str, table: Table, found: Mapping[str, Result], setting: Setting) -> str:
    """What to type for the figures that were found, anywhere: the images' folder is the reader's own."""
    words = ["ride", "reproduce", name]
    if table.source != "deadleaves":
        words += ["--data", table.source.upper()]
    if len(found) < len(table.rows):
        words += ["--rows", *found]
    if setting.length != 1.0:
        words += ["--length", str(setting.length)]
    if setting.seed:
        words += ["--seed", str(setting.seed)]
    return shlex.join(words)


def _blocks(
    table: Table, found: Mapping[str, Result], command: str, shown: list[Block], notes: Sequence[str]
) -> list[Block]:
    """All of the report in order."""
    blocks: list[Block] = [
        Heading(table.title, 1),
        Paragraph(
            f"Written by `{command}` from results on disk. `±` is the standard error over {table.parts}. A distance "
            "between two models is the mean over the same ones, not always the same pixels of them, with the "
            "standard error of the differences one by one, which is much smaller: what makes an image hard for one "
            "model makes it hard for the other. In parentheses stands the distance in the paper. Minutes are those "
            "of a clock, on a machine that may have had other work. `paper only` is a figure of the paper that was "
            "not reproduced, or not yet; `-` one that is not there."
        ),
        grid(table, found),
        *shown,
        Heading("How it was made, and what differs from the paper"),
        Points(notes),
        Heading("Behind each figure"),
        _behind(table, found),
    ]
    remarks = _remarks(found)
    if remarks and not table.show:
        blocks += [Heading("Further figures", 3), Points(remarks)]
    return blocks


def _behind(table: Table, found: Mapping[str, Result]) -> Grid:
    """Where each figure comes from."""
    head = ["row", "figure", "scored", "on", "seed", "training", "scoring", "memory", "device", "versions", "settings"]
    rows = []
    for key, result in found.items():
        rows.append(
            [
                f"`{key}`",
                with_error(f"{result.value:.4f} {result.unit}", result.stderr, 4),
                result.scored,
                f"{result.count:,} {result.of} of {_parts(table, result)}",
                str(result.seed),
                _minutes(result.training_seconds),
                _minutes(result.scoring_seconds),
                f"{result.memory_gib:.1f} GiB",
                f"{result.device}, {result.machine}",
                ", ".join(f"{name} {number}" for name, number in result.versions.items()),
                f"`{result.identity}`",
            ]
        )
    return Grid(head, rows)


def _parts(table: Table, result: Result) -> str:
    """So many images, or what else errors are taken over."""
    plural, *more = table.parts.removeprefix("test ").split(" ")
    return " ".join([counted(len(result.images), plural.removesuffix("s")), *more])


def _remarks(found: Mapping[str, Result]) -> list[str]:
    """The notes of the rows in words."""
    remarks = []
    for key, result in found.items():
        for name, value in result.notes.items():
            remarks.append(f"`{key}`: {name} {value:.4g}")
    return remarks


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
