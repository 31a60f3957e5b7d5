"""Sampling: sizes, seeds, borders and bounds."""

import numpy as np
import pytest
import torch
from scipy import stats

from ride.errors import ConfigError
from ride.models.frontier_reference import fill_raster
from ride.models.ride import RIDE, RIDEConfig
from ride.models.sampling import MARGIN, _gaussian

pytestmark = pytest.mark.usefixtures("kernels")


def tiny(channels=1, dtype=torch.float64):
    torch.manual_seed(0)
    model = RIDE(RIDEConfig(neighborhood=3, hidden=2, channels=channels, components=2, scales=2, features=2))
    shape = (2, 30, 30, channels) if channels > 1 else (2, 30, 30)
    pixels = torch.rand(shape, dtype=dtype)
    model.to(dtype).fit_whitening([0.5 + pixels + pixels.roll(1, dims=2)])
    return model


def uneven(channels=1, layers=1):
    """A model whose components and scales differ: what chooses them matters."""
    torch.manual_seed(0)
    config = RIDEConfig(neighborhood=3, layers=layers, hidden=2, channels=channels, components=3, scales=2, features=2)
    model = RIDE(config).double()
    with torch.no_grad():
        for parameter in (*model.layers.parameters(), model.head.a, model.head.eta):
            parameter.uniform_(-1, 1)
        model.head.alpha.uniform_(-2, 2)
    pixels = torch.rand(2, 30, 30, channels, dtype=torch.float64)
    model.fit_whitening([pixels + pixels.roll(1, dims=2)])
    return model


def noise(model, rows, columns, seed, number):
    """What an image of a seed is drawn from: its border, and u and z of its pixels."""
    channels, radius = model.config.channels, model.neighborhood.radius
    state = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(state[0]))

    def normal(*shape):
        return torch.randn(*shape, channels, dtype=torch.float64, generator=generator)

    border = _gaussian(model.whitening, normal(rows + radius, columns + 2 * radius))
    u = torch.rand(rows, columns, dtype=torch.float64, generator=generator)
    return border, u, normal(rows, columns)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sample_is_cut_from_a_larger_image_drawn_pixel_by_pixel(channels):
    model = uneven(channels)
    sample = model.sample(2, 3, batch=2, seed=5).view(2, 2, 3, channels)
    both = [noise(model, 2 + 8, 3 + 2 * 8, 5, number) for number in range(2)]
    border, u, z = (torch.stack(part) for part in zip(*both, strict=True))
    # 8 rows and columns and those of the border are cut off.
    expected = fill_raster(model, border, None, u, z)[:, 9:, 9:-9]
    torch.testing.assert_close(sample, expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_samples_follow_the_model():
    # Without memory the pixels that are cut off have no part in what the others are given.
    model = uneven(layers=0)
    h, y = model.hidden_states(model.sample(6, 6, batch=400))
    ranks = model.head(h).cdf(y)
    assert stats.kstest(ranks.flatten().numpy(), "uniform").pvalue > 0.01


@pytest.mark.parametrize(("channels", "shape"), [(1, (2, 5, 7)), (3, (2, 5, 7, 3))])
def test_shapes(channels, shape):
    sample = tiny(channels).sample(5, 7, batch=2)
    assert sample.shape == shape
    assert sample.isfinite().all()
    assert not sample.requires_grad


@pytest.mark.parametrize("values", [None, torch.tensor([0.2, 0.4])])
def test_a_seed_fixes_the_image_and_the_global_generator_has_no_part(values):
    model = tiny()
    first = model.sample(4, 4, seed=3, values=values)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(first, model.sample(4, 4, seed=3, values=values))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, model.sample(4, 4, seed=4, values=values))


def test_an_image_depends_on_its_seed_and_number_but_not_on_the_batch():
    model = tiny()
    three, two = model.sample(6, 5, batch=3, seed=1), model.sample(6, 5, batch=2, seed=1)
    torch.testing.assert_close(three[:2], two, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(three[0], three[1])
    # Neither is image 1 of seed 0 image 0 of seed 1.
    assert not torch.allclose(model.sample(6, 5, batch=2, seed=0)[1], three[0])


def test_the_border_has_the_mean_and_covariance_of_the_training_pixels():
    torch.manual_seed(0)
    model = RIDE(RIDEConfig(neighborhood=3, layers=0, channels=2, components=2, features=2)).double()
    images = torch.rand(1, 40, 40, 2, dtype=torch.float64)
    images = 3 + images + images.roll(1, dims=2) + 0.5 * images.flip(-1)
    model.fit_whitening([images])
    pixels = model.neighborhood.extract(images)[1].flatten(0, 2)
    drawn = _gaussian(model.whitening, torch.eye(2, dtype=torch.float64))
    root = drawn - model.whitening.mean_out
    torch.testing.assert_close(model.whitening.mean_out, pixels.mean(0))
    torch.testing.assert_close(root.T @ root, torch.cov(pixels.T, correction=0))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_border_can_be_drawn_from_pixels(channels):
    model = tiny(channels)
    values = torch.rand(4, 5, channels)
    a = model.sample(3, 3, values=values)
    assert torch.equal(a, model.sample(3, 3, values=values.flatten(0, 1)))
    assert not torch.equal(a, model.sample(3, 3, values=values + 1))


def test_bounds_hold():
    sample = tiny().sample(8, 8, bounds=(0.9, 1.1))
    assert sample.min() == 0.9
    assert sample.max() == 1.1


def test_progress_ends_at_the_number_of_steps():
    calls = []
    tiny().sample(4, 6, progress=lambda done, total, message="": calls.append((done, total)))
    steps = 6 + 2 * MARGIN + 2 * (4 + MARGIN - 1)
    assert calls[-1] == (steps, steps)
    assert len(calls) == steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 0}, "height"),
        ({"width": -1}, "width"),
        ({"batch": 0}, "batch"),
        ({"seed": -1}, "seed"),
        ({"bounds": (1.0, 0.0)}, "lower bound"),
        ({"values": torch.zeros(0)}, "border values"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        tiny().sample(**{"height": 4, "width": 4, **arguments})


def test_border_values_of_other_channels_are_refused():
    with pytest.raises(ConfigError, match="3 channels"):
        tiny(3).sample(4, 4, values=torch.rand(10))
