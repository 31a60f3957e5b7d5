"""Means, intervals and effective draws, from draws of known distributions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.generation.conftest import picture, square
from torch import Tensor

from ride.errors import ConfigError
from ride.generation.effective import effective_draws
from ride.generation.posterior import Inpainting


def autoregressive(rho: float, length: int, chains: int, quantities: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(length, chains, quantities, dtype=torch.float64, generator=generator)
    x = [noise[0]]
    for step in noise[1:]:
        x.append(rho * x[-1] + math.sqrt(1 - rho**2) * step)
    return torch.stack(x)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_effective_draws_of_a_known_chain(rho: float):
    # The integrated autocorrelation time of a chain of first order is (1 + rho) / (1 - rho).
    draws = autoregressive(rho, 2000, 4, 30)
    expected = 8000 * (1 - rho) / (1 + rho)
    assert float(effective_draws(draws).mean()) == pytest.approx(expected, rel=0.1)


def lag_by_lag(x: Tensor) -> float:
    """The effective draws of one quantity [S, K], as they are defined."""
    length, chains = x.shape
    apart = float(x.mean(0).var()) if chains > 1 else 0.0
    within, centred = float(x.var(0).mean()), x - x.mean(0)
    covariance = [float((centred[lag:] * centred[: length - lag]).sum() / length / chains) for lag in range(length)]
    correlation = [1.0] + [1 - (within - one) / (covariance[0] + apart) for one in covariance[1:]]
    time, least = -1.0, math.inf
    for even, odd in zip(correlation[::2], correlation[1::2], strict=False):
        if even + odd <= 0:
            break
        least = min(least, even + odd)
        time += 2 * least
    return length * chains / max(time, 1.0)


@pytest.mark.parametrize("rho", [-0.5, 0.5, 0.9])
@pytest.mark.parametrize(("length", "chains"), [(60, 1), (60, 4), (41, 3)])
def test_effective_draws_are_those_of_the_definition(rho: float, length: int, chains: int):
    draws = autoregressive(rho, length, chains, 10)
    expected = [lag_by_lag(draws[:, :, quantity]) for quantity in range(10)]
    assert effective_draws(draws).tolist() == pytest.approx(expected, rel=1e-9)


def test_chains_that_are_apart_are_worth_little():
    draws = autoregressive(0.0, 100, 4) + 10 * torch.arange(4).view(1, 4, 1)
    assert float(effective_draws(draws)) < 10


def test_what_never_changes_is_one_draw():
    assert effective_draws(torch.ones(50, 2, 3)).tolist() == [1, 1, 1]
    assert effective_draws(torch.rand(3, 2, 3)).tolist() == [1, 1, 1]


@given(st.integers(4, 40), st.integers(1, 4), st.integers(0, 1000))
def test_there_are_no_more_effective_draws_than_draws(length: int, chains: int, seed: int):
    draws = torch.randn(length, chains, 3, generator=torch.Generator().manual_seed(seed))
    effective = effective_draws(draws)
    assert (effective > 0).all()
    assert (effective <= length * chains + 1e-6).all()


def result_of(draws: Tensor) -> Inpainting:
    """The posterior that such draws [S, K, 6] are from."""
    image, mask = picture(8, 8), square(8, 8, 3, 2, 2, 3)
    now = image.repeat(draws.shape[1], 1, 1)
    return Inpainting(image, mask, now, draws, torch.zeros(1, draws.shape[1]), 10, 0.5, False)


def test_moments_and_intervals_are_those_of_the_draws():
    draws = torch.rand(1000, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    result = result_of(draws)
    low, high = result.interval(0.8)
    assert result.mean[result.mask].numpy() == pytest.approx(draws.mean((0, 1)).numpy())
    assert result.std[result.mask].numpy() == pytest.approx(math.sqrt(1 / 12), abs=0.01)
    assert low[result.mask].numpy() == pytest.approx(0.1, abs=0.03)
    assert high[result.mask].numpy() == pytest.approx(0.9, abs=0.03)
    assert (low[~result.mask] == high[~result.mask]).all()
    assert result.effective == pytest.approx(2000, rel=0.2)


def test_the_best_draw_is_of_the_chain_whose_last_density_is_highest():
    image, mask = picture(8, 8), square(8, 8, 3, 2, 2, 3)
    draws = torch.where(mask, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64).view(3, 1, 1), image)
    density = torch.tensor([[5.0, 1.0, 3.0], [1.0, 4.0, 2.0]])
    result = Inpainting(image, mask, draws, torch.zeros(0, 3, 6), density, 2, 0.5, False)
    assert torch.equal(result.best, draws[1])


@pytest.mark.parametrize(("value", "covered"), [(0.5, 1.0), (0.02, 0.0), (0.99, 0.0)])
def test_coverage_is_the_share_of_pixels_in_their_interval(value: float, covered: float):
    result = result_of(torch.rand(1000, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    truth = torch.where(result.mask, value, result.image)
    assert result.coverage(truth, 0.9) == covered


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_a_level_that_makes_no_sense_is_told(level: float):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        result_of(torch.rand(5, 1, 6)).interval(level)
