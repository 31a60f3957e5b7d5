"""Integers say what the trained model says."""

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch
from tests.codec.small import smooth_image

from ride.codec import quantize
from ride.codec.loss import code_length, measure
from ride.data import Picture
from ride.errors import ConfigError, DataError
from ride.models.files import load
from ride.models.ride import RIDE, RIDEConfig

TINY = RIDEConfig(neighborhood=3, hidden=3, components=2, scales=2, features=2)


@pytest.mark.parametrize(("layers", "largest"), [(1, None), (2, None), (2, 0.25), (1, 1e30)])
def test_random_models_lose_less_than_a_thousandth(layers, largest):
    torch.manual_seed(3)
    model = RIDE(replace(TINY, layers=layers, largest_memory=largest))
    image = smooth_image(24, 31)
    model.fit_whitening([(torch.from_numpy(image.astype(np.float32)) + torch.rand(24, 31))[None] / 256])
    with torch.no_grad():
        for parameter in model.layers.parameters():
            parameter.uniform_(-1, 1)
        model.head.a.uniform_(-0.5, 0.5)
        model.head.eta.normal_()
        model.head.b.uniform_(-1, 1)
        model.head.beta.uniform_(0, 1)
    integers = quantize(model)
    loss = measure(model, integers, [Picture("it", image, 256)])
    assert abs(loss.code - loss.length) < 0.001 + 64 / image.size


@pytest.mark.parametrize(("given", "width"), [(1, TINY.neighborhood), (2, TINY.neighborhood), (1, 1)])
def test_models_of_planes_given_others_lose_as_little(given, width):
    torch.manual_seed(5)
    model = RIDE(replace(TINY, given=given, neighborhood=width))
    planes = np.stack([smooth_image(24, 31, seed) for seed in range(1 + given)], axis=2)
    model.fit_whitening([(torch.from_numpy(planes.astype(np.float32)) + torch.rand(planes.shape))[None] / 256])
    integers = quantize(model)
    assert integers.neighborhood.given == given
    loss = measure(model, integers, [Picture("it", planes, 256)])
    # A stream has a beginning; a single given pixel leaves features that steps of integers are coarser for.
    assert abs(loss.code - loss.length) < (0.001 if width > 1 else 0.01) + 64 / (24 * 31)
    # What is given matters.
    other = planes.copy()
    other[..., given] = 255 - other[..., given]
    assert measure(model, integers, [Picture("it", other, 256)]).length > 1.01 * loss.length


def test_the_bundled_model_loses_less_than_a_hundredth_of_a_bit():
    model = load("bsds300")
    image = skimage.data.camera()[200:264, 180:260]
    integers = quantize(model)
    loss = measure(model, integers, [Picture("it", image, 256)])
    assert loss.length < 4
    # A stream has a beginning of some bytes.
    assert loss.code < loss.length + 0.005 + 64 / image.size
    assert loss.pixels == image.size


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"channels": 2}, "2 channels"),
        ({"layers": 0}, "no spatial LSTM"),
        ({"extended": True}, "extended"),
        ({"features": None}, "full matrices"),
        ({"means": True}, "means of their own"),
    ],
)
def test_other_models_are_refused(change, part):
    with pytest.raises(ConfigError, match=part):
        quantize(RIDE(replace(TINY, **change)))


def test_broken_models_are_refused():
    model = RIDE(TINY)
    with torch.no_grad():
        model.head.eta[0, 0] = torch.nan
    with pytest.raises(ConfigError, match="NaN"):
        quantize(model)
    model = RIDE(TINY)
    with torch.no_grad():
        model.head.alpha.fill_(60)
    with pytest.raises(ConfigError, match="precisions"):
        quantize(model)


def test_the_code_length_is_that_of_the_density():
    """Over a level the density is nearly constant where the mixture is wide, so that its logarithm counts."""
    torch.manual_seed(4)
    model = RIDE(TINY).double()
    image = smooth_image(12, 15)
    wide = torch.from_numpy(image / 256) + torch.rand(12, 15).double()
    model.fit_whitening([wide[None]])
    framed = np.pad(image, ((1, 0), (1, 1)))
    framed[0], framed[1, [0, -1]] = image[0, 0], image[0, 0]
    framed[2:, 0], framed[2:, -1] = image[:-1, 0], image[:-1, -1]
    with torch.no_grad():
        density = model.log_prob(torch.from_numpy((framed + 0.5) / 256)[None]).sum() / np.log(2)
    length = code_length(model, image)
    inside = length - 8 * image.size + float(density)
    assert abs(inside) < 1e-3 * image.size


def test_only_images_of_8_bits_are_measured():
    model = RIDE(TINY)
    integers = quantize(model)
    with pytest.raises(DataError, match="deep is not an image of 8 bits"):
        measure(model, integers, [Picture("deep", smooth_image(4, 4).astype(np.uint16), 65536)])
    with pytest.raises(DataError, match="at least one"):
        measure(model, integers, [])
