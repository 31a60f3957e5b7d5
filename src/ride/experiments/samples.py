"""Images drawn from the models of a table, beside one that they were trained for."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ride.atomic import replacing
from ride.data import dequantize, seeded
from ride.errors import RunawayError
from ride.experiments.document import Block, Figure, Paragraph
from ride.experiments.image_files import write_image
from ride.experiments.image_rows import ImageRow
from ride.experiments.pictures import Panel, draw
from ride.experiments.results import Result
from ride.experiments.rows import Setting
from ride.experiments.tables import Table
from ride.models.files import RUN_MODEL, load

SIDE = 256
"""Of the samples in pixels, as in the paper's Figure 3."""
COLUMNS = 4
SAMPLE = "sample.png"
"""In the run directory."""


def draw_samples(table: Table, found: Mapping[str, Result], setting: Setting, name: str, folder: Path) -> list[Block]:
    """Draw a sample of each model of large images into a picture of its own, and all into one; none without models.

    A sample that was drawn after its model was written lies beside it and is not drawn anew. Of a model that is no
    longer there, or has made way for another, the picture of an earlier report is shown, if it is. A model that runs
    away has none, which is said.

    Raises:
        ConfigError: matplotlib is not installed.
        OutputError: a picture cannot be written.
    """
    rows = [row for key, row in table.rows.items() if key in found and isinstance(row, ImageRow) and not row.fitted]
    if table.widths:
        return []
    panels, runaways = [], []
    for row in rows:
        picture = folder / f"{name}-sample-{row.key}.png"
        run = setting.out / found[row.key].run
        if Result.read(row.file(setting)) == found[row.key] and (run / RUN_MODEL).exists():
            try:
                with replacing(picture) as temporary:
                    shutil.copyfile(_sample(row, run, setting), temporary)
            except RunawayError:
                runaways.append(row.name)
                picture.unlink(missing_ok=True)
        if picture.exists():
            panels.append(Panel(row.name, _read(picture)))
    said: list[Block] = [
        Paragraph(f"No sample of {lost}: what it draws becomes NaN or infinite.") for lost in runaways
    ]
    if not panels:
        return said
    test = dequantize(setting.source.test()[0], seeded(setting.seed, 0))
    panels = [Panel("a test image", test[:SIDE, :SIDE]), *panels]
    file = f"{name}-samples.png"
    draw(folder / file, [panels[k : k + COLUMNS] for k in range(0, len(panels), COLUMNS)])
    caption = f"A crop of a test image, and {SIDE} x {SIDE} pixels drawn from each model (seed {setting.seed})."
    return [Figure(file, caption), *said]


def _sample(row: ImageRow, run: Path, setting: Setting) -> Path:
    """The sample of the model in a run directory."""
    file, model = run / SAMPLE, run / RUN_MODEL
    if not file.exists() or file.stat().st_mtime < model.stat().st_mtime:
        with setting.bars(f"{row.name}: drawing") as progress:
            drawn = load(run).to(setting.device).sample(SIDE, SIDE, seed=setting.seed, progress=progress)
        write_image(file, drawn[0])
    return file


def _read(path: Path) -> Tensor:
    """A gray picture of 8 bits, in units of the full range."""
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image, dtype=np.float32) / 256)
