"""Figure 3 in small: rows of textures, run once, and the report about them."""

import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ride.errors import ConfigError
from ride.experiments import figure3, texture_rows
from ride.experiments.report import write_report
from ride.experiments.reproduce import results, run_rows
from ride.experiments.results import comparable, difference, read_record
from ride.experiments.rows import Setting
from ride.experiments.sources import Source
from ride.experiments.tables import Table
from ride.experiments.texture import Original
from ride.experiments.texture_rows import MANY, MANY_ERROR, SAMPLES, TRIED, ModelRow, OriginalRow, PeerRow, up_to
from ride.models.files import load
from ride.models.neighborhood import Neighborhood
from ride.models.ride import RIDEConfig
from ride.training import FitConfig, Stage, presets

FIT = FitConfig(stages=(Stage(patch=20, steps=2, rate=1e-3),), batch=2, whitening_pixels=500, mirror=False)
SMALL = RIDEConfig(hidden=3, components=2, scales=2, features=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the plates, so small that they have four regions."""
    folder = tmp_path_factory.mktemp("data")
    draw = np.random.default_rng(0)
    for name in ("D104.png", "D52.png"):
        Image.fromarray(draw.integers(0, 256, (96, 96), dtype=np.uint8)).save(folder / name)
    return folder


def small_row(row):
    """The same row about a tiny model."""
    if not isinstance(row, ModelRow):
        return row
    return replace(row, model=replace(SMALL, layers=row.model.layers, neighborhood=row.model.neighborhood), fit=FIT)


def small_table() -> Table:
    """Figure 3 with tiny models."""
    lines = []
    for line in figure3.TABLE.lines:
        cells = {
            key: replace(cell, row=small_row(cell.row), over=small_row(cell.over)) for key, cell in line.cells.items()
        }
        lines.append(replace(line, cells=cells))
    return replace(figure3.TABLE, lines=tuple(lines))


def setting(data: Path, out: Path, **changes) -> Setting:
    made = Setting(Source("brodatz", data, 0), out, 0, 1.0, torch.device("cpu"), lambda title: nullcontext(None))
    return replace(made, **changes)


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """All rows that the folder has textures for."""
    here = setting(data, tmp_path_factory.mktemp("out"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(texture_rows, "STEPS", 1)
        assert not run_rows(small_table(), [], here)
    return here


@pytest.fixture(autouse=True)
def _one_step(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(texture_rows, "STEPS", 1)


def test_black_margins_of_a_scan_are_cut_off_and_its_figures_are_others(data: Path, tmp_path: Path):
    with Image.open(data / "D104.png") as image:
        pixels = np.asarray(image)
    Image.fromarray(np.pad(pixels, ((0, 2), (1, 0)))).save(tmp_path / "D104.png")
    shutil.copy(data / "D52.png", tmp_path)
    plain, padded = setting(data, tmp_path), setting(tmp_path, tmp_path)
    assert np.array_equal(padded.source.plate("D104").pixels, pixels)
    for plate, alike in (("D104", False), ("D52", True)):
        row = OriginalRow("original", f"{plate.lower()}-original", plate=plate)
        assert (row.identity(plain) == row.identity(padded)) == alike


def test_all_textures_that_are_there_are_run_and_no_others(done: Setting):
    found = results(small_table(), done)
    assert {key.split("-")[0] for key in found} == {"d104", "d52"}
    variants = [line for line in figure3.VARIANTS if line.name.split(",")[0] in ("D104", "D52")]
    assert len(found) == 2 * 4 + len(variants)
    with pytest.raises(ConfigError, match="no plate D34"):
        run_rows(small_table(), ["d34-ride"], done)


def test_models_are_scored_on_the_same_pixels(done: Setting):
    found = results(small_table(), done)
    assert comparable(found["d52-ride"], found["d52-mcgsm"])
    assert found["d52-ride"].count == 44 * 40
    assert not comparable(found["d52-ride"], found["d104-mcgsm"])
    assert not comparable(found["d52-ride"], found["d52-peer"])
    for key in ("d104-mcgsm", "d52-ride", "d52-peer", "d52-original"):
        distances = {name: value for name, value in found[key].notes.items() if not name.startswith((MANY, TRIED))}
        assert list(distances) == list(found["d52-original"].notes)
        assert all(value > 0 for value in distances.values())
    # The plates are so small that the length of a fit is to be chosen.
    assert [name.removeprefix(TRIED).strip() for name in found["d52-ride"].notes if name.startswith(TRIED)] == [
        "0.3",
        "1",
    ]


def test_what_is_done_is_not_done_again(done: Setting, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ModelRow, "run", None)
    monkeypatch.setattr(PeerRow, "run", None)
    monkeypatch.setattr(OriginalRow, "run", None)
    assert not run_rows(small_table(), [], done)
    assert not results(small_table(), replace(done, seed=1))


def test_the_report_has_pictures_statistics_and_what_is_missing(done: Setting, tmp_path: Path):
    written = write_report(small_table(), "figure3", done, tmp_path)
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()}
    text = (tmp_path / "figure3.md").read_text(encoding="utf-8")
    assert "Lengths to choose from" in text
    found = results(small_table(), done)
    assert "Not in the folder of textures, and so left out: D34, D110, D106, D93, D12, D4, D22." in text
    for key, name in (("d104-original", "original"), ("d104-mcgsm", "MCGSM"), ("d52-peer", "Portilla & Simoncelli")):
        plate = key.split("-")[0].upper()
        assert f"| {plate} | {name} | {found[key].notes['marginal']:.4f} |" in text
    ride, mcgsm = found["d52-ride"], found["d52-mcgsm"]
    assert f"| D52 | {mcgsm.value:.3f} ± " in text
    assert f"| {ride.value - mcgsm.value:+.3f} ± " in text
    assert f"| RIDE, 2 layers | {found['d52-ride-2-layers'].value:.3f} |" in text
    rate, error = difference(found["d52-ride-2-layers"], ride)
    assert f"| RIDE, 2 layers | {rate:+.3f} ± {error:.3f} | " in text
    assert "less that of the MCGSM is, for RIDE: " in text
    assert "Further figures" not in text
    with Image.open(tmp_path / "figure3.png") as image:
        # Four pictures of 48 pixels, two lines.
        assert image.size[0] == 4 * 48 + 3 * 6
        assert image.size[1] == 2 * (48 + 22) + 6
    with Image.open(tmp_path / "figure3-periods.png") as image:
        assert image.size[0] == 6 * 48 + 5 * 6
    html = (tmp_path / "figure3.html").read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 2


def test_the_verdict_names_the_textures(done: Setting, tmp_path: Path):
    found = results(small_table(), done)
    better = [plate for plate in ("D104", "D52") if _above(found, plate)]
    nearer = [plate for plate in ("D104", "D52") if _gap(found, plate) < -2]
    farther = [plate for plate in ("D104", "D52") if _gap(found, plate) > 2]
    write_report(small_table(), "figure3", done, tmp_path)
    text = (tmp_path / "figure3.md").read_text(encoding="utf-8")
    assert f"RIDE has the higher held-out rate on {', '.join(better) or 'none'}." in text
    assert f"MCGSM's on {', '.join(nearer) or 'none'}, and farther on {', '.join(farther) or 'none'}, by" in text


def _above(found, plate: str) -> bool:
    return found[f"{plate.lower()}-ride"].value > found[f"{plate.lower()}-mcgsm"].value


def _gap(found, plate: str) -> float:
    """In standard errors."""
    one, other = (found[f"{plate.lower()}-{name}"].notes for name in ("ride", "mcgsm"))
    return (one[MANY] - other[MANY]) / (one[MANY_ERROR] ** 2 + other[MANY_ERROR] ** 2) ** 0.5


def test_the_autocorrelation_is_that_of_many_samples(done: Setting):
    picture = done.source.plate("D52")
    original = Original(picture, 0)
    notes = results(small_table(), done)["d52-ride"].notes
    model = load(done.out / "d52-ride")
    apart = [original.compare(x).distances.autocorrelation for x in model.sample(48, 48, batch=SAMPLES, seed=0)]
    assert notes[MANY] == pytest.approx(np.mean(apart), rel=1e-6)
    assert notes[MANY_ERROR] == pytest.approx(np.std(apart, ddof=1) / SAMPLES**0.5, rel=1e-6)
    assert notes["autocorrelation"] == pytest.approx(apart[0], rel=1e-6)


def test_the_report_outlives_models_and_samples(done: Setting, data: Path, tmp_path: Path):
    write_report(small_table(), "figure3", done, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    elsewhere = setting(data, tmp_path / "elsewhere", known=read_record(tmp_path / "figure3.json"))
    write_report(small_table(), "figure3", elsewhere, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    # In another folder there is no picture to be shown.
    other = tmp_path / "other"
    other.mkdir()
    write_report(small_table(), "figure3", elsewhere, other)
    assert not list(other.glob("*.png"))


def test_an_interrupted_row_goes_on_with_its_fit(done: Setting, data: Path, tmp_path: Path):
    shutil.copytree(done.out / "d52-ride", tmp_path / "d52-ride")
    model = tmp_path / "d52-ride" / "model.safetensors"
    before = model.stat().st_mtime_ns
    here = setting(data, tmp_path)
    assert not run_rows(small_table(), ["d52-ride"], here)
    assert model.stat().st_mtime_ns == before
    assert results(small_table(), here)["d52-ride"].value == results(small_table(), done)["d52-ride"].value


def test_larger_patches_come_in_about_as_many_pixels():
    usual = presets.texture(1)
    fit = up_to(usual, 96)
    assert [stage.patch for stage in fit.stages] == [20, 26, 32, 96]
    shape = Neighborhood(5).predicted_shape

    def pixels(config: FitConfig) -> float:
        stage = config.stages[-1]
        return (stage.steps or 0) * config.batch_of(stage) * np.prod(shape(stage.patch, stage.patch))

    assert pixels(fit) == pytest.approx(pixels(usual), rel=0.2)
