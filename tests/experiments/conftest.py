"""A table with models so small that its rows are run in a moment, and images for it."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ride.experiments.image_rows import ImageRow
from ride.experiments.rows import Setting
from ride.experiments.sources import Source
from ride.experiments.tables import Column, Table, single
from ride.models.ride import RIDEConfig
from ride.training import FitConfig, Stage

TINY = RIDEConfig(hidden=3, components=2, scales=2, features=2)
FIT = FitConfig(stages=(Stage(patch=8, steps=2, rate=1e-3),), batch=2, whitening_pixels=500, valid_tile=8)
MCGSM = ImageRow("MCGSM", "mcgsm", model=replace(TINY, layers=0), fit=FIT)
RIDE = ImageRow("RIDE", "ride", model=TINY, fit=FIT, tile=12)


def tiny(**changes) -> Table:
    """The table, but for these changes."""
    lines = (
        single("rate", 1.25, MCGSM),
        single("rate", 1.5, RIDE),
        single("rate", None, RIDE.ensembled()),
    )
    table = Table("A tiny table", "bsds300", {"rate": Column("rate", "bit/px", "mcgsm")}, lines, ("A remark.",))
    return replace(table, **changes)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images; one of the training images is held out, as 20 of BSDS300 are."""
    monkeypatch.setattr(Source, "held_out", 1)
    draw = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 2)):
        (tmp_path / "data" / part).mkdir(parents=True)
        for k in range(count):
            pixels = draw.integers(0, 256, (16, 18), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / part / f"{k}.png")
    return tmp_path / "data"


def setting(data: Path | None, out: Path, **changes) -> Setting:
    """Where the rows of the tiny table are run."""
    made = Setting(
        Source("bsds300", data, changes.get("seed", 0)),
        out,
        0,
        1.0,
        torch.device("cpu"),
        lambda title: nullcontext(None),
    )
    return replace(made, **changes)
