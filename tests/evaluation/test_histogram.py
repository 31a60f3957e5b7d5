"""The factorial baseline: what a code of single pixels reaches, in the units of the models."""

import math

import numpy as np
import pytest
import torch

from ride.data import Picture
from ride.errors import ConfigError, DataError
from ride.evaluation import Histogram, evaluate
from ride.models.neighborhood import Neighborhood


def picture(values: np.ndarray, levels: int | None = 256) -> Picture:
    return Picture("a.png", values, levels)


def test_the_code_length_is_the_entropy():
    # All 256 values equally often in training: 8 bits a pixel whatever the test image.
    uniform = picture(np.arange(256, dtype=np.uint8).reshape(16, 16))
    rate = evaluate(Histogram.fit([uniform]), [picture(np.full((9, 9), 7, dtype=np.uint8))])
    assert rate.code_length == pytest.approx(8.0, abs=1e-12)
    assert rate.bits_per_pixel == pytest.approx(0.0, abs=1e-12)


def test_two_values_cost_a_bit_each():
    values = np.where(np.indices((1000, 1000)).sum(0) % 2, 40, 200).astype(np.uint8)
    rate = evaluate(Histogram.fit([picture(values)]), [picture(values[:50, :50])])
    assert rate.code_length == pytest.approx(1.0, abs=1e-3)


def test_the_density_integrates_to_one():
    draw = np.random.default_rng(0)
    for levels, bins in ((256, 256), (None, 100)):
        values = draw.random((30, 30)).astype(np.float32)
        pixels = (values * 256).astype(np.uint8) if levels else values
        histogram = Histogram.fit([picture(pixels, levels)], neighborhood=Neighborhood(1))
        assert histogram.bins == bins
        grid = (torch.arange(bins * 4, dtype=torch.float64) + 0.5) / (bins * 4)
        density = histogram.log_prob(grid.view(1, 1, -1)).exp()
        assert float(density.mean()) == pytest.approx(1.0, rel=1e-12)


def test_unseen_values_are_possible():
    dark = picture(np.zeros((20, 20), dtype=np.uint8))
    bright = picture(np.full((20, 20), 255, dtype=np.uint8))
    assert math.isfinite(evaluate(Histogram.fit([dark]), [bright]).bits_per_pixel)


def test_it_scores_the_pixels_that_the_model_beside_it_predicts():
    data = [picture(np.arange(400, dtype=np.uint16).astype(np.uint8).reshape(20, 20))]
    histogram = Histogram.fit(data, neighborhood=Neighborhood(9))
    assert evaluate(histogram, data).pixels == 16 * 12
    values = histogram.log_prob(torch.full((1, 20, 20), 0.5, dtype=torch.float64))
    assert values.shape == (1, 16, 12)


def test_channels_have_histograms_of_their_own():
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[..., 1] = np.arange(256, dtype=np.uint8).reshape(16, 16)
    one = [Histogram.fit([picture(image[..., k])]) for k in range(3)]
    flat = torch.rand(1, 8, 8, 3, dtype=torch.float64)
    together = Histogram.fit([picture(image)]).log_prob(flat)
    apart = sum(own.log_prob(flat[..., k]) for k, own in enumerate(one))
    torch.testing.assert_close(together, apart)


def test_bad_requests():
    data = [picture(np.zeros((9, 9), dtype=np.uint8))]
    with pytest.raises(ConfigError, match="bin"):
        Histogram.fit(data, bins=0)
    with pytest.raises(DataError, match="no pictures"):
        Histogram.fit([])
    with pytest.raises(DataError, match="channels"):
        Histogram.fit([*data, picture(np.zeros((9, 9, 3), dtype=np.uint8))])
    with pytest.raises(ConfigError, match="channels"):
        Histogram.fit(data).log_prob(torch.rand(1, 9, 9, 3))
