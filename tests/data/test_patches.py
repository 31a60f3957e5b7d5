"""Random patches: from where they should be, as many from each picture, a function of the seed."""

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ride.data import Picture
from ride.data.patches import PatchSet, draw_patches
from ride.errors import ConfigError, DataError


def pictures(count: int = 3) -> list[Picture]:
    """Pictures of different sizes whose pixels tell where they are: picture, row and column."""
    shapes = [(9 + k, 12 - k) for k in range(count)]
    found = []
    for k, (height, width) in enumerate(shapes):
        rows, columns = np.mgrid[:height, :width]
        found.append(Picture(f"{k}.png", ((k * 256 + rows * 16 + columns) / 4096).astype(np.float32), None))
    return found


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4))
def test_patches_are_cut_from_the_pictures(count: int, side: int, many: int):
    drawn = draw_patches(pictures(many), count, side)
    assert drawn.values.shape == (count, side, side)
    codes = (drawn.values * 4096).round().long()
    image, row, column = codes // 256, codes // 16 % 16, codes % 16
    assert torch.equal(image, drawn.image[:, None, None].expand_as(image))
    assert torch.equal(row, row[:, :1, :1] + torch.arange(side)[:, None] + torch.zeros_like(row))
    assert torch.equal(column, column[:, :1, :1] + torch.arange(side) + torch.zeros_like(column))
    counts = drawn.image.bincount(minlength=many)
    assert int(counts.max() - counts.min()) <= 1


def test_every_place_has_its_turn():
    drawn = draw_patches(pictures(1), 2000, 8)
    corners = (drawn.values[:, 0, 0] * 4096).round().long()
    assert len(corners.unique()) == (9 - 7) * (12 - 7)


def test_the_order_is_random():
    image = draw_patches(pictures(2), 1000, 3).image
    assert 400 < int((image[1:] != image[:-1]).sum()) < 600


def test_they_are_a_function_of_seed_and_purpose():
    def drawn(seed: int, purpose: str) -> torch.Tensor:
        return draw_patches(pictures(), 30, 4, seed, purpose).values

    assert torch.equal(drawn(1, "train"), drawn(1, "train"))
    assert not torch.equal(drawn(1, "train"), drawn(2, "train"))
    assert not torch.equal(drawn(1, "train"), drawn(1, "valid"))


def test_a_picture_is_dequantised_once():
    pixels = np.arange(12 * 12, dtype=np.uint8).reshape(12, 12)
    drawn = draw_patches([Picture("a.png", pixels, 256)], 500, 2)
    values = drawn.values.flatten()
    levels = (values * 256).floor()
    # All copies of a pixel have the same noise.
    for level in levels.unique():
        assert len(values[levels == level].unique()) == 1
    assert values.min() >= 0
    assert 0.3 < float((values * 256 - levels).mean()) < 0.7


def test_what_is_left_without_the_mean():
    drawn = draw_patches(pictures(), 20, 4)
    less = drawn.without_dc()
    assert less.values.shape == (20, 15)
    assert less.image is drawn.image
    assert drawn.flat().values.shape == (20, 16)
    torch.testing.assert_close(less.values + drawn.means()[:, None], drawn.flat().values[:, :15])


def test_a_picture_smaller_than_a_patch_is_named():
    with pytest.raises(DataError, match=r"2\.png is 11 x 10 pixels, smaller than the patches of 11 x 11"):
        draw_patches([*pictures()[2:]], 10, 11)


def test_what_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DataError, match="no pictures"):
        draw_patches([], 10, 2)
    with pytest.raises(ConfigError, match="count must be at least 1, not 0"):
        draw_patches(pictures(), 0, 2)
    with pytest.raises(ConfigError, match="side must be at least 1, not 0"):
        draw_patches(pictures(), 1, 0)
    color = Picture("c.png", np.zeros((9, 9, 3), dtype=np.uint8), 256)
    with pytest.raises(DataError, match=r"c\.png has 3 channels"):
        draw_patches([color], 1, 2)
    # Users run without the shape checks of the tests.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(DataError, match="3 patches do not go with the pictures of 2"):
        PatchSet(torch.zeros(3, 2, 2), torch.zeros(2, dtype=torch.int64))
