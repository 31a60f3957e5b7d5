"""Regions of one picture: they cover it, do not overlap, and the seed chooses the one to test on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ride.data import Picture, Regions, split_regions
from ride.data.regions import LEAST_SIDE
from ride.errors import DataError


def numbered(height: int, width: int) -> Picture:
    """Every pixel has a value of its own."""
    values = np.arange(height * width, dtype=np.float32) / (height * width)
    return Picture("a.png", values.reshape(height, width), None)


def all_of(regions: Regions) -> list[Picture]:
    return [*regions.training, regions.test]


@given(st.integers(96, 260), st.integers(96, 260), st.integers(0, 5))
def test_regions_are_equal_and_do_not_overlap(height: int, width: int, seed: int):
    picture = numbered(height, width)
    regions = split_regions(picture, seed)
    assert len(all_of(regions)) == regions.grid**2
    shape = (height // regions.grid, width // regions.grid)
    assert {region.pixels.shape for region in all_of(regions)} == {shape}
    assert min(shape) >= LEAST_SIDE
    values = np.concatenate([region.pixels.ravel() for region in all_of(regions)])
    assert len(np.unique(values)) == len(values)
    assert set(values) <= set(picture.pixels.ravel())


@pytest.mark.parametrize(("side", "grid"), [(640, 4), (192, 4), (191, 3), (144, 3), (143, 2), (96, 2)])
def test_a_small_picture_has_fewer_regions(side: int, grid: int):
    assert split_regions(numbered(side, side)).grid == grid


def test_the_seed_chooses_the_region_to_test_on():
    picture = numbered(200, 200)
    chosen = {split_regions(picture, seed).test.name for seed in range(60)}
    assert len(chosen) > 10
    one, other = split_regions(picture, 3), split_regions(picture, 3)
    assert [region.name for region in all_of(one)] == [region.name for region in all_of(other)]
    # Names tell the place, and the regions to train on stay in order.
    numbers = [int(region.name.split()[-3]) for region in one.training]
    assert numbers == sorted(set(range(1, 17)) - {int(one.test.name.split()[-3])})
    corner = next(region for region in all_of(one) if "region 6 of 16" in region.name)
    np.testing.assert_array_equal(corner.pixels, picture.pixels[50:100, 50:100])


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.zeros((95, 300), dtype=np.uint8), "too small to split"),
        (np.full((100, 100), 7, dtype=np.uint8), "no texture"),
        (np.full((100, 100, 3), 7, dtype=np.uint8), "no texture"),
    ],
)
def test_what_cannot_be_split_is_named(pixels: np.ndarray, says: str):
    with pytest.raises(DataError, match=f"a.png.*{says}"):
        split_regions(Picture("a.png", pixels, 256))
