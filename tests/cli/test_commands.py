"""What the commands do when all is well."""

import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.conftest import complaint, run_apart, shape_of, typed

from ride.cli.main import COMMANDS
from ride.cli.sample import Command as Sample
from ride.data import DeadLeaves, Leaves, open_pictures, sources
from ride.models.files import load, load_card, save
from ride.models.ride import RIDE, RIDEConfig
from ride.training import presets


def test_alone_it_tells_a_newcomer_what_to_type(ride):
    for words in ((), ("--help",), ("-h",), ("help",)):
        ran = ride(*words)
        assert ran.status == 0
        for command in COMMANDS:
            assert f"ride {command}" in ran.out or command in ran.out.split("usage")[1]
    assert ride("--version").out.startswith("ride 0")


SEEDED = {"deadleaves", "quantize"}
COMPUTING = {"demo", "evaluate", "sample", "train", "reproduce", "texture", "inpaint"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_has_no_options_without_effect(ride, command: str):
    ran = ride(command, "--help")
    assert ran.status == 0
    for option in ("--threads", "--quiet", "--json"):
        assert option in ran.out
    assert ("--seed" in ran.out) == (command in SEEDED | COMPUTING)
    assert ("--device" in ran.out) == (command in COMPUTING)


def test_evaluate_prints_one_json_object_and_nothing_else(model: Path, photos: Path):
    ran = run_apart("evaluate", model, photos, "--json")
    assert (ran.status, ran.err) == (0, "")
    record = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    keys = {"nats_per_pixel", "bits_per_pixel", "stderr_bits", "pixels", "images", "tile", "seed"}
    assert keys <= record.keys()
    assert (record["images"], record["pixels"]) == (3, 10 * 10 + 14 * 7 + 12 * 10)


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
    assert shape_of(drawn[0])[1] > 100


def test_maps_of_one_plane_given_another(ride, photos: Path, tmp_path: Path):
    for config, name in ((RIDEConfig(layers=0, given=1), "given"), (RIDEConfig(layers=0, channels=2), "two")):
        torch.manual_seed(0)
        tiny = RIDE(replace(config, components=2, scales=2, features=2))
        tiny.fit_whitening([torch.rand(2, 12, 12, 2)])
        save(tiny, tmp_path / f"{name}.safetensors", {})
    colours = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "c.png")
    ran = ride("evaluate", tmp_path / "given.safetensors", tmp_path / "c.png", "--maps", tmp_path / "maps")
    assert (ran.status, ran.err) == (0, "")
    assert shape_of(tmp_path / "maps" / "0000-c.png")[1] > 100
    refused = ride("evaluate", tmp_path / "two.safetensors", tmp_path / "c.png", "--maps", tmp_path / "none")
    assert "--maps shows images of 1 or 3 channels" in complaint(refused)
    assert not (tmp_path / "none").exists()


def test_sample_by_suffix_seed_and_count(ride, model: Path, tmp_path: Path):
    size = ("--size", "9", "13")
    ran = ride("sample", model, *size, "--out", tmp_path / "a.png", "--count", "2", "--bounds", "0", "1")
    assert ran.status == 0
    assert "a-0.png" in ran.out
    assert shape_of(tmp_path / "a-1.png") == (9, 13)
    written = json.loads(ride("sample", model, *size, "--out", tmp_path / "b.npy", "--json").out)["written"]
    assert written == [str(tmp_path / "b.npy")]
    first = np.load(tmp_path / "b.npy")
    ride("sample", model, *size, "--out", tmp_path / "b.npy", "--count", "2")
    both = np.load(tmp_path / "b.npy")
    assert both.shape == (2, 9, 13)
    # Products of another size may round differently.
    np.testing.assert_allclose(both[0], first, atol=1e-5)


def test_sample_takes_its_border_from_data(ride, model: Path, photos: Path, tmp_path: Path):
    def drawn(border: object, seed: int = 0) -> np.ndarray:
        words = ("--size", "9", "--border", border, "--out", tmp_path / "a.npy", "--seed", seed)
        assert ride("sample", model, *words).status == 0
        return np.load(tmp_path / "a.npy")

    first = drawn(photos)
    assert first.shape == (9, 9)
    np.testing.assert_array_equal(drawn(photos), first)
    assert not np.array_equal(drawn("noise"), first)
    assert not np.array_equal(drawn(photos, seed=1), first)


def test_a_border_is_dequantised_pixels_of_the_data(photos: Path):
    values = Sample(border=str(photos / "a.png"))._border(1)
    assert (float(values.min()) >= 0, float(values.max()) < 1) == (True, True)
    with Image.open(photos / "a.png") as image:
        assert set(np.floor(values.numpy() * 256).ravel()) == set(np.asarray(image).ravel())


@pytest.mark.parametrize("preset", ["again", "onward"])
def test_train_goes_on_with_a_model(ride, model: Path, photos: Path, tmp_path: Path, preset: str):
    run = tmp_path / "run"
    short = ("--preset", preset, "--length", "0.001", "--patch", "10", "--valid", "1")
    ran = ride("train", photos, "--out", run, "--start", model, "--largest-memory", "0.5", *short)
    assert (ran.status, ran.err) == (0, "")
    assert f"goes on with {model}: 1 layer of " in ran.out
    config, before = load(run).config, load(model).config
    assert (config.largest_memory, replace(config, largest_memory=None)) == (0.5, before)


def test_a_model_that_was_taken_away_is_written_again(ride, photos: Path, tmp_path: Path):
    words = ("train", photos, "--out", tmp_path / "run", "--length", "0.001", "--patch", "10", "--hidden", "2")
    assert ride(*words).status == 0
    before = load(tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    assert ride(*words).status == 0
    after = load(tmp_path / "run")
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())


def test_images_too_small_to_score_are_left_out_if_told_to(
    ride, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
):
    Image.new("L", (40, 8)).save(photos / "small.png")
    monkeypatch.setattr("ride.evaluation.evaluate", lambda *args, **words: pytest.fail("it was scored before"))
    told = complaint(ride("evaluate", model, photos, "--tile", "9"))
    assert "small.png has 8 x 40 pixels where 9 x 9 or more are needed" in told
    monkeypatch.undo()
    ran = ride("evaluate", model, photos, "--tile", "9", "--skip-unreadable", "--json")
    assert json.loads(ran.out)["images"] == 3
    assert "small.png" in ran.err


def test_train_may_leave_idle_components_alone(ride, photos: Path, tmp_path: Path):
    short = ("--length", "0.001", "--patch", "10", "--valid", "1", "--hidden", "2", "--components", "2")
    fits = []
    for name, words in (("plain", ()), ("idle", ("--leave-idle",))):
        assert ride("train", photos, "--out", tmp_path / name, *short, *words).status == 0
        fits.append(load_card(tmp_path / name)["fit"])
    assert fits[0]["revive"] == presets.REVIVE
    assert fits[1] == {**fits[0], "revive": None}


def test_train_and_evaluate_know_dead_leaves_apart(ride, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []

    class Few(DeadLeaves):
        def __init__(self, count, seed, part):
            opened.append(part)
            super().__init__(3, seed, part=part, size=(40, 40))

    monkeypatch.setattr(sources, "DeadLeaves", Few)
    short = ("--length", "0.001", "--patch", "16", "--hidden", "2", "--components", "2", "--features", "2")
    run = tmp_path / "run"
    assert ride("train", "deadleaves", "--out", run, *short).status == 0
    ran = ride("evaluate", run, "deadleaves", "--json")
    assert json.loads(ran.out)["images"] == 3
    assert opened == ["train", "test"]


def test_deadleaves_writes_images(ride, tmp_path: Path):
    ran = ride("deadleaves", tmp_path / "leaves", "--count", "3", "--size", "24")
    assert ran.status == 0
    written = sorted((tmp_path / "leaves").glob("*.png"))
    assert len(written) == 3
    made = DeadLeaves(3, size=(24, 24))
    for path, picture in zip(written, open_pictures(tmp_path / "leaves"), strict=True):
        np.testing.assert_array_equal(picture.pixels, made[written.index(path)].pixels)
    settings = json.loads((tmp_path / "leaves" / "deadleaves.json").read_text())
    assert (settings["count"], settings["size"], settings["part"], settings["seed"]) == (3, [24, 24], "train", 0)
    assert settings["leaves"] == asdict(Leaves())
    assert shape_of(written[0]) == (24, 24)


def test_deadleaves_goes_on_where_it_was(ride, tmp_path: Path):
    words = ("deadleaves", tmp_path / "leaves", "--count", "3", "--size", "8", "9", "--noise", "0", "--part", "test")
    assert json.loads(ride(*words, "--json").out)["made"] == 3
    first, second, _ = sorted((tmp_path / "leaves").glob("*.png"))
    assert (first.name, shape_of(first)) == ("deadleaves-test-0000.png", (8, 9))
    content, age = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    assert "1 image of 8 x 9 pixels" in ride(*words).out
    assert (second.read_bytes(), first.stat().st_mtime_ns) == (content, age)


def test_deadleaves_keeps_out_of_other_folders(ride, tmp_path: Path, photos: Path):
    assert "not empty" in complaint(ride("deadleaves", photos, "--count", "1"))
    out = tmp_path / "leaves"
    assert ride("deadleaves", out, "--count", "1", "--size", "8").status == 0
    for words, part in (
        (("--count", "2", "--size", "8"), "count = 1, not 2"),
        (("--count", "1", "--size", "9"), "size = [8, 8], not [9, 9]"),
        (("--count", "1", "--size", "8", "--noise", "0.5"), f"leaves.noise = {Leaves().noise}, not 0.5"),
        (("--count", "1", "--size", "8", "--seed", "1"), "seed = 0, not 1"),
    ):
        assert part in complaint(ride("deadleaves", out, *words))
    (out / "deadleaves.json").write_text("{")
    assert "damaged" in complaint(ride("deadleaves", out, "--count", "1", "--size", "8"))


def test_a_reader_who_has_seen_enough_is_no_error():
    process = subprocess.Popen(typed("models"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == 1


def test_models_lists_the_cards(ride):
    told, listed = ride("models"), json.loads(ride("models", "--json").out)["models"]
    assert told.status == 0
    assert [model["name"] for model in listed] == ["bsds300", "bsds300-fast", "deadleaves"]
    for model in listed:
        assert model["name"] in told.out
        assert 1 < model["card"]["test_bits_per_pixel"] < 8
