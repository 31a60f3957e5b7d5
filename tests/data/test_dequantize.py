"""Noise stays within the step of its pixel, exactly, and is uniform there."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from ride.data import Picture, dequantize, seeded
from ride.data.dequantize import add_noise

KINDS = {256: np.uint8, 65536: np.uint16}


@given(data=st.data(), levels=st.sampled_from([256, 65536]), seed=st.integers(0, 2**31))
def test_rounding_down_gives_the_pixel_back(data: st.DataObject, levels: int, seed: int):
    shape = data.draw(arrays.array_shapes(min_dims=2, max_dims=3, max_side=20))
    pixels = data.draw(arrays.arrays(KINDS[levels], shape))
    values = dequantize(Picture("x", pixels, levels), seeded(seed))
    assert values.shape == shape
    assert values.dtype == torch.float32
    assert float(values.min()) >= 0
    assert float(values.max()) < 1
    np.testing.assert_array_equal((values * levels).floor().int().numpy(), pixels)


@pytest.mark.parametrize("levels", [256, 65536])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_not_even_the_largest_noise_reaches_the_next_pixel(levels: int, share: float, monkeypatch: pytest.MonkeyPatch):
    largest = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
    monkeypatch.setattr(torch, "rand", lambda shape, generator: largest.expand(shape).clone())
    pixel = int(share * (levels - 1))
    values = add_noise(torch.full((3,), pixel, dtype=torch.int32), levels, seeded(0))
    assert ((values * levels).floor() == pixel).all()
    assert (values < 1).all()


def test_the_noise_is_uniform():
    # Small pixels, beside which the float32 grid is fine.
    values = dequantize(Picture("x", np.full((100, 100), 3, dtype=np.uint8), 256), seeded("uniform"))
    assert stats.kstest((values.double().numpy() * 256 - 3).ravel(), "uniform").pvalue > 0.01


def test_the_generator_decides():
    picture = Picture("x", np.arange(30, dtype=np.uint8).reshape(5, 6), 256)
    first, again, other = (dequantize(picture, seeded("noise", seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)


def test_continuous_pictures_come_back_as_they_are():
    pixels = np.random.default_rng(0).random((4, 5, 3), dtype=np.float32)
    values = dequantize(Picture("x", pixels, None), seeded(0))
    np.testing.assert_array_equal(values.numpy(), pixels)


def test_the_picture_is_left_alone():
    for pixels, levels in ((np.zeros((3, 3), np.uint8), 256), (np.zeros((3, 3), np.float32), None)):
        dequantize(Picture("x", pixels, levels), seeded(0)).fill_(7)
        assert levels is None or not pixels.any()


def test_pixels_may_lie_in_any_order():
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)[::-1, ::2].T
    values = dequantize(Picture("x", pixels, 256), seeded(0))
    np.testing.assert_array_equal((values * 256).floor().int().numpy(), pixels)
