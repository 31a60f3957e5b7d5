"""The causal neighborhood: which pixels, in which order, at which places."""

import pytest
import torch

from ride.errors import ConfigError, DataError
from ride.models.neighborhood import Neighborhood


@pytest.mark.parametrize(("width", "size"), [(1, 0), (3, 4), (5, 12), (7, 24), (9, 40), (11, 60)])
def test_size(width, size):
    neighborhood = Neighborhood(width)
    assert neighborhood.size == size == len(neighborhood.offsets)


def test_offsets_are_causal_and_in_raster_order_with_the_nearest_last():
    for width in (3, 5, 7):
        offsets = Neighborhood(width).offsets
        assert all(offset < (0, 0) for offset in offsets)
        assert list(offsets) == sorted(offsets)
        assert offsets[-1] == (0, -1)
    assert Neighborhood(3).offsets == ((-1, -1), (-1, 0), (-1, 1), (0, -1))


@pytest.mark.parametrize("width", [0, -1, 4])
def test_a_width_that_is_not_odd_and_positive_is_refused(width):
    with pytest.raises(ConfigError, match=str(width)):
        Neighborhood(width)


@pytest.mark.parametrize("width", [1, 3, 5, 7])
@pytest.mark.parametrize("channels", [1, 3])
def test_extract_equals_the_definition_pixel_by_pixel(width, channels):
    neighborhood = Neighborhood(width)
    r = neighborhood.radius
    images = torch.randn(2, 9, 11, channels, dtype=torch.float64)
    inputs, outputs = neighborhood.extract(images)
    assert inputs.shape == (2, 9 - r, 11 - 2 * r, channels * neighborhood.size)
    assert outputs.shape == (2, 9 - r, 11 - 2 * r, channels)
    for i in range(9 - r):
        for j in range(11 - 2 * r):
            neighbors = [
                images[:, r + i + di, r + j + dj, m] for m in range(channels) for di, dj in neighborhood.offsets
            ]
            expected = torch.stack(neighbors, -1) if neighbors else torch.empty(2, 0, dtype=torch.float64)
            assert torch.equal(inputs[:, i, j], expected)
            assert torch.equal(outputs[:, i, j], images[:, r + i, r + j])


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("given", [1, 2])
def test_given_planes_are_read_in_whole_rows_up_to_the_pixel(width, given):
    neighborhood = Neighborhood(width, given)
    r, before = neighborhood.radius, Neighborhood(width).size
    images = torch.randn(2, 9, 11, 1 + given, dtype=torch.float64)
    inputs, outputs = neighborhood.extract(images)
    assert neighborhood.size == before + given * width * (r + 1)
    assert inputs.shape == (2, 9 - r, 11 - 2 * r, neighborhood.size)
    alone = Neighborhood(width).extract(images[..., :1])
    assert torch.equal(inputs[..., :before], alone[0])
    assert torch.equal(outputs, alone[1])
    for i in range(9 - r):
        for j in range(11 - 2 * r):
            windows = [images[:, i : i + r + 1, j : j + width, 1 + k].flatten(1) for k in range(given)]
            assert torch.equal(inputs[:, i, j, before:], torch.cat(windows, 1))


def test_what_is_given_is_not_negative():
    with pytest.raises(ConfigError, match="at least 0"):
        Neighborhood(5, -1)


def test_a_missing_channel_axis_means_one_channel():
    images = torch.randn(2, 6, 7)
    for flat, deep in zip(Neighborhood().extract(images), Neighborhood().extract(images[..., None]), strict=True):
        assert torch.equal(flat, deep)


def test_gradients_reach_the_pixels():
    images = torch.randn(1, 5, 6, 2, dtype=torch.float64, requires_grad=True)
    for neighborhood in (Neighborhood(3), Neighborhood(3, 1)):
        assert torch.autograd.gradcheck(neighborhood.extract, images)
    plain = Neighborhood(3).extract(images.detach())
    for with_gradient, without in zip(Neighborhood(3).extract(images), plain, strict=True):
        assert torch.equal(with_gradient, without)


def test_the_smallest_image_has_one_predicted_pixel_and_a_smaller_one_is_refused():
    neighborhood = Neighborhood(5)
    assert neighborhood.predicted_shape(3, 5) == (1, 1)
    for shape in [(2, 5), (3, 4)]:
        with pytest.raises(DataError, match=r"smaller than the neighborhood of 3 x 5"):
            neighborhood.extract(torch.zeros(1, *shape))
