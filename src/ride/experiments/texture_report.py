"""What the report of textures shows: originals beside samples, and how far these are from each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ride.evaluation.textures import DIRECTIONS, LAGS, PATCH, QUERIES
from ride.experiments.document import Block, Figure, Grid, Heading, Paragraph
from ride.experiments.mosaic import write_mosaic
from ride.experiments.periods import RULE, SURE, conclusions, gap, listed, nearer, signed
from ride.experiments.report import with_error
from ride.experiments.results import Result, difference
from ride.experiments.rows import Row, Setting
from ride.experiments.tables import Line, Table
from ride.experiments.texture import PIECE
from ride.experiments.texture_rows import (
    MANY,
    MANY_ERROR,
    SAMPLE,
    SAMPLES,
    TRIED,
    ModelRow,
    OriginalRow,
    PeerRow,
    TextureRow,
)

STATISTICS = (
    f"Distances of a sample from the texture, less is better, each the mean over the four {PIECE} x {PIECE} pieces in "
    "the corners of the original; in the lines `original` the pieces are compared with each other, which is the noise "
    "of the measure. **marginal**: Wasserstein-1 of single values, in units of the full range. **spectrum**: root "
    "mean square difference of the logarithms (base 10) of radially averaged periodograms under a Hann window. "
    "**autocorrelation**: root mean square difference of the normalised autocorrelations at all lags up to "
    f"{LAGS} pixels in both directions. **patches**: sliced Wasserstein-1 of all {PATCH} x {PATCH} patches in "
    f"{DIRECTIONS} random directions, in units of the full range, at full size and averaged over 2 x 2 and 4 x 4 "
    f"pixels. **nearest patch**: the median distance (root mean square of a pixel) of {QUERIES} patches of {PATCH} x "
    f"{PATCH} to the nearest of the training regions; in the lines `original` those of the test region. Far below "
    "that, a sample would be copied; far above, it has patches that the texture does not have."
)


def show(table: Table, found: Mapping[str, Result], setting: Setting, name: str, folder: Path) -> list[Block]:
    """The blocks between the table of rates and the notes; pictures are written into the folder.

    Raises:
        OutputError: a picture cannot be written.
    """
    plates = [line for line in table.lines if line.further]
    variants = [line for line in table.lines if not line.further]
    blocks: list[Block] = []
    missing = [line.name for line in plates if not _found(line, found) and _lacks(line, setting)]
    if missing:
        blocks.append(Paragraph(f"Not in the folder of textures, and so left out: {', '.join(missing)}."))
    blocks += _verdict(plates, found)
    blocks += _pictures([_in_order(line) for line in plates], found, setting, folder / f"{name}.png", "Figure 3. ")
    lines = [(line.name, row) for line in plates for row in _in_order(line) if row.key in found]
    if lines:
        blocks += [Heading("How far the samples are from the textures"), Paragraph(STATISTICS), _grid(lines, found)]
    blocks += _lengths(lines, found)
    return blocks + _variants(plates, variants, found, setting, name, folder)


def _in_order(line: Line) -> list[TextureRow]:
    """The original, the models and the peer of a texture."""
    rows: list[Row] = [*(cell.row for cell in line.cells.values() if cell.row), *line.further]
    textures = [row for row in rows if isinstance(row, TextureRow)]
    return sorted(textures, key=lambda row: (isinstance(row, PeerRow), not isinstance(row, OriginalRow)))


def _found(line: Line, found: Mapping[str, Result]) -> bool:
    return any(row.key in found for row in _in_order(line))


def _lacks(line: Line, setting: Setting) -> bool:
    return any(row.lacks(setting) for row in _in_order(line))


def _grid(lines: Sequence[tuple[str, TextureRow]], found: Mapping[str, Result]) -> Grid:
    """The statistics of the rows that were run."""
    names = [name for name in found[lines[0][1].key].notes if not name.startswith((MANY, TRIED))]
    rows = [[title, row.name, *(f"{found[row.key].notes[name]:.4f}" for name in names)] for title, row in lines]
    return Grid(["texture", "drawn by", *names], rows)


def _lengths(lines: Sequence[tuple[str, TextureRow]], found: Mapping[str, Result]) -> list[Block]:
    """What the lengths of fits were chosen by, where they were."""
    tried = [
        [title, row.name, note.removeprefix(TRIED).strip(), f"{bits:.3f}"]
        for title, row in lines
        for note, bits in found[row.key].notes.items()
        if note.startswith(TRIED)
    ]
    if not tried:
        return []
    text = (
        "Where a texture has few pixels, one of its training regions, held out from first fits, chooses the length of "
        "the fit: the one with the highest rate on it."
    )
    return [
        Heading("Lengths to choose from"),
        Paragraph(text),
        Grid(["texture", "model", "steps, times", "rate on that region [bit/px]"], tried),
    ]


def _verdict(plates: Sequence[Line], found: Mapping[str, Result]) -> list[Block]:
    """On which textures the second model is above the first, in rate and in autocorrelation."""
    pairs = []
    for line in plates:
        base, better = (cell.row for cell in line.cells.values())
        if base and better and base.key in found and better.key in found:
            pairs.append((line.name, found[base.key], found[better.key]))
    if not pairs:
        return []
    above = [name for name, base, better in pairs if difference(better, base)[0] > 0]
    gaps = {name: gap(better, base) for name, base, better in pairs}
    closer = [name for name, apart in gaps.items() if nearer(apart)]
    farther = [name for name, (apart, error) in gaps.items() if apart > SURE * error]
    cells = [
        [
            name,
            *(with_error(f"{x.notes[MANY]:.4f}", x.notes[MANY_ERROR], 4) for x in (base, better)),
            signed(apart),
        ]
        for (name, base, better), apart in zip(pairs, gaps.values(), strict=True)
    ]
    return [
        Paragraph(
            f"Of {len(pairs)} textures RIDE has the higher held-out rate on {listed(above)}. The autocorrelation of "
            f"its samples is nearer to the original's than that of the MCGSM's on {listed(closer)}, and farther on "
            f"{listed(farther)}, by more than two standard errors, as the means over {SAMPLES} samples each show."
        ),
        Grid(["texture", "distance of the autocorrelation, MCGSM", "RIDE", "RIDE less the MCGSM"], cells),
    ]


def _autocorrelation(result: Result) -> str:
    """Its distance from the texture's: the mean over many samples, where there are many."""
    notes = result.notes
    if MANY in notes:
        return with_error(f"{notes[MANY]:.4f}", notes[MANY_ERROR], 4)
    return f"{notes['autocorrelation']:.4f}"


def _variants(
    plates: Sequence[Line],
    variants: Sequence[Line],
    found: Mapping[str, Result],
    setting: Setting,
    name: str,
    folder: Path,
) -> list[Block]:
    """One texture by several fits: whether the rate rises, and whether the autocorrelation follows."""
    rows = [row for line in variants for row in _in_order(line)]
    # Those of other textures stand in the table of rates.
    rows = [row for row in rows if row.plate == rows[0].plate]
    if not any(row.key in found for row in rows):
        return []
    plate = next(line for line in plates if line.name == rows[0].plate)
    lines = [row for row in [*_in_order(plate), *rows] if row.key in found]
    base, usual = (found.get(cell.row.key) for cell in plate.cells.values() if cell.row)
    cells = []
    for row in lines:
        result = found[row.key]
        rate = result.unit == "bit/px"
        gain = f"{difference(result, base)[0]:+.3f}" if rate and base and result is not base else "-"
        value = f"{result.value:.3f}" if rate else "-"
        cells.append([row.name, value, gain, _autocorrelation(result)])
    head = ["drawn by", "held-out rate [bit/px]", "over MCGSM", "autocorrelation"]
    blocks: list[Block] = [
        Heading("Does the likelihood see periods?"),
        Paragraph(
            "The paper leaves open whether periods are lost because LSTMs are not made for them or because the "
            f"likelihood does not ask for them strongly enough. Here {plate.name} is learned by more steps, by more "
            f"layers and from larger patches. {RULE}"
        ),
        Grid(head, cells),
    ]
    if usual:
        _, own = (cell.row for cell in plate.cells.values())
        alike = {row.name for row in rows if _last_patch(row) == _last_patch(own)}
        blocks += conclusions({row.name: found[row.key] for row in rows if row.key in found}, usual, base, alike)
    chosen = [row for row in lines if not isinstance(row, PeerRow)]
    return blocks + _pictures([chosen], found, setting, folder / f"{name}-periods.png", f"{plate.name}. ")


def _last_patch(row: Row | None) -> int | None:
    """Side of the patches that a model was trained on at last."""
    return row.fit.stages[-1].patch if isinstance(row, ModelRow) else None


def _pictures(
    rows: Sequence[Sequence[TextureRow]], found: Mapping[str, Result], setting: Setting, path: Path, title: str
) -> list[Block]:
    """Samples side by side; where some are no longer there the picture that was drawn before is shown, if it is."""
    shown = [[row for row in line if row.key in found] for line in rows]
    shown = [line for line in shown if line]
    files = {row.key: setting.out / row.key / SAMPLE for line in shown for row in line}
    if not files:
        return []
    if all(file.exists() for file in files.values()):
        mosaic = [[(f"{row.plate}, {row.name}", _read(files[row.key])) for row in line] for line in shown]
        write_mosaic(path, mosaic, few_grays=True)
    if not path.exists():
        return []
    return [Figure(path.name, f"{title}A piece of the original, and samples (seed {setting.seed}).")]


def _read(file: Path) -> NDArray[Any]:
    with Image.open(file) as image:
        return np.asarray(image.convert("L"))
