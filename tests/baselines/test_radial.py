"""Radial parts: their expectations by integration over u, their updates by search."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import gamma

from ride.baselines.radial import Radial, ScaleMixture, Student


def student(nu: float, dimension: int) -> Student:
    radial = Student(dimension, 1).double()
    radial.freedom.fill_(nu)
    return radial


def normal(delta: float, u: float, dimension: int) -> float:
    return math.exp(0.5 * dimension * math.log(u / (2 * math.pi)) - 0.5 * u * delta)


@pytest.mark.parametrize(("nu", "dimension", "delta"), [(3.0, 1, 0.5), (8.0, 4, 2.0), (5.0, 2, 9.0)])
def test_student_is_a_gamma_mixture_of_gaussians(nu: float, dimension: int, delta: float):
    prior = gamma(a=nu / 2, scale=2 / nu)

    def mean(f) -> float:
        return quad(lambda u: f(u) * prior.pdf(u) * normal(delta, u, dimension), 0, 50, epsabs=1e-13, limit=200)[0]

    radial, at = student(nu, dimension), torch.tensor([[delta]], dtype=torch.float64)
    density = mean(lambda u: 1.0)
    assert float(radial.log_density(at)) == pytest.approx(math.log(density), rel=1e-7)
    assert float(radial.precision(at)) == pytest.approx(mean(lambda u: u) / density, rel=1e-7)
    half = torch.full((1, 1), 0.5, dtype=torch.float64)
    expected = mean(lambda u: math.log(u) - u if u > 0 else 0.0) / density
    assert float(radial.statistics(at, half)) == pytest.approx(0.5 * expected, rel=1e-6)


def test_degrees_of_freedom_maximise_the_expected_likelihood():
    # E[log u - u] of a gamma distribution of 7 degrees of freedom is best explained by 7.
    for nu in (0.3, 7.0, 200.0):
        expected = math.log(2 / nu) + float(torch.digamma(torch.tensor(nu / 2, dtype=torch.float64))) - 1
        radial = student(1.0, 3)
        weight = torch.full((1,), 0.25, dtype=torch.float64)
        radial.update(expected * weight[None], weight)
        assert float(radial.freedom) == pytest.approx(nu, rel=1e-6)


def test_a_gaussian_has_as_many_degrees_of_freedom_as_can_be_told():
    radial = student(5.0, 3)
    weight = torch.ones(1, dtype=torch.float64)
    radial.update(-weight[None], weight)  # u = 1
    assert float(radial.freedom) == pytest.approx(1e4, rel=1e-6)
    delta = torch.rand(1, 9, dtype=torch.float64)
    torch.testing.assert_close(radial.log_density(delta), Radial(3, 1).log_density(delta), atol=2e-3, rtol=0)


def test_a_scale_mixture_of_one_scale_is_gaussian():
    delta = 9 * torch.rand(2, 5, dtype=torch.float64)
    mixture, gaussian = ScaleMixture(3, 2, 1).double(), Radial(3, 2)
    torch.testing.assert_close(mixture.log_density(delta), gaussian.log_density(delta))
    torch.testing.assert_close(mixture.precision(delta), gaussian.precision(delta))


def test_scales_weigh_by_their_posterior():
    radial = ScaleMixture(2, 1, 3).double()
    delta = torch.tensor([[1.3]], dtype=torch.float64)
    each = [float(a.exp() * (-0.5 * a.exp() * 1.3).exp()) for a in radial.alpha[:, 0]]
    expected = sum(p * float(a.exp()) for p, a in zip(each, radial.alpha[:, 0], strict=True)) / sum(each)
    assert float(radial.precision(delta)) == pytest.approx(expected, rel=1e-12)


def test_an_empty_scale_stays_finite():
    radial = ScaleMixture(2, 1, 2).double()
    weight = torch.tensor([1.0, 0.0], dtype=torch.float64)[:, None]
    radial.update(torch.cat([weight, 2 * weight]), weight.sum(0))
    torch.testing.assert_close(radial.alpha, torch.zeros_like(radial.alpha), atol=1e-9, rtol=0)
    assert radial.log_pi.isfinite().all()


def test_a_scale_does_not_close_in_on_patches_that_are_alike():
    radial = ScaleMixture(2, 1, 2).double()
    weight = torch.tensor([1.0, 1e-5], dtype=torch.float64)[:, None]
    distances = torch.tensor([2.0, 0.0], dtype=torch.float64)[:, None]
    radial.update(torch.cat([weight, distances]), weight.sum(0), 1e-6)
    # Ten patches at no distance, and one of precision 1: eleven times that, not without end.
    torch.testing.assert_close(radial.alpha[:, 0].exp(), torch.tensor([1.0, 11.0], dtype=torch.float64))
