"""Integers say what the trained model says."""

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch
from tests.codec.small import smooth_image

from ride.codec import quantize
from ride.codec.integer import IntegerModel
from ride.codec.modelled import Plan, encode_tiles
from ride.codec.sheet import Shape, Sheet
from ride.errors import ConfigError
from ride.models.files import load
from ride.models.ride import RIDE, RIDEConfig

TINY = RIDEConfig(neighborhood=3, hidden=3, components=2, scales=2, features=2)


def code_length(model: RIDE, integers: IntegerModel, image: np.ndarray) -> float:
    """Bits of an image under the integral of the float mixture over each level, tails at the ends."""
    rows, columns = image.shape
    sheet = Sheet([Shape(rows, columns, int(image[0, 0]))], integers.neighborhood)
    sheet.fill(0, image)
    x = torch.from_numpy(sheet.pixels / 2**15 + 0.5 + 1 / 512)
    levels = torch.from_numpy(image.astype(np.float64))[None, ..., None]
    with torch.no_grad():
        model = model.double()
        inputs, _ = model.pairs(x[None])
        # Raster order: a model of one layer or more has its own.
        h = inputs
        for layer in model.stack:
            h = layer(h)
        dist = model.head(h)

        def below(edge: torch.Tensor) -> torch.Tensor:
            return dist.cdf(model.whitening.whiten_outputs(inputs, edge / 256))

        low = torch.where(levels == 0, 0.0, below(levels).unsqueeze(-1))
        high = torch.where(levels == 255, 1.0, below(levels + 1).unsqueeze(-1))
    return float(-(high - low).log2().sum())


@pytest.mark.parametrize("layers", [1, 2])
def test_random_models_lose_less_than_a_thousandth(layers):
    torch.manual_seed(3)
    model = RIDE(replace(TINY, layers=layers))
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
    plan = Plan(Shape(*image.shape, int(image[0, 0])), np.arange(256).astype(np.uint8))
    bits = 8 * len(encode_tiles(integers, [image], [plan])[0])
    assert abs(bits - 32 - code_length(model, integers, image)) < 0.001 * image.size + 32


def test_the_bundled_model_loses_less_than_a_hundredth_of_a_bit():
    model = load("bsds300")
    image = skimage.data.camera()[200:264, 180:260]
    integers = quantize(model)
    plan = Plan(Shape(*image.shape, int(image[0, 0])), np.arange(256).astype(np.uint8))
    bits = 8 * len(encode_tiles(integers, [image], [plan])[0])
    assert bits < code_length(model, integers, image) + 0.01 * image.size + 32


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
