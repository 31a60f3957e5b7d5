"""The model as a whole is a product of conditional densities in raster order, equation (1)."""

from dataclasses import replace

import pytest
import torch
from scipy import stats

from ride.errors import ConfigError
from ride.models.frontier import fill
from ride.models.ride import RIDE, RIDEConfig

SMALL = RIDEConfig(neighborhood=3, hidden=3, components=3, scales=2, features=3)
CASES = [
    replace(SMALL, layers=0),
    replace(SMALL, layers=1),
    replace(SMALL, layers=2),
    replace(SMALL, layers=1, extended=True, largest_memory=0.1),
    replace(SMALL, layers=2, extended=True, channels=2),
    replace(SMALL, layers=0, channels=2, means=True),
    replace(SMALL, layers=1, neighborhood=5, features=None),
]
GIVEN = [replace(SMALL, layers=1, given=1), replace(SMALL, layers=0, given=2), replace(SMALL, neighborhood=5, given=2)]
"""Of one plane given others."""
HEIGHT, WIDTH = 6, 8


def lively(config, seed=0):
    """A model whose states and mixture matter: larger weights than at the start of training."""
    torch.manual_seed(seed)
    model = RIDE(config).double()
    with torch.no_grad():
        for parameter in model.layers.parameters():
            parameter.uniform_(-1, 1)
        model.head.a.uniform_(-0.5, 0.5)
        model.head.eta.normal_()
    smooth = torch.rand(2, 20, 20, config.planes, dtype=torch.float64).cumsum(1).cumsum(2) / 100
    model.fit_whitening([smooth + torch.rand_like(smooth) / 10])
    return model


def some_image(config):
    return torch.rand(1, HEIGHT, WIDTH, config.planes, dtype=torch.float64)


@pytest.mark.parametrize("config", CASES)
def test_no_pixel_at_or_after_another_moves_its_log_likelihood(config):
    model = lively(config)
    jacobian = torch.autograd.functional.jacobian(model.log_prob, some_image(config))
    moves = (jacobian[0, :, :, 0] != 0).any(-1)  # [H', W', H, W]
    radius = model.neighborhood.radius
    raster = torch.arange(HEIGHT * WIDTH).view(HEIGHT, WIDTH)
    own = raster[radius:, radius : WIDTH - radius, None, None]
    assert not moves[(raster > own).expand_as(moves)].any()
    assert moves[(raster == own).expand_as(moves)].all()


@pytest.mark.parametrize("config", CASES)
def test_how_far_a_pixel_sees(config):
    model = lively(config)
    radius = model.neighborhood.radius
    jacobian = torch.autograd.functional.jacobian(model.log_prob, some_image(config))
    seen = (jacobian[0, -1, -1, 0] != 0).any(-1)
    near = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    for di, dj in [*model.neighborhood.offsets, (0, 0)]:
        near[HEIGHT - 1 + di, WIDTH - 1 - radius + dj] = True
    assert seen[near].all()
    # Without spatial LSTMs the neighborhood is all; with one, every pixel before has a say.
    assert seen[~near].any() == bool(config.layers)


@pytest.mark.parametrize("config", GIVEN)
def test_given_planes_are_seen_in_the_rows_up_to_the_pixels_and_the_plane_itself_before_it(config):
    model = lively(config)
    jacobian = torch.autograd.functional.jacobian(model.log_prob, some_image(config))
    moves = jacobian[0, :, :, 0] != 0  # [H', W', H, W, planes]
    radius = model.neighborhood.radius
    row, column = (torch.arange(length) for length in (HEIGHT, WIDTH))
    own = (row[radius:, None, None, None], column[radius : WIDTH - radius, None, None])
    later = (row[:, None] > own[0]) | ((row[:, None] == own[0]) & (column > own[1]))
    assert not moves[..., 0][later].any()
    below = (row[:, None] > own[0]).expand(*moves.shape[:4])
    near = ((own[0] - row[:, None]).abs() <= radius) & ((own[1] - column).abs() <= radius)
    for plane in range(1, config.planes):
        assert not moves[..., plane][below].any()
        assert moves[..., plane][near & ~below].all()


@pytest.mark.parametrize("config", GIVEN)
def test_a_model_of_a_plane_given_others_draws_nothing(config):
    with pytest.raises(ConfigError, match="draws none"):
        RIDE(config).sample(8, 8)


@pytest.mark.parametrize("config", [case for case in CASES + GIVEN if case.channels == 1])
@pytest.mark.parametrize("place", [(0, 0), (1, 2), (-1, -1)])
def test_the_density_of_a_pixel_integrates_to_one(config, place):
    assert abs(integral(lively(config), place, (-40, 40, 1601)) - 1) < 1e-9


@pytest.mark.parametrize("config", [case for case in CASES if case.channels == 2])
def test_the_density_of_a_pixel_of_two_channels_integrates_to_one(config):
    assert abs(integral(lively(config), (1, 2), (-24, 24, 81)) - 1) < 1e-6


def integral(model, place, grid):
    """Integrate the conditional density of one pixel over a grid that is even in whitened units."""
    points = torch.linspace(*grid, dtype=torch.float64)
    image = some_image(model.config)
    (i, j), radius, channels = place, model.neighborhood.radius, model.config.channels
    inputs, _ = model.neighborhood.extract(image)
    yhat = torch.cartesian_prod(*[points] * channels).view(-1, channels)
    xhat = model.whitening.whiten_inputs(inputs[0, i, j]).expand(len(yhat), -1)
    images = image.repeat(len(yhat), 1, 1, 1)
    images[:, radius:, radius:-radius, :channels][:, i, j] = model.whitening.invert_outputs(xhat, yhat)
    with torch.no_grad():
        density = model.log_prob(images)[:, i, j].exp()
    volume = (points[1] - points[0]) ** channels / torch.linalg.det(model.whitening.whiten_out)
    return (density.sum() * volume).item()


@pytest.mark.parametrize("config", [CASES[1], CASES[3]])
def test_a_later_pixel_leaves_earlier_densities_alone_so_the_joint_density_is_normalised(config):
    model = lively(config)
    image = some_image(config)
    other = image.clone()
    other[:, -1, -1 - model.neighborhood.radius] += 1
    before, after = model.log_prob(image).flatten(), model.log_prob(other).flatten()
    torch.testing.assert_close(before[:-1], after[:-1], rtol=1e-12, atol=1e-12)
    assert before[-1] != after[-1]


@pytest.mark.parametrize("config", [CASES[0], CASES[1], CASES[3]])
def test_samples_follow_the_model(config):
    model = lively(config)
    batch, rows, columns = 1000, 4, 5
    image = some_image(config)[:, : rows + 1, : columns + 2].repeat(batch, 1, 1, 1)
    u = torch.rand(batch, rows, columns, dtype=torch.float64)
    z = torch.randn(batch, rows, columns, 1, dtype=torch.float64)
    drawn = fill(model, image, None, u, z)
    # The probability integral transform: each value's place in its own conditional distribution is uniform.
    with torch.no_grad():
        h, y = model.hidden_states(drawn)
        ranks = model.head(h).cdf(y)
    assert stats.kstest(ranks.flatten().numpy(), "uniform").pvalue > 0.01
    # And the samples are not merely those of the average pixel.
    assert ranks.view(-1, batch).var(1).min() > 0.07


def test_the_probability_transform_notices_a_wrong_model():
    model, wrong = lively(CASES[1]), lively(CASES[1], seed=1)
    wrong.whitening.load_state_dict(model.whitening.state_dict())
    image = some_image(CASES[1]).repeat(500, 1, 1, 1)
    u, z = torch.rand(500, 5, 6, dtype=torch.float64), torch.randn(500, 5, 6, 1, dtype=torch.float64)
    with torch.no_grad():
        h, y = model.hidden_states(fill(wrong, image, None, u, z))
        ranks = model.head(h).cdf(y)
    assert stats.kstest(ranks.flatten().numpy(), "uniform").pvalue < 1e-6
