"""From nats without the DC component to bits per pixel: the determinant, the table, the mean's density."""

import math

import pytest
import torch

from ride.errors import ConfigError
from ride.evaluation.dc_component import (
    PAPER_DC_NATS,
    bits_per_pixel,
    dc_nats,
    dc_nats_of_histogram,
    fit_dc,
    log_det,
    preprocessing,
)
from ride.models.patches import without_dc


@pytest.mark.parametrize("side", [1, 2, 3, 8])
def test_the_determinant_is_that_of_the_matrix(side: int):
    assert float(torch.linalg.slogdet(preprocessing(side)).logabsdet) == pytest.approx(log_det(side), abs=1e-10)


def test_the_matrix_is_what_is_done_to_patches():
    patches = torch.rand(10, 8, 8, dtype=torch.float64)
    mapped = patches.flatten(1) @ preprocessing(8).T
    torch.testing.assert_close(mapped[:, :63], without_dc(patches))
    torch.testing.assert_close(mapped[:, 63], patches.mean((1, 2)))


@pytest.mark.parametrize(
    ("nats", "bits"),
    [(152.1, 3.346), (143.2, 3.146), (155.2, 3.416), (157.0, 3.457), (156.2, 3.439), (156.4, 3.443), (158.1, 3.481)],
)
def test_rows_of_table_1(nats: float, bits: float):
    assert log_det(8) == pytest.approx(-4.1589, abs=5e-5)
    assert bits_per_pixel(nats, PAPER_DC_NATS) == pytest.approx(bits, abs=1.2e-3)


def test_the_density_of_whole_patches_is_the_product():
    # For white noise all three parts are known.
    side, spread = 3, 0.2
    patches = spread * torch.randn(100, side, side, dtype=torch.float64)
    rest = torch.distributions.MultivariateNormal(
        torch.zeros(side**2 - 1, dtype=torch.float64),
        (spread**2 * preprocessing(side) @ preprocessing(side).T)[:-1, :-1],
    )
    mean = torch.distributions.Normal(0.0, spread / side)
    whole = torch.distributions.Normal(0.0, spread).log_prob(patches).sum((1, 2))
    nats = rest.log_prob(without_dc(patches)).mean()
    dc = mean.log_prob(patches.mean((1, 2))).mean()
    expected = float(whole.mean()) / side**2 / math.log(2)
    assert bits_per_pixel(float(nats), float(dc), side) == pytest.approx(expected)


def test_mixture_and_histogram_find_a_density_of_two_humps():
    generator = torch.Generator().manual_seed(0)

    def draw(count: int) -> torch.Tensor:
        low = torch.rand(count, generator=generator) < 0.3
        return torch.where(low, 0.3, 0.7) + 0.05 * torch.randn(count, generator=generator)

    means, others = draw(4000), draw(20_000)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.tensor([0.3, 0.7])),
        torch.distributions.Normal(torch.tensor([0.3, 0.7]), 0.05),
    )
    expected = float(mixture.log_prob(others).mean())
    torch.manual_seed(1)
    density = fit_dc(means, components=4, scales=2)
    found = dc_nats(density, others)
    assert found == pytest.approx(expected, abs=0.02)
    assert dc_nats_of_histogram(means, others) == pytest.approx(expected, abs=0.05)
    # A function of the means alone.
    torch.manual_seed(2)
    assert dc_nats(fit_dc(means, components=4, scales=2), others) == found
    points = torch.linspace(-1, 2, 6001)
    with torch.no_grad():
        assert float(torch.trapezoid(density.log_prob(points[:, None]).exp(), points)) == pytest.approx(1, abs=1e-3)


def test_sizes_must_make_sense():
    with pytest.raises(ConfigError, match="at least 1 pixel a side"):
        bits_per_pixel(1.0, 1.0, 0)
    with pytest.raises(ConfigError, match="at least one bin"):
        dc_nats_of_histogram(torch.rand(5), torch.rand(5), bins=0)
