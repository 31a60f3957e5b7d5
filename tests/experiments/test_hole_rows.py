"""Figure 4 in small: a hole filled in all ways, kept, and the report about them."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ride.experiments import figure4, hole_rows
from ride.experiments.figure4 import TABLE
from ride.experiments.hole_rows import Hole, ModelHoleRow
from ride.experiments.report import write_report
from ride.experiments.reproduce import results, run_rows
from ride.experiments.rows import Setting
from ride.experiments.sources import Source
from ride.experiments.tables import Cell, Table
from ride.models.ride import RIDEConfig
from ride.training import FitConfig, Stage

FIT = FitConfig(stages=(Stage(patch=20, steps=2, rate=1e-3),), batch=2, whitening_pixels=500, mirror=False)
SMALL = RIDEConfig(hidden=3, components=2, scales=2, features=2)
SIDE = 42
"""Of the hole: the autocorrelation needs that much."""


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """One of the plates, in four regions that have room for a small hole."""
    monkeypatch.setattr(hole_rows, "SIDE", SIDE)
    monkeypatch.setattr(hole_rows, "CHAINS", 2)
    draw = np.random.default_rng(0)
    waves = 128 + 80 * np.sin(np.arange(128) / 3) + draw.normal(0, 8, (128, 128))
    (tmp_path / "data").mkdir()
    Image.fromarray(waves.clip(0, 255).astype(np.uint8)).save(tmp_path / "data" / "D104.png")
    source = Source("brodatz", tmp_path / "data", 0)
    return Setting(source, tmp_path / "out", 0, 0.02, torch.device("cpu"), lambda title: nullcontext(None))


def small(monkeypatch: pytest.MonkeyPatch) -> Table:
    """The table with a tiny model."""
    rows = {
        plate: [
            replace(row, model=replace(row.model, model=SMALL, fit=FIT)) if isinstance(row, ModelHoleRow) else row
            for row in ways
        ]
        for plate, ways in figure4.ROWS.items()
    }
    monkeypatch.setattr(figure4, "ROWS", rows)
    lines = [
        replace(line, cells={row.plate: Cell(None, row) for row in ways})
        for line, ways in zip(TABLE.lines, zip(*rows.values(), strict=True), strict=True)
    ]
    return replace(TABLE, lines=tuple(lines))


def test_all_ways_to_fill_it_are_scored_kept_and_reported(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = small(monkeypatch)
    assert not run_rows(table, (), setting)
    found = results(table, setting)
    assert set(found) == {row.key for row in figure4.ROWS["D104"]}
    assert all(result.unit == "dB" and result.count == SIDE**2 for result in found.values())
    chains = found["hole-d104-mean"].notes
    assert 0 <= chains["accepted"] <= 1
    assert 0 <= chains["coverage"] <= 1
    assert found["hole-d104-draw"].notes["block after block, times as long"] > 0
    # Waves are continued by their neighbors better than by anything that does not know them.
    assert found["hole-d104-piece"].notes["spectrum"] < found["hole-d104-biharmonic"].notes["spectrum"]

    # What is there is not done again, and another length is another figure.
    monkeypatch.setattr(hole_rows, "inpaint", None)
    assert not run_rows(table, (), setting)
    assert results(table, replace(setting, length=1.0)).keys() == {
        key for key in found if key.split("-", 2)[2] in ("telea", "navier-stokes", "biharmonic", "piece")
    }

    # What is given has the whole hole, pixels that no chain has moved included.
    deviation = setting.out / "hole-d104-mean" / "std.npy"
    std = np.load(deviation)
    std[30, 30] = 0
    np.save(deviation, std)
    given, truth = (panel.values for panel in figure4._panels(figure4.ROWS["D104"], found, setting)[0][:2])
    assert bool((given[11:53, 11:53] == 1).all())
    assert int((given != truth).sum()) == SIDE**2

    folder = tmp_path / "report"
    folder.mkdir()
    written = write_report(table, "figure4", setting, folder)
    assert {path.name for path in written} == {f"figure4.{end}" for end in ("md", "html", "json", "png")}
    text = (folder / "figure4.md").read_text()
    assert "| D104 | RIDE, a draw |" in text
    assert "block after block, times as long" in text
    with Image.open(folder / "figure4.png") as image:
        assert image.width > image.height

    # The report outlives the pictures of the rows.
    (setting.out / "hole-d104-telea" / "sample.png").unlink()
    write_report(table, "figure4", setting, folder)
    assert "figure4.png" in (folder / "figure4.md").read_text()


def test_the_hole_is_in_the_middle_of_a_region_that_no_model_has_seen(setting: Setting):
    from ride.data import split_regions

    regions = split_regions(setting.source.plate("D104"), 0)
    hole = Hole.of(regions, 0)
    rows, columns = hole.mask.nonzero().T
    for places, length in ((rows, hole.mask.shape[0]), (columns, hole.mask.shape[1])):
        assert abs(int(places.min()) - (length - 1 - int(places.max()))) <= 1
    levels = (hole.image * 256).floor().numpy().astype(np.uint8)
    assert np.array_equal(levels, regions.test.pixels)
    assert not any(np.array_equal(levels, region.pixels) for region in regions.training)


def test_a_perfect_filling_is_perfect(setting: Setting):
    from ride.data import split_regions

    hole = Hole.of(split_regions(setting.source.plate("D104"), 0), 0)
    scores = hole.score(hole.image)
    assert scores.pop("PSNR") == float("inf")
    assert scores.pop("SSIM") == pytest.approx(1.0)
    assert all(distance == 0 for distance in scores.values())
