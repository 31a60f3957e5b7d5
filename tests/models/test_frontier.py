"""The frontier draws exactly what drawing pixel by pixel in raster order would."""

from dataclasses import replace

import pytest
import torch

from ride.errors import ConfigError, DataError
from ride.models.frontier import fill
from ride.models.frontier_reference import fill_raster
from ride.models.ride import RIDE, RIDEConfig

pytestmark = pytest.mark.usefixtures("kernels")

SMALL = RIDEConfig(hidden=4, components=3, scales=2, features=3)
CASES = [
    replace(SMALL, neighborhood=5, layers=1),
    replace(SMALL, neighborhood=3, layers=0),
    replace(SMALL, neighborhood=3, layers=2, extended=True, largest_memory=0.1),
    replace(SMALL, neighborhood=7, layers=1, extended=True),
    replace(SMALL, neighborhood=3, layers=1, channels=2),
    replace(SMALL, neighborhood=5, layers=2, channels=2, means=True),
]
SHAPES = [(6, 7), (3, 11)]


def lively(config, seed=0):
    """A model whose states and mixture matter: larger weights than at the start of training."""
    torch.manual_seed(seed)
    model = RIDE(config).double()
    with torch.no_grad():
        for parameter in model.layers.parameters():
            parameter.uniform_(-1, 1)
        model.head.a.uniform_(-0.5, 0.5)
        model.head.eta.normal_()
    x = torch.rand(2, 20, 20, config.channels, dtype=torch.float64).cumsum(1).cumsum(2) / 100
    model.fit_whitening([x + torch.rand_like(x) / 10])
    return model


def noise(model, batch, height, width, seed=1):
    generator = torch.Generator().manual_seed(seed)
    rows, columns = model.neighborhood.predicted_shape(height, width)
    channels = model.config.channels
    images = torch.rand(batch, height, width, channels, generator=generator, dtype=torch.float64)
    u = torch.rand(batch, rows, columns, generator=generator, dtype=torch.float64)
    z = torch.randn(batch, rows, columns, channels, generator=generator, dtype=torch.float64)
    return images, u, z


def random_mask(height, width):
    generator = torch.Generator().manual_seed(2)
    return torch.rand(height, width, generator=generator) < 0.4


@pytest.mark.parametrize("config", CASES)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
@pytest.mark.parametrize("masked", [False, True])
def test_the_frontier_equals_the_raster_order(config, rows, columns, masked):
    model = lively(config)
    radius = model.neighborhood.radius
    height, width = rows + radius, columns + 2 * radius
    images, u, z = noise(model, 2, height, width)
    mask = random_mask(height, width) if masked else None
    drawn = fill(model, images, mask, u, z)
    torch.testing.assert_close(drawn, fill_raster(model, images, mask, u, z), rtol=1e-12, atol=1e-12)
    assert not torch.equal(drawn, images)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (5, 1), (4, 2)])
def test_grids_narrower_than_the_slope(rows, columns):
    model = lively(CASES[0])
    images, u, z = noise(model, 1, rows + 2, columns + 4)
    expected = fill_raster(model, images, None, u, z)
    torch.testing.assert_close(fill(model, images, None, u, z), expected, rtol=1e-12, atol=1e-12)


def test_a_steeper_frontier_draws_the_same():
    model = lively(CASES[2])
    images, u, z = noise(model, 2, 7, 8)
    for slope in (3, 6):
        steeper = fill(model, images, None, u, z, slope=slope)
        torch.testing.assert_close(steeper, fill(model, images, None, u, z), rtol=1e-12, atol=1e-12)


def test_without_a_neighborhood_pixels_are_independent_draws():
    model = RIDE(RIDEConfig(neighborhood=1, layers=0, components=2, scales=2, features=2)).double()
    images, u, z = noise(model, 2, 4, 5)
    torch.testing.assert_close(fill(model, images, None, u, z), fill_raster(model, images, None, u, z))


@pytest.mark.parametrize("config", [CASES[0], CASES[4]])
def test_context_and_pixels_outside_the_mask_keep_their_bits(config):
    model = lively(config).float()
    radius = model.neighborhood.radius
    images, u, z = (part.float() for part in noise(model, 2, 11, 13))
    before = images.clone()
    everything = fill(model, images, None, u, z)
    assert torch.equal(images, before)
    assert torch.equal(everything[:, :radius], images[:, :radius])
    assert torch.equal(everything[:, :, :radius], images[:, :, :radius])
    assert torch.equal(everything[:, :, -radius:], images[:, :, -radius:])
    mask = random_mask(11, 13)
    drawn = fill(model, images, mask, u, z)
    assert torch.equal(drawn[:, ~mask], images[:, ~mask])
    can = torch.zeros(11, 13, dtype=torch.bool)
    can[radius:, radius:-radius] = True
    assert (drawn[:, mask & can] != images[:, mask & can]).all()
    assert torch.equal(drawn[:, mask & ~can], images[:, mask & ~can])


def test_an_empty_mask_returns_the_images():
    model = lively(CASES[0])
    images, u, z = noise(model, 1, 9, 9)
    drawn = fill(model, images, torch.zeros(9, 9, dtype=torch.bool), u, z)
    assert torch.equal(drawn, images)
    assert drawn is not images


def test_bounds_clip_as_the_pixels_are_drawn():
    model = lively(CASES[0])
    images, u, z = noise(model, 2, 11, 12)
    drawn = fill(model, images, None, u, z, bounds=(0.4, 0.6))
    expected = fill_raster(model, images, None, u, z, bounds=(0.4, 0.6))
    torch.testing.assert_close(drawn, expected, rtol=1e-12, atol=1e-12)
    grid = drawn[:, 2:, 2:-2]
    assert grid.min() == 0.4
    assert grid.max() == 0.6


def test_progress_counts_the_steps():
    model = lively(CASES[0])
    calls = []
    fill(model, *_arguments(model, 8, 11), progress=lambda done, total, message="": calls.append((done, total)))
    steps = 7 + 3 * (6 - 1)
    assert calls == [(k, steps) for k in range(1, steps + 1)]


def test_what_does_not_fit_is_refused():
    model = lively(CASES[0])
    images, mask, u, z = _arguments(model, 9, 9)
    with pytest.raises(ConfigError, match="mask of 9 x 8 pixels"):
        fill(model, images, torch.ones(9, 8, dtype=torch.bool), u, z)
    with pytest.raises(ConfigError, match="noise is needed for 7 x 5"):
        fill(model, images, mask, u[:, 1:], z[:, 1:])
    with pytest.raises(DataError, match="smaller than the neighborhood"):
        fill(model, images[:, :2], mask, u, z)


def _arguments(model, height, width):
    images, u, z = noise(model, 1, height, width)
    return images, None, u, z
