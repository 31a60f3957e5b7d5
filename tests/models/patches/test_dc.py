"""Removing the DC component, and what is left of a patch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ride.errors import DataError
from ride.models.patches import side_of, with_last_pixel, without_dc


@given(st.integers(2, 6), st.booleans())
def test_a_patch_comes_back_up_to_its_mean(side: int, flat: bool):
    patches = torch.rand(5, side, side, dtype=torch.float64)
    values = without_dc(patches.flatten(1) if flat else patches)
    assert values.shape == (5, side**2 - 1)
    centred = patches - patches.mean((1, 2), keepdim=True)
    torch.testing.assert_close(with_last_pixel(values), centred)
    torch.testing.assert_close(without_dc(with_last_pixel(values)), values)


def test_by_hand():
    values = without_dc(torch.tensor([[[1.0, 2.0], [3.0, 6.0]]]))
    assert values.tolist() == [[-2.0, -1.0, 0.0]]
    assert with_last_pixel(values).tolist() == [[[-2.0, -1.0], [0.0, 3.0]]]


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 5), (2, 2, 8)])
def test_patches_are_square(shape: tuple[int, ...]):
    with pytest.raises(DataError, match="square"):
        without_dc(torch.rand(shape))


def test_numbers_of_no_patch():
    with pytest.raises(DataError, match="62 numbers"):
        with_last_pixel(torch.rand(2, 62))
    with pytest.raises(DataError, match="62 numbers"):
        side_of(62)


@given(st.integers(2, 40))
def test_side_of(side: int):
    assert side_of(side**2) == (side, False)
    assert side_of(side**2 - 1) == (side, True)
