"""Images drawn from the models of a table, beside one that they were trained for."""

from collections.abc import Mapping
from pathlib import Path

from ride.data import dequantize, seeded
from ride.experiments.document import Figure
from ride.experiments.image_rows import ImageRow
from ride.experiments.pictures import Panel, draw
from ride.experiments.results import Result
from ride.experiments.rows import Setting
from ride.experiments.tables import Table
from ride.models.files import load

SIDE = 256
"""Of the samples in pixels, as in the paper's Figure 3."""
COLUMNS = 4


def draw_samples(table: Table, found: Mapping[str, Result], setting: Setting, name: str, folder: Path) -> list[Figure]:
    """Draw a sample of each model of large images into one picture; none where there is no such model.

    Raises:
        ConfigError: matplotlib is not installed.
        OutputError: the picture cannot be written.
    """
    rows = [row for key, row in table.rows.items() if key in found and isinstance(row, ImageRow) and not row.fitted]
    if not rows or table.widths:
        return []
    test = dequantize(setting.source.test()[0], seeded(setting.seed, 0))
    panels = [Panel("a test image", test[:SIDE, :SIDE])]
    for row in rows:
        model = load(setting.out / found[row.key].run).to(setting.device)
        with setting.bars(f"{row.name}: drawing") as progress:
            image = model.sample(SIDE, SIDE, seed=setting.seed, progress=progress)[0]
        panels.append(Panel(row.name, image))
    file = f"{name}-samples.png"
    draw(folder / file, [panels[k : k + COLUMNS] for k in range(0, len(panels), COLUMNS)])
    caption = f"A crop of a test image, and {SIDE} x {SIDE} pixels drawn from each model (seed {setting.seed})."
    return [Figure(file, caption)]
