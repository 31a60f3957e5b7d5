"""`ride inpaint`, as a person types it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tests.cli.conftest import Ran, complaint, run_apart, shape_of
from tests.cli.test_interrupt import interrupting

from ride.generation.inpainting import _Chains, inpaint
from ride.models.files import load, save
from ride.models.ride import RIDE, RIDEConfig

Ride = Callable[..., Ran]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A smooth image of 40 x 44 pixels."""
    draw = np.random.default_rng(0)
    x = np.add.outer(np.linspace(40, 160, 40), np.linspace(0, 60, 44)) + draw.normal(0, 4, (40, 44))
    path = tmp_path / "photo.png"
    Image.fromarray(x.astype(np.uint8)).save(path)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A hole of 6 x 5 pixels with room around it, and a pixel at the border."""
    path = tmp_path / "mask.png"
    Image.fromarray(holes()).save(path)
    return path


def holes() -> NDArray[np.uint8]:
    pixels = np.zeros((40, 44), np.uint8)
    pixels[18:24, 20:25] = 255
    pixels[39, 43] = 255
    return pixels


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_hole_is_filled_and_the_rest_stays(model: Path, photo: Path, mask: Path, tmp_path: Path):
    soft = holes()
    soft[39, 43] = 1
    Image.fromarray(soft).save(mask)
    out = tmp_path / "out.png"
    words = ("--sweeps", 3, "--chains", 2, "--threads", 1, "--out", out, "--json")
    ran = run_apart("inpaint", model, photo, "--mask", mask, *words)
    assert ran.status == 0
    told = "has values between 0 and 255, the largest, in 1 pixel: they count as missing, too"
    assert ran.err == f"ride: {mask} {told}\n"
    said = json.loads(ran.out)
    assert said["written"] == [str(tmp_path / f"out{part}.png") for part in ("", "-mean", "-std", "-all")]
    assert (said["missing"], said["sweeps"], said["chains"], said["continued"]) == (31, 3, 2, True)
    assert 0 <= said["accepted"] <= 1
    assert len(said["log_density_nats"]) == 2
    given, hole = pixels_of(photo), holes() != 0
    for name in ("out.png", "out-mean.png"):
        filled = pixels_of(tmp_path / name)
        assert np.array_equal(filled[~hole], given[~hole])
        assert not np.array_equal(filled[hole], given[hole])
    assert not pixels_of(tmp_path / "out-std.png")[~hole].any()
    assert shape_of(tmp_path / "out-all.png")[1] > 400


@pytest.mark.parametrize("option", ["flips", "exact"])
def test_sweeps_are_made_as_they_are_asked_for(
    ride: Ride, model: Path, photo: Path, mask: Path, tmp_path: Path, option: str
):
    out = tmp_path / "out.npy"
    assert ride("inpaint", model, photo, "--mask", mask, "--sweeps", 2, f"--{option}", "--out", out).status == 0
    ways: dict[str, Any] = {option: True}
    expected = inpaint(load(model), pixels_of(photo), pixels_of(mask) > 0, 2, **ways)
    assert np.array_equal(np.load(out), expected.best.numpy())


def test_the_same_seed_fills_the_same(ride: Ride, model: Path, photo: Path, mask: Path, tmp_path: Path):
    names = [tmp_path / f"{name}.npy" for name in "abcd"]
    # The same hole, as numpy keeps it, and in a color that is black in gray.
    np.save(tmp_path / "hole.npy", holes() != 0)
    dark = (holes() != 0).astype(np.uint8)
    Image.fromarray(np.dstack([dark, 0 * dark, 0 * dark])).save(tmp_path / "dark.png")
    masks = (mask, tmp_path / "hole.npy", tmp_path / "dark.png", mask)
    for out, seed, hole in zip(names, (1, 1, 1, 2), masks, strict=True):
        ran = ride("inpaint", model, photo, "--mask", hole, "--sweeps", 1, "--seed", seed, "--out", out)
        assert ran.status == 0
        assert "31 missing pixels, 1 chain, 1 sweep:" in ran.out
        assert "continued there by its mirror image" in ran.out
    first, *again, other = map(np.load, names)
    assert all(np.array_equal(first, one) for one in again)
    assert not np.array_equal(first, other)


def test_the_most_probable_pixels(ride: Ride, model: Path, photo: Path, mask: Path, tmp_path: Path):
    out = tmp_path / "map.png"
    # Nothing is said of a mask of two values, whatever they are.
    Image.fromarray(holes() // 28).save(mask)
    ran = ride("inpaint", model, photo, "--mask", mask, "--map", "--steps", 3, "--out", out)
    assert (ran.status, ran.err) == (0, "")
    assert f"wrote {out}, the most probable pixels found in 3 steps" in ran.out
    assert np.array_equal(pixels_of(out)[holes() == 0], pixels_of(photo)[holes() == 0])
    assert not (tmp_path / "map-mean.png").exists()


def test_an_interrupt_leaves_the_picture_and_the_chains(
    ride: Ride, model: Path, photo: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, keep = tmp_path / "out.npy", tmp_path / "chains"
    words = ("inpaint", model, photo, "--mask", mask, "--sweeps", 8, "--out", out)
    with monkeypatch.context() as patched:
        patched.setattr(_Chains, "sweep", interrupting(6, _Chains.sweep))
        ran = ride(*words, "--keep", keep)
    assert ran.status == 130
    assert ran.err == f"ride: interrupted: the picture so far is {out}; the same command goes on from {keep}\n"
    assert np.load(out).shape == (40, 44)
    with monkeypatch.context() as patched:
        # The two that are missing are enough.
        patched.setattr(_Chains, "sweep", interrupting(2, _Chains.sweep))
        assert ride(*words, "--keep", keep).status == 0
    in_parts = np.load(out)
    assert ride(*words).status == 0
    assert np.array_equal(np.load(out), in_parts)


@pytest.fixture
def colour_model(tmp_path: Path) -> Path:
    """A model of three channels."""
    torch.manual_seed(0)
    tiny = RIDE(RIDEConfig(channels=3, hidden=3, components=2, scales=2, features=2))
    tiny.fit_whitening([torch.rand(2, 12, 12, 3)])
    path = tmp_path / "colours.safetensors"
    save(tiny, path, {"made": "at random"})
    return path


@pytest.mark.parametrize("end", ["png", "npy"])
def test_an_image_has_the_channels_of_the_model(
    ride: Ride, model: Path, colour_model: Path, photo: Path, tmp_path: Path, end: str
):
    gray = pixels_of(photo)
    tinted = np.dstack([gray, gray, gray])
    tinted[39, 0, 2] ^= 1
    names = [tmp_path / f"{name}.{end}" for name in ("gray", "stored-in-rgb", "tinted")]
    for path, pixels in zip(names, (gray, np.dstack([gray, gray, gray]), tinted), strict=True):
        if end == "png":
            Image.fromarray(pixels).save(path)
        else:
            np.save(path, pixels)
    outs = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    # A mask may be of any kind.
    Image.fromarray(np.dstack([holes(), holes(), 0 * holes()])).save(tmp_path / "yellow.png")

    def fill(by: Path, image: Path, out: Path) -> Ran:
        return ride("inpaint", by, image, "--mask", tmp_path / "yellow.png", "--sweeps", 1, "--out", out)

    for image, out in zip(names[:2], outs, strict=False):
        assert fill(model, image, out).status == 0
    assert np.array_equal(pixels_of(outs[0]), pixels_of(outs[1]))
    said = complaint(fill(model, names[2], outs[2]))
    assert f"{names[2]} is in colour and {model} is for gray images: convert the image to gray first" in said
    said = complaint(fill(colour_model, names[0], outs[2]))
    assert f"{names[0]} is gray and {colour_model} is for colours: convert the image to RGB" in said
    assert not list(tmp_path.glob("c*.png"))
    assert fill(colour_model, names[2], outs[2]).status == 0
    hole = holes() != 0
    assert np.array_equal(pixels_of(outs[2])[~hole], tinted[~hole])


@pytest.mark.parametrize(
    ("words", "hint"),
    [((), "; with --keep FOLDER it could go on from here"), (("--keep", "chains"), ""), (("--map",), "")],
    ids=["drawing", "keeping", "climbing"],
)
def test_an_interrupt_before_anything_was_written_says_so(
    ride: Ride,
    model: Path,
    photo: Path,
    mask: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    hint: str,
):
    monkeypatch.chdir(tmp_path)
    for place in ("ride.generation.inpainting.ancestral", "ride.generation.maximum.ancestral"):
        monkeypatch.setattr(place, interrupting(0, print))
    # That of an earlier run is no picture of this one.
    (tmp_path / "out.png").write_bytes(photo.read_bytes())
    ran = ride("inpaint", model, photo, "--mask", mask, "--out", "out.png", *words)
    assert (ran.status, ran.out) == (130, "")
    assert ran.err == f"ride: interrupted: no picture was written; the same command starts again{hint}\n"


def test_without_matplotlib_there_is_no_overview(
    ride: Ride, model: Path, photo: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out, overview = tmp_path / "out.png", tmp_path / "out-all.png"
    ran = ride("inpaint", model, photo, "--mask", mask, "--sweeps", 1, "--out", out)
    assert ran.status == 0
    assert ran.err.startswith(f"ride: note: {overview} is not written: it needs matplotlib")
    assert out.exists()
    assert not overview.exists()
    assert str(overview) not in ran.out
    maps = tmp_path / "maps"
    assert "--maps needs matplotlib" in complaint(ride("evaluate", model, photo, "--maps", maps))
    assert not maps.exists()


def test_bad_input_is_one_line(ride: Ride, model: Path, photo: Path, mask: Path, tmp_path: Path):
    def image(name: str, pixels: NDArray[np.generic]) -> Path:
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    clear, full = np.zeros((40, 44), np.uint8), np.full((40, 44), 255, np.uint8)
    veiled = np.dstack([clear, clear, clear, holes()])
    np.save(tmp_path / "range.npy", np.full((40, 44), 200.0, np.float32))
    np.save(tmp_path / "many.npy", np.zeros((2, 40, 44), np.uint8))
    out = ("--out", tmp_path / "out.png")
    for words, part in (
        ((photo, "--mask", tmp_path / "none.png"), "none.png"),
        ((photo, "--mask", image("small.png", clear[:30])), "mask of 30 x 44 pixels does not fit"),
        ((photo, "--mask", image("clear.png", clear)), "is empty"),
        ((photo, "--mask", image("full.png", full)), "covers all of"),
        ((image("veiled.png", veiled), "--mask", mask), "transparent"),
        ((image("deep.png", clear.astype(np.uint16)), "--mask", mask), "16 bits"),
        ((tmp_path / "range.npy", "--mask", mask), "range"),
        ((tmp_path / "many.npy", "--mask", mask), "more than one image"),
        ((photo, "--mask", mask, "--sweeps", -1, "--keep", tmp_path / "keep"), "sweeps"),
        ((photo, "--mask", mask, "--chains", 0), "--chains must be at least 1, not 0"),
        ((photo, "--mask", mask, "--chains", 0, "--map"), "--chains must be at least 1, not 0"),
        ((photo, "--mask", mask, "--map", "--keep", tmp_path / "keep"), "leave --keep out"),
        ((photo, "--mask", mask, "--map", "--flips"), "leave --flips out"),
        ((photo, "--mask", mask, "--map", "--exact"), "leave --exact out"),
    ):
        assert part in complaint(ride("inpaint", model, *words, *out))
    mean = image("x-mean.png", np.asarray(Image.open(photo)))
    for source, file, given in ((photo, photo, photo), (photo, mask, mask), (mean, mean, tmp_path / "x.png")):
        before = file.read_bytes()
        over = ride("inpaint", model, source, "--mask", mask, "--out", given)
        assert f"{file} would be written over what it is made of" in complaint(over)
        assert file.read_bytes() == before
    assert not list(tmp_path.glob("out*"))
    assert not (tmp_path / "keep").exists()
    assert ride("inpaint", model, photo).status == 2
