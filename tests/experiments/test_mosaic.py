"""Pictures side by side."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ride.errors import OutputError
from ride.experiments.mosaic import GAP, GRAYS, LABEL, write_mosaic


def gray(value: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width), value, dtype=np.uint8)


def test_every_picture_has_its_place_under_its_title(tmp_path: Path):
    path = tmp_path / "a.png"
    write_mosaic(path, [[("one", gray(10)), ("two", gray(100))], [("three", gray(200, 10, 30))]])
    with Image.open(path) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (2 * (20 + LABEL) + GAP, 60 + GAP)
    assert (pixels[LABEL : LABEL + 20, :30] == 10).all()
    assert (pixels[LABEL : LABEL + 20, 30 + GAP :] == 100).all()
    lower = 20 + LABEL + GAP
    assert (pixels[lower + LABEL : lower + LABEL + 10, :30] == 200).all()
    assert (pixels[lower + LABEL + 10 :] == 255).all()
    # The titles are there, between the pictures is nothing.
    assert (pixels[:LABEL, :30] < 100).any()
    assert (pixels[:LABEL, -5:] == 255).all()
    assert (pixels[LABEL : LABEL + 20, 30 : 30 + GAP] == 255).all()


def test_a_few_grays_are_as_near_as_they_can_be(tmp_path: Path):
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(8, 0)
    write_mosaic(tmp_path / "few.png", [[("", ramp)]], few_grays=True)
    with Image.open(tmp_path / "few.png") as image:
        drawn = np.asarray(image.convert("L"))[LABEL:]
    assert len(np.unique(drawn)) == GRAYS
    assert np.abs(drawn.astype(int) - ramp).max() <= 256 // GRAYS


def test_a_few_grays_take_about_half_the_bytes(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    for name, few in (("all.png", False), ("few.png", True)):
        write_mosaic(tmp_path / name, [[("", noise)]], few_grays=few)
    assert (tmp_path / "few.png").stat().st_size < 0.6 * (tmp_path / "all.png").stat().st_size


def test_colours_stay(tmp_path: Path):
    red = np.zeros((9, 9, 3), dtype=np.uint8)
    red[..., 0] = 255
    write_mosaic(tmp_path / "a.png", [[("", gray(7, 9, 9)), ("", red)]])
    with Image.open(tmp_path / "a.png") as image:
        assert image.getpixel((9 + GAP, LABEL)) == (255, 0, 0)
        assert image.getpixel((0, LABEL)) == (7, 7, 7)


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path):
    with pytest.raises(OutputError):
        write_mosaic(tmp_path / "missing" / "a.png", [[("", gray(7))]])
    assert not list(tmp_path.iterdir())
