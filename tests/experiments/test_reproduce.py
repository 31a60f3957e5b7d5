"""Rows of tables: run once, kept on disk, written from there."""

import json
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ride.data import Picture, dequantize, open_pictures, seeded
from ride.errors import ConfigError
from ride.experiments import reproduce
from ride.experiments.reproduce import Reproduction, deviation
from ride.experiments.tables import TABLES, Row, Table
from ride.models.files import load_card
from ride.models.ride import RIDEConfig
from ride.training import FitConfig, Stage, fit

TINY = RIDEConfig(hidden=3, components=2, scales=2, features=2)
FIT = FitConfig(stages=(Stage(patch=8, steps=2, rate=1e-3),), batch=2, whitening_pixels=500, valid_tile=8)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    rows = {
        "mcgsm": Row("MCGSM", 1.25, replace(TINY, layers=0), FIT),
        "ride": Row("RIDE", 1.5, TINY, FIT, tile=12),
        "ride-ensemble": Row("the same, ensemble", None, TINY, FIT, tile=12, ensemble=True, fitted="ride"),
    }
    table = Table("A table", "folder", 1, "mcgsm", rows)
    monkeypatch.setitem(TABLES, "tiny", table)
    return table


@pytest.fixture
def data(tmp_path: Path) -> str:
    draw = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 2)):
        (tmp_path / "data" / part).mkdir(parents=True)
        for k in range(count):
            pixels = draw.integers(0, 256, (16, 18), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / part / f"{k}.png")
    return str(tmp_path / "data")


def work(data: str | None, out: Path, **settings) -> Reproduction:
    settings = {"seed": 0, "length": 1.0, "device": torch.device("cpu"), **settings}
    return Reproduction("tiny", data, out, **settings)


def quiet(title: str):
    return nullcontext(None)


def test_rows_are_fitted_once_and_written_from_disk(table, data: str, tmp_path: Path, monkeypatch):
    out = tmp_path / "out"
    work(data, out).run(["mcgsm", "ride"], quiet)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.json")}
    assert len(before) == 2
    # The ensemble needs no fit of its own, and what is done is not done again.
    fits = []

    def counted(*arguments, **settings):
        fits.append(arguments)
        return fit(*arguments, **settings)

    monkeypatch.setattr(reproduce, "fit", counted)
    work(data, out).run([], quiet)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(fits) == 1
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["mcgsm", "ride"]
    rates = work(data, out).rates()
    assert list(rates) == list(table.rows)
    assert rates["ride-ensemble"].ensemble


def test_the_table_has_the_papers_figures_beside_the_measured_ones(table, data: str, tmp_path: Path):
    job = work(data, tmp_path / "out")
    job.run(["mcgsm", "ride"], quiet)
    lines = job.markdown().splitlines()
    assert len(lines) == 4
    rates = job.rates()
    for line, key, paper in zip(lines[2:], ("mcgsm", "ride"), ("1.250", "1.500"), strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[0] == table.rows[key].name
        assert cells[1] == paper
        assert cells[2].startswith(f"{rates[key].bits_per_pixel:.3f} ± ")
    assert "12 x 12 tiles" in lines[3]


def test_rates_in_units_of_the_standard_deviation(table, data: str, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(TABLES, "tiny", replace(table, unit="deviation"))
    job = work(data, tmp_path / "out")
    job.run(["mcgsm"], quiet)
    row, note = job.markdown().splitlines()[2], job.markdown().splitlines()[-1]
    rate, sigma = job.rates()["mcgsm"].bits_per_pixel, deviation(open_pictures(Path(data) / "train"))
    assert row.split("|")[3].strip().startswith(f"{rate + math.log2(sigma):.3f} ± ")
    assert row.split("|")[5].strip() == f"{rate:.3f}"
    assert f"{sigma:.4f} of the full range" in note


def test_the_deviation_is_that_of_the_dequantised_pixels():
    pixels = np.random.default_rng(0).integers(0, 4, (300, 400), dtype=np.uint8)
    pictures = [Picture("a", pixels[:100], 256), Picture("b", pixels[100:], 256)]
    noisy = torch.cat([dequantize(picture, seeded(k)).flatten() for k, picture in enumerate(pictures)])
    assert deviation(pictures) == pytest.approx(float(noisy.std()), rel=1e-3)
    assert deviation([Picture("c", np.float32([[0.25, 0.75]]), None)]) == 0.25


def test_a_card_says_what_its_model_reached(table, data: str, tmp_path: Path):
    out = tmp_path / "out"
    work(data, out).run(["ride"], quiet)
    rate = json.loads((out / "ride.json").read_text())["rate"]
    assert load_card(out / "ride")["test_bits_per_pixel"] == round(rate["bits_per_pixel"], 4)


def test_of_several_starts_the_best_on_held_out_images_is_scored(table, data: str, tmp_path: Path):
    out = tmp_path / "out"
    table.rows["mcgsm"] = replace(table.rows["mcgsm"], starts=3)
    work(data, out).run(["mcgsm"], quiet)
    held_out = [load_card(out / f"mcgsm-start{k}").get("held_out_bits_per_pixel", math.inf) for k in range(3)]
    # The one that was scored has another card now.
    best = held_out.index(math.inf)
    assert held_out.count(math.inf) == 1
    rate = json.loads((out / "mcgsm.json").read_text())["rate"]
    assert load_card(out / f"mcgsm-start{best}")["test_bits_per_pixel"] == round(rate["bits_per_pixel"], 4)
    logs = [(out / f"mcgsm-start{k}" / "log.jsonl").read_text().splitlines()[-1] for k in range(3)]
    rates = [json.loads(line)["nats_per_pixel"] for line in logs]
    assert rates.index(max(rates)) == best


@pytest.mark.parametrize("change", [{"seed": 1}, {"length": 0.5}])
def test_figures_of_other_settings_are_not_shown(table, data: str, tmp_path: Path, change):
    work(data, tmp_path / "out").run(["mcgsm"], quiet)
    assert work(data, tmp_path / "out", **change).rates() == {}


def test_what_is_not_there_is_named(table, data: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="table9"):
        Reproduction("table9", data, tmp_path, seed=0, length=1.0, device=torch.device("cpu"))
    with pytest.raises(ConfigError, match="--data"):
        work(None, tmp_path)
    with pytest.raises(ConfigError, match="ride-7"):
        work(data, tmp_path).run(["ride-7"], quiet)
