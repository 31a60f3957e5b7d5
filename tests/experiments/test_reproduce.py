"""Rows of tables: run once, kept on disk, and gone on with after an interruption."""

import json
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.at_work import at_work_in
from tests.experiments.conftest import FIT, MCGSM, RIDE, TINY, setting, tiny

from ride.data import Picture, dequantize, open_pictures, seeded
from ride.data.deadleaves import Leaves
from ride.errors import ConfigError
from ride.experiments import image_rows, reproduce, sources
from ride.experiments.catalogue import TABLES
from ride.experiments.image_rows import ImageRow
from ride.experiments.reproduce import Deadline, OutOfTime, results, run_rows
from ride.experiments.results import Result, difference
from ride.experiments.sources import Source, deviation
from ride.experiments.tables import single
from ride.experiments.turned import TurnedRow
from ride.models.files import load, load_card
from ride.models.neighborhood import Neighborhood
from ride.progress import Progress
from ride.training import fit


def test_rows_are_fitted_once(data: Path, tmp_path: Path, monkeypatch):
    here, table = setting(data, tmp_path / "out"), tiny()
    assert not run_rows(table, ["mcgsm", "ride"], here)
    before = {path: path.stat().st_mtime_ns for path in here.out.glob("*.json")}
    assert len(before) == 2
    # The ensemble needs no fit of its own, and what is done is not done again.
    fits = []

    def counted(*arguments, **settings):
        fits.append(arguments)
        return fit(*arguments, **settings)

    monkeypatch.setattr(image_rows, "fit", counted)
    assert not run_rows(table, [], here)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(fits) == 1
    assert sorted(path.name for path in here.out.iterdir() if path.is_dir()) == ["mcgsm", "ride"]
    found = results(table, here)
    assert list(found) == list(table.rows)
    assert "mixture" in found["eoride"].scored
    assert found["eoride"].run == "ride"


def test_a_result_says_what_stands_behind_it(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    run_rows(tiny(), ["ride"], here)
    result = Result.read(here.out / "ride.json")
    assert result == results(tiny(), here)["ride"]
    assert result.scored == "independent 12 x 12 tiles"
    assert result.count == 2 * 10 * 8
    # Names say nothing of the machine.
    assert [image.name for image in result.images] == ["0.png", "1.png"]
    assert result.memory_gib > 0
    assert result.versions["torch"] == torch.__version__
    weights = [image.weight for image in result.images]
    assert result.value == pytest.approx(np.average([image.value for image in result.images], weights=weights))


def test_results_of_other_images_are_not_taken(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    run_rows(tiny(), ["ride"], here)
    found = results(tiny(), here)["ride"]
    assert found.data == here.source.digest != ""
    # The folder may move, and a test image may not change.
    shutil.copytree(data, tmp_path / "moved")
    assert results(tiny(), setting(tmp_path / "moved", here.out))["ride"] == found
    pixels = np.zeros((16, 18), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "moved" / "test" / "0.png")
    for known in ({}, {"ride": found}):
        other = setting(tmp_path / "moved", here.out if not known else tmp_path / "none", known=known)
        with pytest.raises(ConfigError, match=r"ride was measured on other images than those of .*moved"):
            run_rows(tiny(), ["ride"], other)
    # What was kept before there were digests says nothing of its images.
    replace(found, data="").write(RIDE.file(here))
    assert results(tiny(), setting(tmp_path / "moved", here.out))["ride"].data == ""


def test_a_digest_is_of_how_images_are_made_and_used(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def digests() -> list[str]:
        return [setting(data, tmp_path).source.digest, _leaves(tmp_path).source.digest]

    photos, leaves = digests()
    assert len({photos, leaves, ""}) == 3
    monkeypatch.setattr(sources, "Leaves", lambda: replace(Leaves(), noise=0.02))
    assert digests()[0] == photos
    assert digests()[1] != leaves
    here = setting(data, tmp_path / "out")
    run_rows(tiny(), ["mcgsm"], here)
    replace(results(tiny(), here)["mcgsm"], data=leaves).write(MCGSM.file(here))
    with pytest.raises(ConfigError, match="images that were made otherwise"):
        MCGSM.result(_leaves(tmp_path))
    monkeypatch.setattr(Source, "held_out", 2)
    assert digests()[0] != photos


def test_what_is_not_a_result_is_done_anew(tmp_path: Path):
    for text in ("", "[]", "{}", '{"identity": "x"}'):
        (tmp_path / "a.json").write_text(text)
        assert Result.read(tmp_path / "a.json") is None


def test_the_difference_of_rows_is_that_of_their_images(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    run_rows(tiny(), ["mcgsm", "ride"], here)
    found = results(tiny(), here)
    mean, error = difference(found["ride"], found["mcgsm"])
    single_ = [a.value - b.value for a, b in zip(found["ride"].images, found["mcgsm"].images, strict=True)]
    assert mean == pytest.approx(np.mean(single_))
    assert error == pytest.approx(np.std(single_, ddof=1) / math.sqrt(2))
    with pytest.raises(ConfigError, match="same images"):
        difference(found["ride"], replace(found["mcgsm"], unit="nat"))


def test_a_budget_ends_the_work_and_the_next_call_goes_on(data: Path, tmp_path: Path, monkeypatch):
    here, table = setting(data, tmp_path / "out"), tiny()
    clock = [0.0]

    def tick() -> float:
        clock[0] += 10.0
        return clock[0]

    monkeypatch.setattr(reproduce.time, "monotonic", tick)
    assert run_rows(table, ["mcgsm", "ride"], here, minutes=0.5) == ["stopped after 0.5 minutes"]
    assert "ride" not in results(table, here)
    monkeypatch.setattr(reproduce.time, "monotonic", time.perf_counter)
    assert not run_rows(table, ["mcgsm", "ride"], here, minutes=60.0)
    assert list(results(table, here)) == ["mcgsm", "ride"]


def test_with_however_little_time_calls_come_to_an_end(data: Path, tmp_path: Path):
    here, whole, table, keys = (
        setting(data, tmp_path / "out"),
        setting(data, tmp_path / "whole"),
        tiny(),
        ["mcgsm", "ride"],
    )
    calls = next(k for k in range(100) if not run_rows(table, keys, here, minutes=1e-9))
    assert calls > 2
    run_rows(table, keys, whole)
    for key in keys:
        assert results(table, here)[key].value == results(table, whole)[key].value


def test_a_part_that_begins_again_from_nothing_is_ended_too():
    told: list[int] = []

    @contextmanager
    def bars(title: str) -> Iterator[Progress]:
        yield lambda done, total, message="": told.append(done)

    def work() -> None:
        with Deadline(end=-math.inf).ending(bars, True)("two phases") as progress:
            assert progress
            for done in [99, 100, *range(101)]:
                progress(done, 100)

    with pytest.raises(OutOfTime):
        work()
    # A fiftieth of the second.
    assert told == [99, 100, 0, 1]


def test_a_row_that_another_process_is_at_work_on_is_left_to_it(data: Path, tmp_path: Path):
    here, table = setting(data, tmp_path / "out"), tiny()
    (here.out / "mcgsm").mkdir(parents=True)
    with at_work_in(here.out / "mcgsm"):
        assert run_rows(table, ["mcgsm", "ride"], here) == [
            "mcgsm was left to another process, which is at work on it"
        ]
        assert list(results(table, here)) == ["ride"]
    assert not run_rows(table, ["mcgsm", "ride"], here)
    assert list(results(table, here)) == ["mcgsm", "ride"]


def test_dead_leaves_are_given_in_units_of_their_deviation(tmp_path: Path, monkeypatch):
    made = open_pictures("deadleaves", seed=0, limit=3)
    monkeypatch.setattr(Source, "_open", lambda source, part, channels=1: made)
    monkeypatch.setattr(Source, "held_out", 1)
    here = _leaves(tmp_path)
    table = tiny(source="deadleaves", lines=(single("rate", 1.0, MCGSM),))
    run_rows(table, [], here)
    result = results(table, here)["mcgsm"]
    sigma = deviation(list(made))
    assert result.shift == pytest.approx(math.log2(sigma))
    assert load_card(here.out / "mcgsm")["test_bits_per_pixel"] == round(result.value - result.shift, 4)


def _leaves(tmp_path: Path):
    from ride.experiments.rows import Setting

    source = Source("deadleaves", None, 0)
    return Setting(source, tmp_path / "out", 0, 1.0, torch.device("cpu"), lambda title: nullcontext(None))


def test_the_deviation_is_that_of_the_dequantised_pixels():
    pixels = np.random.default_rng(0).integers(0, 4, (300, 400), dtype=np.uint8)
    pictures = [Picture("a", pixels[:100], 256), Picture("b", pixels[100:], 256)]
    noisy = torch.cat([dequantize(picture, seeded(k)).flatten() for k, picture in enumerate(pictures)])
    assert deviation(pictures) == pytest.approx(float(noisy.std()), rel=1e-3)
    assert deviation([Picture("c", np.float32([[0.25, 0.75]]), None)]) == 0.25


def test_a_card_says_what_its_model_reached(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    run_rows(tiny(), ["ride"], here)
    result = results(tiny(), here)["ride"]
    assert load_card(here.out / "ride")["test_bits_per_pixel"] == round(result.value, 4)
    assert load(here.out / "ride").config == RIDE.model


def test_of_several_starts_the_best_on_held_out_images_is_scored(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    table = tiny(lines=(single("rate", None, replace(MCGSM, starts=3)),))
    run_rows(table, [], here)
    result = results(table, here)["mcgsm"]
    logs = [(here.out / f"mcgsm-start{k}" / "log.jsonl").read_text().splitlines()[-1] for k in range(3)]
    rates = [json.loads(line)["nats_per_pixel"] for line in logs]
    best = rates.index(max(rates))
    assert result.run == f"mcgsm-start{best}"
    assert load_card(here.out / result.run)["test_bits_per_pixel"] == round(result.value, 4)


@pytest.mark.parametrize("change", [{"seed": 1}, {"length": 0.5}])
def test_figures_of_other_settings_are_not_shown(data: Path, tmp_path: Path, change):
    run_rows(tiny(), ["mcgsm"], setting(data, tmp_path / "out"))
    others = setting(data, tmp_path / "out", **change)
    assert results(tiny(), others) == {}
    # Nor are they lost to others.
    before = (tmp_path / "out" / "mcgsm.json").read_bytes()
    with pytest.raises(ConfigError, match=r"mcgsm\.json"):
        run_rows(tiny(), ["mcgsm"], others)
    assert (tmp_path / "out" / "mcgsm.json").read_bytes() == before


def test_what_is_not_there_is_named(data: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="--data"):
        Source("bsds300", None, 0)
    with pytest.raises(ConfigError, match="ride-7"):
        run_rows(tiny(), ["ride-7"], setting(data, tmp_path))


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_of_the_paper_are_put_together_well(name: str):
    table = TABLES[name]
    cells = [(key, cell) for line in table.lines for key, cell in line.cells.items()]
    assert {key for key, _ in cells} <= set(table.columns)
    rows = [cell.row for _, cell in cells if cell.row]
    # A key stands for one row on disk, in all tables of the same images.
    others = [row for other in TABLES.values() if other.source == table.source for row in other.rows.values()]
    for row in rows:
        assert all(other == row for other in others if other.key == row.key), row.key
        assert row.fitted is None or row.fitted in rows
    for column in table.columns.values():
        assert column.baseline is None or column.baseline in table.rows
    if table.widths:
        assert set(table.widths) == set(table.rows)


@pytest.mark.parametrize("name", TABLES)
def test_every_model_of_images_fits_into_its_smallest_patch(name: str):
    for row in TABLES[name].rows.values():
        if isinstance(row, ImageRow):
            assert min(stage.patch for stage in row.fit.stages) >= row.model.neighborhood


def test_models_of_all_widths_see_as_many_pixels():
    seen: dict[str, list[float]] = {"mcgsm": [], "ride": []}
    for key, row in TABLES["figure2"].rows.items():
        assert isinstance(row, ImageRow)
        shape, fit = Neighborhood(row.model.neighborhood).predicted_shape, row.fit
        patches = [(stage.patch, fit.batch_of(stage) * (stage.steps or 0)) for stage in fit.stages]
        seen[key.split("-")[0]].append(sum(count * math.prod(shape(p, p)) for p, count in patches))
    for counts in seen.values():
        assert counts == pytest.approx([counts[0]] * len(counts), rel=0.01)


@pytest.mark.parametrize(("stands", "shape"), [(True, (18, 16)), (False, (16, 18))])
def test_a_mixture_is_counted_as_the_authors_program_does(
    data: Path, tmp_path: Path, stands: bool, shape: tuple[int, int]
):
    here = setting(data, tmp_path / "out")
    row = TurnedRow(name="turned", key="turned", model=MCGSM.model, fit=FIT, fitted=MCGSM, stands=stands)
    assert row.identity(here) != MCGSM.ensembled().identity(here)
    assert not run_rows(tiny(lines=(single("rate", None, row),)), ["turned"], here)
    found, model = Result.read(row.file(here)), load(tmp_path / "out" / "mcgsm")
    assert found
    for index, (image, picture) in enumerate(zip(found.images, here.source.test(), strict=True)):
        pixels = dequantize(picture, seeded(0, index)).numpy()
        assert pixels.shape == (16, 18)
        nats = []
        for mirrored in (pixels, np.fliplr(pixels)):
            for k in range(4):
                whole = torch.from_numpy(np.rot90(mirrored, k).copy())
                nats.append(model.log_prob(whole[None]).double().sum().item())
        # The neighborhood is 5 wide and 3 high.
        assert image.weight == (shape[0] - 2) * (shape[1] - 4)
        assert image.value == pytest.approx(
            (np.logaddexp.reduce(nats) - math.log(8)) / math.log(2) / image.weight, rel=1e-5
        )


def test_a_row_goes_on_with_the_model_of_another(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    bounded = replace(RIDE, key="bounded", model=replace(TINY, largest_memory=0.5), start=RIDE)
    assert bounded.identity(here) != replace(bounded, start=None).identity(here)
    run_rows(tiny(lines=(single("rate", None, bounded),)), ["bounded"], here)
    # The model that it began with was fitted for it.
    assert load(tmp_path / "out" / "ride").config == TINY
    assert load(tmp_path / "out" / "bounded").config == bounded.model
    assert load_card(tmp_path / "out" / "bounded")["went_on_from"] == "row ride"
    assert load_card(tmp_path / "out" / "ride").get("went_on_from") is None
    settings = json.loads((tmp_path / "out" / "bounded" / "run.json").read_text())
    assert "start" in settings
