"""Densities of elliptical mixtures: equal to SciPy's, and of integral 1."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t

from ride.baselines import elliptical
from ride.baselines.elliptical import EllipticalMixture, inverse_factor
from ride.baselines.mixtures import GMM, GSM, STM, GMMConfig, GSMConfig, MoGSM, MoGSMConfig, STMConfig
from ride.baselines.radial import ScaleMixture, Student
from ride.errors import ConfigError, DataError


def mixtures(dimension: int) -> list[EllipticalMixture]:
    return [
        GMM(dimension, GMMConfig(components=3, means=True)),
        STM(dimension, STMConfig(components=3, means=True)),
        STM(dimension, STMConfig(components=2)),
        MoGSM(dimension, MoGSMConfig(components=3, scales=2, means=True)),
        GSM(dimension, GSMConfig(scales=4)),
    ]


def by_scipy(model: EllipticalMixture, x: torch.Tensor) -> np.ndarray:
    """The log-density from one of SciPy for each component (and scale) in the units of the patches."""
    whiten, shift = model.whitening.whiten_out, model.whitening.mean_out
    unwhiten = torch.linalg.inv(whiten)
    terms = []
    for k in range(model.components):
        inverse = unwhiten @ torch.linalg.inv(model.factors[k])
        sigma, mean = (inverse @ inverse.T).numpy(), (unwhiten @ model.means[k] + shift).numpy()
        own = float(model.log_pi[k])
        radial = model.radial
        if isinstance(radial, Student):
            terms.append(own + multivariate_t(mean, sigma, df=float(radial.freedom[k])).logpdf(x.numpy()))
        elif isinstance(radial, ScaleMixture):
            for alpha, log_pi in zip(radial.alpha[:, k], radial.log_pi[:, k], strict=True):
                scaled = multivariate_normal(mean, sigma / float(alpha.exp()))
                terms.append(own + float(log_pi) + scaled.logpdf(x.numpy()))
        else:
            terms.append(own + multivariate_normal(mean, sigma).logpdf(x.numpy()))
    return logsumexp(np.stack(terms), axis=0)


@pytest.mark.parametrize("model", mixtures(3) + mixtures(1), ids=lambda m: f"{type(m).__name__}{m.dimension}")
def test_the_density_is_that_of_scipy(model: EllipticalMixture, drawn, monkeypatch: pytest.MonkeyPatch):
    drawn(model)
    # Small, so that all the loops over parts are gone through.
    monkeypatch.setattr(elliptical, "CHUNK", 7)
    monkeypatch.setattr(elliptical, "WIDTH", 7)
    monkeypatch.setattr(elliptical, "AREA", 30)
    x = 3 * torch.randn(20, model.dimension, dtype=torch.float64)
    np.testing.assert_allclose(model.log_prob(x).numpy(), by_scipy(model, x).reshape(-1), rtol=1e-9)


@pytest.mark.parametrize("model", mixtures(1) + mixtures(2), ids=lambda m: f"{type(m).__name__}{m.dimension}")
def test_the_density_integrates_to_one(model: EllipticalMixture, drawn):
    drawn(model)
    # A radius of tan(t), t in (0, pi / 2), so that heavy tails are on the grid, in as many directions as there are.
    around = 2 if model.dimension == 1 else 400
    t, theta = ((torch.arange(n, dtype=torch.float64) + 0.5) / n for n in (1500, around))
    angle = (2 * torch.pi * theta)[:, None, None]
    directions = (
        torch.cat([angle.cos(), angle.sin()], -1) if model.dimension == 2 else (theta - 0.5).sign()[:, None, None]
    )
    radius = (t * torch.pi / 2).tan()[:, None]
    density = model.log_prob((directions * radius).flatten(0, 1)).exp().view(around, -1, 1)
    shell = density.sum(0) * (radius * 2 * torch.pi / around if model.dimension == 2 else 1)
    total = (shell * (1 + radius.square())).sum() * torch.pi / 2 / len(t)
    assert float(total) == pytest.approx(1, abs=1e-4)


def test_no_patches_have_no_density(drawn):
    assert drawn(GMM(2, GMMConfig(components=3))).log_prob(torch.zeros(0, 2, dtype=torch.float64)).shape == (0,)


def test_the_state_is_complete(drawn):
    model = drawn(STM(2, STMConfig(components=3, means=True)))
    other = STM(2, STMConfig(components=3, means=True)).double()
    other.load_state_dict(model.state_dict())
    x = torch.randn(9, 2, dtype=torch.float64)
    assert torch.equal(other.log_prob(x), model.log_prob(x))


def test_inverse_factors():
    root = torch.randn(4, 3, 3, dtype=torch.float64)
    sigma = root @ root.mT
    factor = inverse_factor(sigma)
    torch.testing.assert_close(factor.mT @ factor, torch.linalg.inv(sigma))
    assert not factor.triu(1).any()
    with pytest.raises(DataError, match="not positive definite"):
        inverse_factor(-sigma)


def test_bad_input():
    model = GMM(3, GMMConfig(components=2))
    with pytest.raises(ConfigError, match="patches of 3 numbers, not 2"):
        model.log_prob(torch.zeros(5, 2))
    with pytest.raises(ConfigError, match=r"convert the patches from torch\.float64"):
        model.log_prob(torch.zeros(5, 3, dtype=torch.float64))
    with pytest.raises(ConfigError, match="at least 1 of its dimensions, not 0"):
        GMM(0)
    with pytest.raises(ConfigError, match="at least 1 of its components, not 0"):
        GMM(3, GMMConfig(components=0))
    with pytest.raises(ConfigError, match="at least 1 scale, not 0"):
        GSM(3, GSMConfig(scales=0))
