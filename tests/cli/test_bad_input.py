"""Each bad input is one clear line, and nothing is half-written."""

import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Ran, complaint, run_apart, typed


def test_an_error_is_one_line_of_the_real_command(photos: Path):
    assert "nothing-here" in complaint(run_apart("evaluate", photos / "nothing-here"))


@pytest.mark.parametrize("damage", ["empty", "truncated", "not an image"])
def test_an_unreadable_image_among_good_ones(ride, model: Path, photos: Path, damage: str):
    bad = photos / "bad.png"
    content = (photos / "a.png").read_bytes()
    bad.write_bytes({"empty": b"", "truncated": content[: len(content) // 2], "not an image": b"hello"}[damage])
    assert "bad.png" in complaint(ride("evaluate", model, photos))
    ran = ride("evaluate", model, photos, "--skip-unreadable")
    assert ran.status == 0
    assert "3 images" in ran.out
    assert "bad.png" in ran.err


def test_data_that_cannot_be_used(ride, model: Path, photos: Path, tmp_path: Path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty" in complaint(ride("evaluate", model, empty))
    for name, value in (("nan", np.nan), ("infinite", np.inf), ("outside", 2.5)):
        image = np.full((12, 12), 0.5, dtype=np.float32)
        image[3, 4] = value
        np.save(tmp_path / f"{name}.npy", image)
        assert f"{name}.npy" in complaint(ride("evaluate", model, tmp_path / f"{name}.npy"))
    np.save(tmp_path / "small.npy", np.full((2, 12), 7, dtype=np.uint8))
    assert "small.npy" in complaint(ride("evaluate", model, tmp_path / "small.npy"))
    assert "64 x 64 or more are needed" in complaint(ride("evaluate", model, photos, "--tile", "64"))


def test_models_that_cannot_be_trusted(ride, model: Path, photos: Path, tmp_path: Path):
    content = model.read_bytes()
    flipped = bytearray(content)
    flipped[-5] ^= 0x10
    broken = {
        "truncated.safetensors": content[: len(content) // 2],
        "flipped.safetensors": bytes(flipped),
        "pickled.pt": pickle.dumps({"weight": 1}),
        "empty.safetensors": b"",
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        assert name in complaint(ride("evaluate", tmp_path / name, photos))
    assert "no model" in complaint(ride("sample", tmp_path / "missing", "--out", tmp_path / "a.png"))


def test_settings_that_make_no_sense(ride, model: Path, photos: Path, tmp_path: Path):
    out = ("--out", tmp_path / "a.png")
    for words, part in (
        (("sample", model, "--size", "0", "5", *out), "at least 1"),
        (("sample", model, "--size", "9", "9", "--bounds", "1", "0", *out), "bound"),
        (("sample", model, "--size", "9", "9", "--bounds", "0", "nan", *out), "bound"),
        (("sample", model, "--size", "-3", *out), "at least 1"),
        (("sample", model, "--count", "0", *out), "--count"),
        (("sample", model, "--border", tmp_path / "nothing", *out), "nothing"),
        (("sample", model, "--device", "cuda:99", *out), "--device"),
        (("sample", model, "--device", "abacus", *out), "--device"),
        (("sample", model, "--threads", "0", *out), "--threads"),
        (("sample", model, "--seed", "-1", *out), "--seed"),
        (("sample", model, "--seed", str(2**63), *out), "--seed"),
        (("sample", model, "--threads", "99999999999", *out), "--threads"),
        (("sample", model, "--count", "99999999999999", *out), "--count"),
        (("evaluate", model, photos, "--limit", "0"), "--limit"),
        (("texture", photos / "a.png", "--given", "1", "--out", tmp_path / "run"), "--given"),
        (("train", photos, "--limit", "0", "--out", tmp_path / "run"), "--limit"),
        (("train", photos, "--valid", "3", "--patch", "8", "--out", tmp_path / "run"), "--valid"),
        (("train", photos, "--valid", "1", "--valid-data", photos, "--out", tmp_path / "run"), "--valid"),
        (("train", photos, "--valid-data", photos, "--out", tmp_path / "run"), "--valid-data"),
        (("train", photos, "--length", "1e306", "--out", tmp_path / "run"), "length"),
        (("reproduce", "table3", "--length", "0", "--out", tmp_path / "run"), "length"),
        (("reproduce", "figure3", "--data", photos, "--out", tmp_path / "run"), "none of D104, D34"),
        (("train", photos, "--length", "0", "--out", tmp_path / "run"), "length"),
        (("train", photos, "--hidden", "0", "--out", tmp_path / "run"), "hidden"),
        (("train", photos, "--largest-memory", "0", "--out", tmp_path / "run"), "largest_memory"),
        (("train", photos, "--preset", "onward", "--out", tmp_path / "run"), "--preset onward goes on"),
        (("train", photos, "--preset", "again", "--out", tmp_path / "run"), "--preset again goes on"),
        (("train", photos, "--start", model, "--hidden", "4", "--out", tmp_path / "run"), "--start"),
        (("train", photos, "--start", tmp_path / "nothing", "--out", tmp_path / "run"), "nothing"),
        (("train", photos, "--patch", "3", "--out", tmp_path / "run"), "patch"),
        (("train", photos, "--out", tmp_path / "run"), "smaller than the patches of 64 x 64"),
        (("deadleaves", tmp_path / "leaves", "--count", "0"), "--count"),
        (("deadleaves", tmp_path / "leaves", "--size", "0"), "at least 1"),
        (("deadleaves", tmp_path / "leaves", "--smallest", "0"), "radii"),
        (("deadleaves", tmp_path / "leaves", "--noise", "nan"), "noise"),
        (("deadleaves", tmp_path / "leaves", "--largest", "1e6"), "disks"),
        (("deadleaves", tmp_path / "leaves", "--largest", "1e9"), "radii"),
        (("evaluate", model, photos, "--tile", "0"), "tile"),
        (("evaluate", model, photos, "--tile", "9", "--maps", tmp_path), "tile"),
    ):
        assert part in complaint(ride(*words))
    assert not (tmp_path / "a.png").exists()
    assert not (tmp_path / "leaves").exists()
    assert not any(path.suffix for path in (tmp_path / "run").glob("*"))


def test_places_that_cannot_be_written(ride, model: Path, photos: Path, tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("in the way")
    sample = ("sample", model, "--size", "9", "9", "--out")
    assert "directory" in complaint(ride(*sample, tmp_path / "missing" / "a.png"))
    assert "directory" in complaint(ride(*sample, file / "a.png"))
    assert ".png or .npy" in complaint(ride(*sample, tmp_path / "a.jpg"))
    assert str(file) in complaint(ride("evaluate", model, photos, "--maps", file))
    assert str(file) in complaint(ride("train", photos, "--out", file))
    assert str(file) in complaint(ride("deadleaves", file))
    assert file.read_text() == "in the way"


def test_a_full_disk_leaves_nothing_behind(ride, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    ran = ride("sample", model, "--size", "9", "9", "--out", tmp_path / "a.npy")
    assert "No space left" in complaint(ran)
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


def test_a_file_cut_short_by_the_system_is_removed(tmp_path: Path):
    # No file may grow beyond a few thousand bytes: as on a full disk, a write fails halfway.
    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]
    words = typed("deadleaves", tmp_path / "leaves", "--count", "2")
    done = subprocess.run([*limited, *words], capture_output=True, text=True, check=False)
    assert "deadleaves-train-0000.png: File too large" in complaint(Ran(done.returncode, done.stdout, done.stderr))
    assert [path.name for path in (tmp_path / "leaves").iterdir()] == ["deadleaves.json"]


def test_too_little_memory_is_one_line(ride, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch):
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("ride.evaluation.evaluate", fail)
        assert "not enough memory" in complaint(ride("evaluate", model, photos))


def test_wrong_usage_is_status_2(ride, model: Path, photos: Path):
    assert ride("sampel").status == 2
    assert "did you mean sample" in ride("sampel").err
    assert ride("sample", "--no-such-option").status == 2
    assert ride("evaluate").status == 2
    assert ride("evaluate", model, photos, photos).status == 2


def test_a_folder_is_no_model(ride, photos: Path, tmp_path: Path):
    shutil.copytree(photos, tmp_path / "more")
    assert "model" in complaint(ride("evaluate", tmp_path / "more", photos))
