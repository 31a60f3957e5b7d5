"""What the commands do when all is well."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import run_apart


def test_alone_it_tells_a_newcomer_what_to_type(ride):
    for words in ((), ("--help",), ("-h",), ("help",)):
        ran = ride(*words)
        assert ran.status == 0
        for command in ("demo", "evaluate", "sample", "train", "deadleaves", "models"):
            assert f"ride {command}" in ran.out or command in ran.out.split("usage")[1]
    assert ride("--version").out.startswith("ride 0")


@pytest.mark.parametrize("command", ["demo", "evaluate", "sample", "train", "deadleaves", "models"])
def test_every_command_explains_itself(ride, command: str):
    ran = ride(command, "--help")
    assert ran.status == 0
    for option in ("--seed", "--device", "--threads", "--quiet", "--json"):
        assert option in ran.out


def test_evaluate_prints_one_json_object_and_nothing_else(model: Path, photos: Path):
    ran = run_apart("evaluate", model, photos, "--json")
    assert (ran.status, ran.err) == (0, "")
    record = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    keys = {"nats_per_pixel", "bits_per_pixel", "stderr_bits", "pixels", "images", "tile", "seed"}
    assert keys <= record.keys()
    assert (record["images"], record["pixels"]) == (3, 11 * 10 + 15 * 7 + 13 * 10)


def test_evaluate_says_the_same_to_a_person(ride, model: Path, photos: Path):
    options = ("--tile", "11", "--ensemble", "--seed", "3", "--limit", "2", "--quiet")
    record = json.loads(ride("evaluate", model, photos, *options, "--json").out)
    assert (record["images"], record["tile"], record["seed"], record["ensemble"]) == (2, 11, 3, True)
    text = ride("evaluate", model, photos, *options).out
    assert f"{record['bits_per_pixel']:.3f}" in text
    assert "2 images" in text


def test_evaluate_draws_maps(ride, model: Path, photos: Path, tmp_path: Path):
    ran = ride("evaluate", model, photos, "--maps", tmp_path / "new" / "maps", "--limit", "2")
    assert ran.status == 0
    drawn = sorted((tmp_path / "new" / "maps").iterdir())
    assert [path.name for path in drawn] == ["0000-a.png", "0001-b.png"]
    assert all(f"wrote {path}" in ran.out for path in drawn)
    assert Image.open(drawn[0]).width > 100


def test_sample_by_suffix_seed_and_count(ride, model: Path, tmp_path: Path):
    size = ("--size", "9", "13")
    ran = ride("sample", model, *size, "--out", tmp_path / "a.png", "--count", "2", "--bounds", "0", "1")
    assert ran.status == 0
    assert "a-0.png" in ran.out
    assert Image.open(tmp_path / "a-1.png").size == (13, 9)
    written = json.loads(ride("sample", model, *size, "--out", tmp_path / "b.npy", "--json").out)["written"]
    assert written == [str(tmp_path / "b.npy")]
    first = np.load(tmp_path / "b.npy")
    ride("sample", model, *size, "--out", tmp_path / "b.npy", "--count", "2")
    both = np.load(tmp_path / "b.npy")
    assert both.shape == (2, 9, 13)
    np.testing.assert_array_equal(both[0], first)


def test_sample_takes_its_border_from_data(ride, model: Path, photos: Path, tmp_path: Path):
    for border in ("noise", photos):
        name = tmp_path / f"{Path(border).name}.npy"
        assert ride("sample", model, "--size", "9", "9", "--border", border, "--out", name).status == 0
    assert not np.array_equal(np.load(tmp_path / "noise.npy"), np.load(tmp_path / "photos.npy"))


def test_deadleaves_writes_images(ride, tmp_path: Path):
    ran = ride("deadleaves", tmp_path / "leaves", "--count", "3", "--size", "24")
    assert ran.status == 0
    written = sorted((tmp_path / "leaves").glob("*.png"))
    assert len(written) == 3
    assert Image.open(written[0]).size == (24, 24)


def test_models_lists_the_cards(ride):
    assert ride("models").status == 0
    assert isinstance(json.loads(ride("models", "--json").out)["models"], list)
