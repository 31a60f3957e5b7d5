"""RIDE on padded patches: against a twin that pads by hand, causality, normalisation."""

from dataclasses import replace

import pytest
import torch
from tests.models.patches.small import correlated, lively_ride
from torch import Tensor

from ride.errors import ConfigError
from ride.models.patches import PatchRIDE, PatchRIDEConfig

SMALL = PatchRIDEConfig(side=4, neighborhood=3, layers=1, hidden=3, components=3, scales=2, features=3)
CASES = [
    SMALL,
    replace(SMALL, layers=0),
    replace(SMALL, layers=0, indicators=True),
    replace(SMALL, layers=2, indicators=True),
    replace(SMALL, layers=2, drop_last=False, neighborhood=5),
    replace(SMALL, layers=1, drop_last=False, extended=True, means=True, indicators=True),
]


def by_hand(model: PatchRIDE, patch: Tensor) -> list[Tensor]:
    """Log-likelihoods of the pixels of one patch, one cell after another."""
    config, r = model.config, model.neighborhood.radius
    side, head, white = config.side, model.head, model.whitening
    offsets = [(di, dj) for di in range(-r, 1) for dj in range(-r, r + 1) if (di, dj) < (0, 0)]

    def neighbor(i: int, j: int) -> tuple[Tensor, float]:
        if 0 <= i < side and 0 <= j < side:
            return patch[i * side + j] - model.mean, 0.0
        return torch.zeros((), dtype=torch.float64), 1.0

    states: dict[tuple[int, int, int], tuple[Tensor, Tensor]] = {}
    zero = (torch.zeros(1, config.hidden, dtype=torch.float64),) * 2
    values = []
    for i in range(side):
        for j in range(side):
            if i * side + j == model.dimension:
                break
            around = [neighbor(i + di, j + dj) for di, dj in offsets]
            x = torch.stack([value for value, _ in around])
            xhat = white.whiten_in @ (x - white.mean_in)
            y = patch[i * side + j] - model.mean
            yhat = white.whiten_out[0, 0] * (y - white.mean_out[0] - white.predictor[0] @ xhat)
            told = torch.tensor([outside for _, outside in around], dtype=torch.float64)
            h = (torch.cat([xhat, told]) if config.indicators else xhat)[None]
            for depth, layer in enumerate(model.stack):
                (h_left, c_left), (h_up, c_up) = (
                    states.get((depth, *place), zero) for place in ((i, j - 1), (i - 1, j))
                )
                h, c = layer.step(h, h_left, h_up, c_left, c_up)
                states[depth, i, j] = h, c
            values.append(head(h).log_prob(yhat.view(1, 1)).squeeze() + white.log_jacobian)
    return values


@pytest.mark.parametrize("config", CASES)
def test_it_agrees_with_padding_by_hand(config: PatchRIDEConfig):
    model, x = lively_ride(config), correlated(3, config.dimension) + 0.3
    values = model.log_probs(x)
    expected = torch.stack([torch.stack(by_hand(model, patch)) for patch in x])
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(model.log_prob(x), values.sum(1))
    torch.testing.assert_close(model.mean_log_prob(x), values.sum(1).mean())


@pytest.mark.parametrize("config", CASES)
def test_no_pixel_after_another_moves_its_log_likelihood(config: PatchRIDEConfig):
    model, d = lively_ride(config), config.dimension
    moves = torch.autograd.functional.jacobian(model.log_probs, correlated(1, d))[0, :, 0] != 0
    assert not moves.triu(1).any()
    assert moves.diagonal().all()
    # Of the pixels before it, those above and to the left have a say through the states.
    if config.layers:
        assert moves[15 - config.drop_last, 0]


@pytest.mark.parametrize("config", [replace(case, side=2, drop_last=True) for case in CASES])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_density_of_a_pixel_integrates_to_one(config: PatchRIDEConfig, number: int):
    model = lively_ride(config)
    scale = float(model.whitening.whiten_out)
    points = torch.linspace(-60, 60, 6001, dtype=torch.float64) / scale
    x = correlated(1, 3).repeat(len(points), 1)
    x[:, number] = points
    density = model.log_probs(x)[:, number].detach().exp()
    assert abs(float(torch.trapezoid(density, points)) - 1) < 1e-6


def test_the_gradient_in_training_is_that_of_the_log_likelihood():
    model = lively_ride(CASES[3])
    x, parameters = correlated(5, 15), list(model.parameters())
    for value in (model.mean_log_prob, lambda x: model.log_prob(x).mean()):
        gradients = torch.autograd.grad(value(x), parameters)
        if value == model.mean_log_prob:
            first = gradients
    for a, b in zip(first, gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_padding_is_seen_where_it_is():
    model = PatchRIDE(replace(SMALL, indicators=True))
    assert model.padding.shape == (4, 4, 4)
    # Above left, above, above right, left.
    assert model.padding[0, 0].tolist() == [1, 1, 1, 1]
    assert model.padding[0, 2].tolist() == [1, 1, 1, 0]
    assert model.padding[2, 0].tolist() == [1, 0, 0, 1]
    assert model.padding[2, 3].tolist() == [0, 0, 1, 0]
    assert model.padding[2, 2].sum() == 0
    assert "padding" not in model.state_dict()


@pytest.mark.parametrize("side", [1, 2])
def test_neighbors_that_are_always_padding_do_no_harm(side: int):
    # Of the 12 neighbors many never lie inside: their variance is zero.
    model = PatchRIDE(PatchRIDEConfig(side=side, drop_last=False, layers=1, hidden=3))
    x = correlated(300, side**2).float()
    model.fit_whitening(x)
    assert model.whitening.whiten_in.isfinite().all()
    assert model.log_prob(x).isfinite().all()


def test_the_mean_pixel_is_what_surrounds_a_patch():
    # Patches that differ by a constant are told apart by it, not by how they stand out from zeros.
    config = replace(SMALL, drop_last=False)
    x = correlated(300, 16)
    values = []
    for shift in (0.0, 5.0):
        torch.manual_seed(0)
        model = PatchRIDE(config).double()
        model.fit_whitening(x + shift)
        values.append(model.log_prob(x + shift))
    torch.testing.assert_close(*values)


def test_sizes_must_make_sense():
    with pytest.raises(ConfigError, match="hidden must be at least 1, not 0"):
        PatchRIDEConfig(hidden=0)
    with pytest.raises(ConfigError, match="layers must be 0"):
        PatchRIDEConfig(layers=-1)
    with pytest.raises(ConfigError, match="none left"):
        PatchRIDEConfig(side=1)
    with pytest.raises(ConfigError, match="of 63 numbers, not 64"):
        PatchRIDE().log_prob(torch.zeros(2, 64))
