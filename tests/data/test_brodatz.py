"""Plates of Brodatz are found by their numbers, however their files are called."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from ride.data import Picture, find_plate, open_plate, without_margins
from ride.errors import ConfigError


@pytest.mark.parametrize("name", ["D12.gif", "d12.png", "D012.png", "sipi_1.1.02_D12.tiff", "brodatz-D12.jpg"])
def test_a_plate_is_found_by_its_number(tmp_path: Path, name: str):
    for other in ("D112.png", "D1.png", "D120.png", "AD12.png", "D12.txt", "D12b.png", "D1_2.png"):
        (tmp_path / other).touch()
    assert find_plate(tmp_path, "D12") is None
    (tmp_path / name).touch()
    assert find_plate(tmp_path, "D12") == tmp_path / name


def test_of_several_files_the_plainest_is_taken(tmp_path: Path):
    for name in ("sipi_1.3.02_D12.tiff", "sipi_1.1.02_D12.tiff"):
        (tmp_path / name).touch()
    assert find_plate(tmp_path, "D12") == tmp_path / "sipi_1.1.02_D12.tiff"
    (tmp_path / "D12.gif").touch()
    assert find_plate(tmp_path, "D12") == tmp_path / "D12.gif"


@given(
    pixels=arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(1, 255)),
    around=st.tuples(*[st.integers(0, 3)] * 4),
)
def test_black_margins_are_cut_off(pixels: NDArray[np.uint8], around: tuple[int, int, int, int]):
    top, bottom, left, right = around
    scan = np.pad(pixels, ((top, bottom), (left, right)))
    assert np.array_equal(without_margins(Picture("scan", scan, 256)).pixels, pixels)


@pytest.mark.parametrize("pixels", [np.zeros((3, 4), np.uint8), np.eye(3, dtype=np.uint8)])
def test_black_within_or_everywhere_stays(pixels: NDArray[np.uint8]):
    assert np.array_equal(without_margins(Picture("scan", pixels, 256)).pixels, pixels)


def test_a_plate_is_opened_or_missed(tmp_path: Path):
    Image.fromarray(np.full((5, 6), 7, dtype=np.uint8)).save(tmp_path / "D4.gif")
    assert open_plate(tmp_path, "D4").pixels.shape == (5, 6)
    with pytest.raises(ConfigError, match=r"no plate D34: name its file D34\.gif"):
        open_plate(tmp_path, "D34")
    with pytest.raises(ConfigError, match="no folder"):
        open_plate(tmp_path / "nothing", "D4")
