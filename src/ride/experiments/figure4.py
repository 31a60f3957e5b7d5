"""Figure 4: a hole in a texture, filled by draws from the posterior of RIDE."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ride.experiments.document import Block, Figure, Grid, Heading, Paragraph
from ride.experiments.figure3 import spatial
from ride.experiments.hole_rows import (
    CHAINS,
    DEVIATION,
    LEVEL,
    SIDE,
    STEPS,
    SWEEPS,
    TRUTH,
    ClassicalRow,
    HoleRow,
    MaximumRow,
    PieceRow,
    PosteriorRow,
    middle,
)
from ride.experiments.pictures import Panel, draw
from ride.experiments.results import Result
from ride.experiments.rows import Setting
from ride.experiments.tables import Cell, Column, Line, Table
from ride.experiments.texture_rows import SAMPLE

PLATES = ("D104", "D106", "D12", "D22")
"""One with sharp edges, one with strong periods, one without either, and one with scales."""
SPEED = ("minutes of all chains", "minutes of one chain", "block after block, times as long")
CERTAINTY = ("accepted", "effective draws", "coverage")


def rows_of(plate: str) -> list[HoleRow]:
    """All ways to fill the hole, in the order of the lines."""
    small, model = plate.lower(), spatial(plate)
    return [
        PosteriorRow("RIDE, a draw", f"hole-{small}-draw", plate=plate, model=model, mean=False),
        PosteriorRow("RIDE, posterior mean", f"hole-{small}-mean", plate=plate, model=model, mean=True),
        MaximumRow("RIDE, most probable", f"hole-{small}-map", plate=plate, model=model),
        ClassicalRow("Telea", f"hole-{small}-telea", plate=plate, method="telea"),
        ClassicalRow("Navier-Stokes", f"hole-{small}-navier-stokes", plate=plate, method="navier-stokes"),
        ClassicalRow("biharmonic", f"hole-{small}-biharmonic", plate=plate, method="biharmonic"),
        PieceRow("another piece of the texture", f"hole-{small}-piece", plate=plate),
    ]


ROWS = {plate: rows_of(plate) for plate in PLATES}


def show(table: Table, found: Mapping[str, Result], setting: Setting, name: str, folder: Path) -> list[Block]:
    """The pictures, the statistics, and what the chains say of themselves.

    Raises:
        ConfigError: matplotlib, which draws the pictures, is not installed.
        OutputError: a picture cannot be written.
    """
    blocks: list[Block] = []
    shown = [rows for rows in ROWS.values() if any(row.key in found for row in rows)]
    panels = [_panels(rows, found, setting) for rows in shown]
    path = folder / f"{name}.png"
    if panels and all(panels):
        draw(path, [line for pair in panels for line in pair])
    if path.exists():
        blocks.append(Figure(path.name, "The hole and what fills it; the deviation is that of the posterior."))
    names = ["SSIM", "marginal", "spectrum", "autocorrelation", "7 x 7 patches"]
    lines = [
        [row.plate, row.name, *(f"{found[row.key].notes[note]:.4f}" for note in names)]
        for rows in shown
        for row in rows
        if row.key in found
    ]
    if lines:
        blocks += [Heading("Near the truth, and like it"), Paragraph(STATISTICS), Grid(["texture", "", *names], lines)]
    chains = [_chains(plate, rows, found) for plate, rows in ROWS.items() if all(r.key in found for r in rows[:2])]
    if chains:
        head = ["texture", *CERTAINTY, *SPEED]
        blocks += [Heading("The chains"), Paragraph(CHAIN_TEXT), Grid(head, chains)]
    return blocks


def _chains(plate: str, rows: list[HoleRow], found: Mapping[str, Result]) -> list[str]:
    pace, sure = found[rows[0].key].notes, found[rows[1].key].notes
    certainty = [f"{sure['accepted']:.3f}", f"{sure['effective draws']:.0f}", f"{sure['coverage']:.3f}"]
    return [plate, *certainty, *(f"{pace[name]:.1f}" for name in SPEED)]


def _panels(rows: list[HoleRow], found: Mapping[str, Result], setting: Setting) -> list[list[Panel]]:
    """What is given, the truth, and all ways to fill it, in two lines; none where the files are not there."""
    files = {row.key: setting.out / row.key / SAMPLE for row in rows if row.key in found}
    deviation = setting.out / rows[1].key / DEVIATION
    truth = setting.out / rows[0].key / TRUTH
    if not all(file.exists() for file in (*files.values(), deviation, truth)):
        return []
    original, std = _image(truth), torch.from_numpy(np.load(deviation))
    # Of a pixel that no chain has moved the deviation is 0, and it is missing all the same.
    given = original.masked_fill(middle(*original.shape), 1.0)
    first = [Panel(f"{rows[0].plate}, given", given), Panel("original", original)]
    ways = [Panel(row.name, _image(files[row.key])) for row in rows if row.key in files]
    return [[*first, *ways[:2], Panel("standard deviation", std, deviation=True)], ways[2:]]


def _image(path: Path) -> Tensor:
    return torch.from_numpy((np.asarray(Image.open(path).convert("L")) + 0.5) / 256)


STATISTICS = (
    f"SSIM is the mean structural similarity over the pixels of the hole, more is better. The others are distances of "
    f"the {SIDE} x {SIDE} pixels in the hole from the true ones, as in Figure 3: less is better. A mean and a smooth "
    "continuation are near the truth pixel by pixel and unlike the texture; a draw is like the texture and elsewhere "
    "than the truth. The last line of each texture says what another piece of it would score."
)
CHAIN_TEXT = (
    f"{CHAINS} chains of {SWEEPS} sweeps, of which the first half is left out. **accepted**: share of proposals. "
    "**effective draws**: of the mean of a pixel, median over the hole. **coverage**: share of true pixels within "
    f"their {100 * LEVEL:.0f} % interval. **minutes** of these sweeps, and of {SWEEPS} sweeps of one chain at the "
    "pace of 3; then how much longer the same sweep takes one block after another, measured right after it in the "
    "same process."
)

TABLE = Table(
    f"Figure 4: a hole of {SIDE} x {SIDE} pixels in textures, filled",
    "brodatz",
    {plate: Column(plate, "dB", digits=2) for plate in PLATES},
    tuple(
        Line(ways[0].name, {row.plate: Cell(None, row) for row in ways}) for ways in zip(*ROWS.values(), strict=True)
    ),
    (
        "**The figures** of the table are peak signal-to-noise ratios over the pixels of the hole, the peak being the "
        "full range. The paper shows one picture and no figures.",
        "**The hole** lies in the middle of the test region of Figure 3, 160 x 160 pixels (127 x 128 for D12), which "
        "the model has not seen. All methods see the region around it, RIDE the texture's other regions before.",
        f"**RIDE** is that of Figure 3. {CHAINS} chains begin with the best of 5 ancestral samples each and make "
        f"{SWEEPS} sweeps of 5 x 5 blocks, each 3 pixels from the one before and judged by the 19 x 19 pixels around "
        "it, without the random flips between sweeps that the paper found to help. The draw is the last one of the "
        "chain that ends with the highest density; the mean is over all chains and the second half of their sweeps. "
        f"The most probable pixels are what {STEPS} steps of gradient ascent find.",
        "**Peers.** Telea and Navier-Stokes of OpenCV with a radius of 3 pixels, the biharmonic equation of "
        "scikit-image.",
    ),
    lead="filled by",
    parts="holes",
    show=show,
)
