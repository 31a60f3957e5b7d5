"""Diffusion models: the bound against its terms written out and against the density, by quadrature over the noise."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ride.baselines.diffusion import Diffusion, DiffusionConfig
from ride.data import seeded
from ride.errors import ConfigError, DataError

NODES, WEIGHTS = (torch.from_numpy(values) for values in np.polynomial.hermite_e.hermegauss(60))


def make(dimension=1, levels=7, **config):
    return Diffusion(dimension, DiffusionConfig(levels=levels, hidden=8, layers=1, gates=4, **config)).double()


class Linear(Diffusion):
    """Knows the posterior of Gaussian patches with mean 0 and this variance."""

    variance = 1.0

    def posterior(self, noisy, lambda_t):
        alpha, noise = lambda_t.sigmoid().sqrt(), (-lambda_t).sigmoid()
        whole = alpha**2 * self.variance + noise
        return alpha * self.variance / whole * noisy, (self.variance * noise / whole).log().expand_as(noisy)


@torch.no_grad()
def bound(model, x):
    """The bound of whitened patches [P, 1], its noise integrated out by quadrature."""
    total = torch.zeros(len(x), dtype=torch.float64)
    for level in range(1, model.config.levels + 1):
        t = torch.full((len(x) * len(NODES),), level)
        values = model.bound_at(x.repeat_interleave(len(NODES), 0), t, NODES.repeat(len(x))[:, None])
        total += values.reshape(len(x), -1) @ (WEIGHTS / WEIGHTS.sum())
    return total / model.config.levels


@pytest.mark.parametrize("levels", [1, 2, 50])
@pytest.mark.parametrize("variance", [0.1, 1.0, 3.0])
def test_bound_is_tight_for_gaussians(variance, levels):
    model = Linear(1, DiffusionConfig(levels=levels, snr=(8.0, -40.0) if levels > 1 else (-40.0, -41.0))).double()
    model.variance = variance
    x = torch.linspace(-3, 3, 5, dtype=torch.float64)[:, None]
    expected = Normal(0.0, torch.tensor(variance, dtype=torch.float64).sqrt()).log_prob(x[:, 0])
    torch.testing.assert_close(bound(model, x), expected, rtol=1e-9, atol=1e-9)


def test_a_new_model_is_a_standard_gaussian():
    x = torch.linspace(-3, 3, 5, dtype=torch.float64)[:, None]
    torch.testing.assert_close(bound(make(snr=(8.0, -40.0)), x), Normal(0.0, 1.0).log_prob(x[:, 0]))


@torch.no_grad()
def test_the_bound_is_that_of_the_equation():
    model = make()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)

    def level(t):
        alpha = model.log_snr(torch.tensor(t)).sigmoid().sqrt()
        return (alpha, (1 - alpha**2).sqrt()) if t else (one, zero)

    x = torch.tensor(0.7, dtype=torch.float64)
    alpha, sigma = level(model.config.levels)
    expected = -kl_divergence(Normal(alpha * x, sigma), Normal(zero, one))
    for t in range(1, model.config.levels + 1):
        (alpha, sigma), (alpha_s, sigma_s) = level(t), level(t - 1)
        noisy = alpha * x + sigma * NODES[:, None]
        mean, log_variance = model.posterior(noisy, model.log_snr(torch.full((len(NODES), 1), t)))
        if t == 1:
            terms = Normal(mean, (0.5 * log_variance).exp()).log_prob(x)
        else:
            step = sigma**2 - (alpha / alpha_s * sigma_s) ** 2  # variance of x_t given x_t-1
            gain = alpha_s * step / sigma**2
            rest = alpha / alpha_s * sigma_s**2 / sigma**2 * noisy
            variance = step * sigma_s**2 / sigma**2
            back = Normal(rest + gain * mean, (variance + gain**2 * log_variance.exp()).sqrt())
            terms = -kl_divergence(Normal(rest + gain * x, variance.sqrt()), back)
        expected = expected + terms[:, 0] @ (WEIGHTS / WEIGHTS.sum())
    assert float(bound(model, x[None, None])) == pytest.approx(float(expected), abs=1e-9)


def mixture(count, seed):
    """Numbers from two Gaussians."""
    generator = seeded(seed)
    side = torch.randint(2, (count, 1), generator=generator).float() * 2 - 1
    return 3 + 2 * side + 0.5 * torch.randn(count, 1, generator=generator)


def log_density(x):
    return torch.stack([Normal(1.0, 0.5).log_prob(x), Normal(5.0, 0.5).log_prob(x)]).logsumexp(0) - math.log(2)


def test_bound_of_a_trained_model_is_below_its_data_and_above_a_gaussian():
    train, held_out = mixture(4000, 1), mixture(1000, 2)
    config = DiffusionConfig(levels=20, hidden=32, layers=1, gates=8, steps=300, batch=200, rate=1e-2, draws=20)
    model = Diffusion(1, config)
    model.fit(train, held_out)
    assert model.bound
    whole = float(model.log_prob(held_out).mean())
    gaussian = float(Normal(train.mean(), train.std()).log_prob(held_out).mean())
    assert gaussian + 0.3 < whole < float(log_density(held_out).mean()) + 0.01
    # The bound is below a density, so that its exponential integrates to less than 1.
    model.double()
    grid = torch.linspace(-10, 16, 521, dtype=torch.float64)[:, None]
    values = bound(model, model.whitening.whiten_outputs(grid[:, :0], grid)) + model.whitening.log_jacobian
    assert 0.5 < float(torch.trapezoid(values.exp(), grid[:, 0])) < 1


def test_the_estimate_is_that_of_the_bound():
    model = make(levels=7, draws=700)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    x = torch.tensor([[0.7]], dtype=torch.float64).expand(100, 1)
    expected = float(bound(model, x[:1])[0])
    for draws in (3, 7, 100):
        found = model.log_prob(x, draws=draws)
        assert float(found.mean()) == pytest.approx(expected, abs=4 * float(found.std()) / 10)
    assert torch.equal(model.log_prob(x, draws=3, seed=1), model.log_prob(x, draws=3, seed=1))
    assert not torch.equal(model.log_prob(x, draws=3, seed=1), model.log_prob(x, draws=3, seed=2))
    # Patches that are scored one part after another do not share their noise.
    y = x + 1e-9 * torch.arange(100, dtype=torch.float64)[:, None]
    assert torch.corrcoef(torch.stack([model.log_prob(x, draws=1), model.log_prob(y, draws=1)]))[0, 1].abs() < 0.5


def test_whitening_is_part_of_the_density():
    x = torch.randn(2000, 2) @ torch.tensor([[3.0, 1.0], [0.0, 0.1]]) + 4
    model = Diffusion(2, DiffusionConfig(levels=10, draws=50))
    model.whitening.fit([(x[:, :0], x)])
    expected = MultivariateNormal(x.mean(0), x.T.cov()).log_prob(x).mean()
    assert float(model.log_prob(x).mean()) == pytest.approx(float(expected), abs=0.02)


def test_training_goes_on_from_its_directory(tmp_path):
    train, held_out = mixture(500, 1), mixture(200, 2)
    config = DiffusionConfig(levels=10, hidden=8, layers=1, gates=4, steps=40, batch=50)
    whole, stopped = Diffusion(1, config), Diffusion(1, config)
    rate = whole.fit(train, held_out)

    def stop(done, total, message=""):
        if done == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.fit(train, held_out, directory=tmp_path, progress=stop)
    again = Diffusion(1, config)
    assert again.fit(train, held_out, directory=tmp_path) == rate
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_what_makes_no_sense():
    with pytest.raises(ConfigError, match="levels"):
        DiffusionConfig(levels=0)
    with pytest.raises(ConfigError, match="fall"):
        DiffusionConfig(snr=(-1.0, 1.0))
    with pytest.raises(ConfigError, match="number"):
        Diffusion(0)
    with pytest.raises(ConfigError, match="draw"):
        make().log_prob(torch.zeros(1, 1).double(), draws=-1)
    with pytest.raises(DataError):
        make().fit(torch.zeros(0, 1).double(), torch.zeros(0, 1).double())
    assert make().log_prob(torch.zeros(0, 1).double()).shape == (0,)
