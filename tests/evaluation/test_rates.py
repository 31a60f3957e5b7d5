"""Rates against the sums written out by hand, and all that they state."""

import json
import math

import numpy as np
import pytest
import torch

from ride.data import Picture, dequantize, seeded
from ride.errors import ConfigError, DataError
from ride.evaluation import Histogram, Rate, evaluate, gain
from ride.models.ensemble import Ensemble
from ride.models.ride import RIDE, RIDEConfig


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def model_of(channels: int = 1, layers: int = 1) -> RIDE:
    torch.manual_seed(1)
    config = RIDEConfig(layers=layers, hidden=6, components=3, scales=2, features=4, channels=channels)
    model = RIDE(config).double()
    model.fit_whitening([torch.rand(2, 16, 16, *[channels] * (channels > 1), dtype=torch.float64)])
    return model


def pictures(*shapes: tuple[int, ...], seed: int = 0) -> list[Picture]:
    draw = np.random.default_rng(seed)
    return [Picture(f"{k}.png", draw.integers(0, 256, shape, dtype=np.uint8), 256) for k, shape in enumerate(shapes)]


def dequantized(picture: Picture, index: int, seed: int = 0) -> torch.Tensor:
    return dequantize(picture, seeded(seed, index)).double()


def test_whole_images():
    model, data = model_of(), pictures((12, 15), (20, 11), (9, 9))
    rate = evaluate(model, data, seed=3)
    maps = [model.log_prob(dequantized(picture, k, 3)[None]) for k, picture in enumerate(data)]
    values = torch.cat([m.flatten() for m in maps])
    assert rate.nats_per_pixel == pytest.approx(float(values.mean()), rel=1e-12)
    assert rate.bits_per_pixel == pytest.approx(rate.nats_per_pixel / math.log(2), rel=1e-12)
    assert rate.code_length == pytest.approx(8 - rate.bits_per_pixel, rel=1e-12)
    assert (rate.pixels, rate.images, rate.tile, rate.seed) == (10 * 11 + 18 * 7 + 7 * 5, 3, None, 3)
    assert [p.pixels for p in rate.pictures] == [m.numel() for m in maps]
    assert [p.bits_per_pixel for p in rate.pictures] == pytest.approx([float(m.mean()) / math.log(2) for m in maps])


def test_standard_error_of_equal_images_is_the_textbooks():
    data = pictures((9, 9), (9, 9), (9, 9), (9, 9))
    rate = evaluate(model_of(), data)
    bits = np.array([p.bits_per_pixel for p in rate.pictures])
    assert rate.stderr_bits == pytest.approx(bits.std(ddof=1) / math.sqrt(4), rel=1e-9)
    assert evaluate(model_of(), data[:1]).stderr_bits is None


def test_tiles_are_independent_and_the_rest_is_dropped():
    model, data = model_of(), pictures((21, 35))
    image = dequantized(data[0], 0)
    tiles = [image[i : i + 10, j : j + 10] for i in (0, 10) for j in (0, 10, 20)]
    values = torch.cat([model.log_prob(tile[None]).flatten() for tile in tiles])
    rate = evaluate(model, data, tile=10)
    assert rate.pixels == 6 * 8 * 6
    assert rate.nats_per_pixel == pytest.approx(float(values.mean()), rel=1e-12)


def test_the_papers_tiles_have_62_by_60_predicted_pixels():
    assert evaluate(model_of(layers=0), pictures((64, 130)), tile=64).pixels == 2 * 62 * 60


@pytest.mark.parametrize("channels", [1, 3])
def test_ensembles_of_tiles(channels: int):
    model, data = model_of(channels), pictures((18, 27, *[3] * (channels > 1)))
    image = dequantized(data[0], 0)
    tiles = torch.stack([image[i : i + 9, j : j + 9] for i in (0, 9) for j in (0, 9, 18)])
    rate = evaluate(model, data, tile=9, ensemble=True, memory=2**16)
    assert rate.pixels == 6 * 5 * 5
    assert rate.nats_per_pixel * rate.pixels == pytest.approx(float(Ensemble(model).log_prob(tiles).sum()), rel=1e-12)
    assert rate.bits_per_channel == pytest.approx(rate.bits_per_pixel / channels)


def test_the_rate_does_not_depend_on_the_memory():
    model, data = model_of(), pictures((14, 13), (12, 18))
    generous, thrifty = evaluate(model, data), evaluate(model, data, memory=1)
    assert generous.nats_per_pixel == pytest.approx(thrifty.nats_per_pixel, rel=1e-12)


def test_the_noise_depends_on_the_seed_and_the_picture_only():
    model, data = model_of(), pictures((10, 10), (10, 10))
    assert evaluate(model, data) == evaluate(model, data)
    assert evaluate(model, data[:1]).pictures == evaluate(model, data).pictures[:1]
    assert evaluate(model, data, seed=1).bits_per_pixel != evaluate(model, data).bits_per_pixel


def test_a_rate_states_everything():
    data = pictures((10, 10), (10, 10))
    rate = evaluate(model_of(), data, tile=10, ensemble=True, seed=4, name="mine")
    record = json.loads(json.dumps(rate.to_json()))
    stated = {
        "model",
        "nats_per_pixel",
        "bits_per_pixel",
        "stderr_bits",
        "code_length",
        "pixels",
        "images",
        "tile",
    }
    assert stated | {"ensemble", "seed", "levels", "device", "channels", "pictures"} <= record.keys()
    for part in (
        "mine",
        "±",
        "bit/px",
        "nat/px",
        "8-bit",
        "72 pixels",
        "2 images",
        "10 x 10 tiles",
        "8 flips",
        "seed 4",
    ):
        assert part in str(rate)


def test_sixteen_bits_continuous_data_and_mixtures():
    deep = [Picture("a", np.full((9, 9), 30000, dtype=np.uint16), 65536)]
    real = [Picture("b", np.full((9, 9), 0.5, dtype=np.float32), None)]
    model = model_of()
    rate = evaluate(model, deep)
    assert rate.code_length == pytest.approx(16 - rate.bits_per_pixel)
    assert "16-bit" in str(rate)
    assert evaluate(model, real).code_length is None
    assert "continuous" in str(evaluate(model, real))
    assert evaluate(model, [*deep, *real]).levels is None


def test_the_code_of_a_colour_pixel_has_the_bits_of_all_channels():
    rate = evaluate(model_of(3), pictures((9, 9, 3)))
    assert (rate.levels, rate.channels) == (256, 3)
    assert rate.code_length == pytest.approx(24 - rate.bits_per_pixel, rel=1e-12)


def test_maps_and_progress():
    model, data = model_of(), pictures((12, 15), (20, 11))
    maps, seen = [], []
    evaluate(
        model,
        data,
        memory=1,
        each=lambda name, image, values: maps.append((name, tuple(image.shape), tuple(values.shape))),
        progress=lambda done, total, message="": seen.append((done, total, message)),
    )
    assert maps == [("0.png", (12, 15), (10, 11)), ("1.png", (20, 11), (18, 7))]
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1] == (2000, 2000, "1.png")


def test_gains_are_paired():
    data = pictures((12, 15), (20, 11), (9, 9))
    better, baseline = evaluate(model_of(), data), evaluate(model_of(layers=0), data)
    bits, error = gain(better, baseline)
    assert bits == pytest.approx(better.bits_per_pixel - baseline.bits_per_pixel, rel=1e-9)
    assert error is not None
    assert gain(better, better) == (0.0, 0.0)
    with pytest.raises(ConfigError, match="same pictures"):
        gain(better, evaluate(model_of(), data[:2]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": 0}, "tile"),
        ({"tile": 9, "each": lambda name, image, values: None}, "tile"),
        ({"ensemble": True, "each": lambda name, image, values: None}, "ensemble"),
    ],
)
def test_settings_that_make_no_sense(settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        evaluate(model_of(), pictures((12, 12)), **settings)


def test_pictures_that_do_not_fit_are_named():
    with pytest.raises(DataError, match=r"1\.png.*smaller than the neighborhood"):
        evaluate(model_of(), pictures((12, 12), (2, 12)))
    with pytest.raises(DataError, match=r"0\.png.*tile of 64"):
        evaluate(model_of(), pictures((12, 12)), tile=64)
    with pytest.raises(DataError, match=r"0\.png.*ensemble"):
        evaluate(model_of(), pictures((4, 12)), ensemble=True)
    with pytest.raises(DataError, match="no pictures"):
        evaluate(model_of(), [])
    with pytest.raises(ConfigError, match="channels"):
        evaluate(model_of(), pictures((12, 12, 3)))


def test_an_ensemble_of_histograms_is_refused():
    data = pictures((12, 12))
    with pytest.raises(ConfigError, match="factorial"):
        evaluate(Histogram.fit(data), data, ensemble=True)


def test_a_rate_of_one_picture_prints_without_an_error():
    rate = evaluate(model_of(), pictures((9, 9)))
    assert isinstance(rate, Rate)
    assert "±" not in str(rate)
