"""`ride texture`, as a person types it."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.conftest import complaint, run_apart, shape_of

from ride.cli.texture import Command
from ride.data import Picture
from ride.models.files import load

TINY = ("--hidden", 3, "--components", 2, "--scales", 2, "--features", 2, "--length", 0.005)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def noise(shape: tuple[int, ...] = (100, 110), dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


def test_a_sample_without_structure_has_no_distances(capsys: pytest.CaptureFixture[str]):
    picture = Picture("a", noise(), 256)
    white, speckled = torch.ones(60, 70), torch.rand(60, 70, generator=torch.Generator().manual_seed(0))
    likenesses = Command(image="a.png")._compare(picture, {"mcgsm": white, "ride": speckled})
    assert list(likenesses) == ["original", "ride"]
    assert "no distances of sample-mcgsm.png" in capsys.readouterr().err


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return save(tmp_path / "canvas.png", noise())


def test_a_texture_is_learned_scored_and_drawn(image: Path, tmp_path: Path):
    out = tmp_path / "run"
    words = ("texture", image, "--size", 60, 70, "--out", out, *TINY, "--seed", 3, "--threads", 1)
    ran = run_apart(*words)
    assert (ran.status, ran.err) == (0, "")
    record = json.loads((out / "results.json").read_text())
    assert "3 regions of 50 x 55 pixels to train on, one to test on" in ran.out
    for name, pixels in (("mcgsm", 46 * 47), ("ride", 48 * 51)):
        rate = record[name]
        assert (rate["pixels"], rate["seed"], rate["pictures"][0]["name"]) == (pixels, 3, record["test_region"])
        assert f"{rate['model']}: {rate['bits_per_pixel']:.3f} bit/px" in ran.out
        assert f"on {pixels:,} pixels of 1 image, whole images" in ran.out
        assert shape_of(out / f"sample-{name}.png") == (60, 70)
        assert load(out / name).config.layers == (name == "ride")
    assert f"RIDE over the MCGSM: {record['ride_over_mcgsm_bits']:+.3f} ± " in ran.out
    assert f"on the {46 * 47:,} pixels that both predict" in ran.out
    assert set(record["distances"]) == {"original", "mcgsm", "ride"}
    assert f"{record['distances']['ride']['autocorrelation']:.4f}" in ran.out
    assert shape_of(out / "texture.png")[1] == 3 * 70 + 2 * 6
    written = [line.removeprefix("wrote ") for line in ran.out.splitlines() if line.startswith("wrote ")]
    assert len(written) == 6
    assert all(Path(path).is_file() for path in written)

    # Again, nothing is learned anew, and all comes out the same.
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    again = run_apart(*words, "--json")
    assert (again.status, again.err) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    told = json.loads(again.out)
    assert told.pop("written") == written
    assert told == record


def test_small_samples_have_no_statistics_and_colours_stay(ride, tmp_path: Path):
    image, out = save(tmp_path / "colour.png", noise((96, 96, 3))), tmp_path / "run"
    ran = ride("texture", image, "--size", 20, "--channels", 3, "--out", out, *TINY, "--json")
    assert ran.status == 0
    assert json.loads(ran.out)["distances"] == {}
    with Image.open(out / "sample-ride.png") as sample:
        assert (sample.mode, sample.size) == ("RGB", (20, 20))
    gray = json.loads(ride("texture", image, "--size", 50, "--out", tmp_path / "gray", *TINY, "--json").out)
    assert gray["ride"]["channels"] == 1
    assert gray["distances"]["ride"]["marginal"] > 0


def test_gray_of_16_bits_is_a_texture_too(ride, tmp_path: Path):
    image = save(tmp_path / "deep.png", (257 * noise((96, 96)).astype(np.uint16)))
    told = json.loads(ride("texture", image, "--size", 9, "--out", tmp_path / "run", *TINY, "--json").out)
    assert told["ride"]["levels"] == 65536


def transparent(path: Path) -> None:
    pixels = noise((100, 100, 4))
    pixels[..., 3] = 200
    Image.fromarray(pixels, "RGBA").save(path)


def deep_colours(path: Path) -> None:
    # Pillow reads such files and writes none.
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + noise((600,)).tobytes() for _ in range(100))
    header = struct.pack(">IIBBBBB", 100, 100, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: save(path, noise((95, 300))), "too small to split into regions"),
        (lambda path: save(path, np.full((100, 100), 9, dtype=np.uint8)), "no texture to learn"),
        (transparent, "has transparent pixels"),
        (deep_colours, "16 bits in each of its colours"),
        (lambda path: path.write_text("hello"), "no image"),
        (lambda path: None, "there is no file"),
    ],
)
def test_what_is_no_texture_is_told_in_one_line(tmp_path: Path, make, says: str):
    make(tmp_path / "bad.png")
    ran = run_apart("texture", tmp_path / "bad.png", "--out", tmp_path / "run")
    assert says in complaint(ran)
    assert "bad.png" in ran.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--size", 0), "at least 1"),
        (("--length", 0), "length"),
        (("--length", "nan"), "length"),
        (("--hidden", 0), "hidden"),
        (("--neighborhood", 21), "patch must be at least the width of the neighborhood"),
    ],
)
def test_settings_that_make_no_sense(ride, image: Path, tmp_path: Path, words: tuple, says: str):
    assert says in complaint(ride("texture", image, "--out", tmp_path / "run", *words))
    assert not (tmp_path / "run").exists()


def test_a_folder_of_several_images_is_no_texture(ride, image: Path, tmp_path: Path):
    save(tmp_path / "second.png", noise())
    said = complaint(ride("texture", tmp_path, "--out", tmp_path / "run"))
    assert "has 2 images: give the one with the texture" in said
    assert not (tmp_path / "run").exists()


def test_another_texture_is_kept_out_of_a_run(ride, image: Path, tmp_path: Path):
    words = ("--size", 9, "--out", tmp_path / "run", *TINY)
    assert ride("texture", image, *words).status == 0
    other = save(tmp_path / "other.png", noise()[::-1].copy())
    assert "another directory" in complaint(ride("texture", other, *words))
    # With another seed another region is for testing.
    assert "another directory" in complaint(ride("texture", image, *words, "--seed", 1))


def test_an_interrupt_says_how_to_go_on(ride, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ride.experiments.texture.evaluate", interrupted)
    ran = ride("texture", image, "--out", tmp_path / "run", *TINY)
    assert (ran.status, ran.out) == (130, "")
    kept = f"what was learned so far is kept in {tmp_path / 'run'}; the same command goes on from it"
    assert ran.err == f"ride: interrupted: {kept}\n"
    # The first of the short fits that choose the length of the next.
    assert (tmp_path / "run" / "mcgsm" / "length-0.3" / "model.safetensors").exists()
