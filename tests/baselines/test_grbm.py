"""GRBMs: free energy and partition function against all states of the hidden units, Gibbs sampling, training."""

import itertools
import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from ride.baselines.grbm import GRBM, GRBMConfig
from ride.data import seeded
from ride.errors import ConfigError, DataError


def make(dimension=4, hidden=10, scale=0.4):
    """A GRBM in float64 with parameters of order `scale`, and patches."""
    config = GRBMConfig(hidden, steps=300, batch=200, chains=500, temperatures=500)
    model = GRBM(dimension, config).double()
    for parameter in model.parameters():
        parameter.data = scale * torch.randn_like(parameter)
    return model, torch.randn(200, dimension, dtype=torch.float64)


@torch.no_grad()
def states(model):
    """All states of the hidden units [2^H, H], and the log of what is left of e^-E when v is integrated out."""
    h = torch.tensor(list(itertools.product([0.0, 1.0], repeat=model.config.hidden)), dtype=torch.float64)
    sigma, drive = (0.5 * model.log_variance).exp(), h @ model.w.mT
    log_weight = h @ model.c + (drive * (model.b / sigma + 0.5 * drive)).sum(-1)
    return h, log_weight + (sigma * math.sqrt(2 * math.pi)).log().sum()


def energy(model, v, h):
    sigma = (0.5 * model.log_variance).exp()
    return ((v - model.b) ** 2 / (2 * sigma**2)).sum(-1) - h @ model.c - ((v / sigma) * (h @ model.w.mT)).sum(-1)


def test_free_energy_is_the_sum_over_hidden_units():
    model, v = make()
    h, _ = states(model)
    expected = -(-energy(model, v[:, None], h)).logsumexp(-1)
    torch.testing.assert_close(model.free_energy(v), expected)


def test_partition_function_is_within_its_error():
    model, v = make()
    exact = float(states(model)[1].logsumexp(0))
    found = model.estimate_log_z(500, 500, seeded(0))
    assert found.error < 0.05
    assert found.effective > 100
    assert found.value == pytest.approx(exact, abs=3 * found.error)
    assert float(model.log_z) == found.value
    assert float(model.log_z_error) == found.error
    assert float(model.effective) == found.effective
    # With the exact log Z the density is a mixture with a Gaussian for each state.
    model.log_z.fill_(exact)
    h, log_weight = states(model)
    sigma = (0.5 * model.log_variance).exp()
    means = model.b + sigma * (h @ model.w.mT)
    gaussians = MultivariateNormal(means, torch.diag(sigma**2)).log_prob(v[:, None])
    expected = (log_weight - exact + gaussians).logsumexp(-1)
    torch.testing.assert_close(model.log_prob(v), expected)


def test_density_integrates_to_one_with_whitening():
    model, _ = make(dimension=1, hidden=3)
    x = 5 + 3 * torch.randn(500, 1, dtype=torch.float64)
    model.whitening.fit([(x[:, :0], x)])
    model.log_z.fill_(float(states(model)[1].logsumexp(0)))
    grid = torch.linspace(-100, 100, 20_001, dtype=torch.float64)
    assert float(torch.trapezoid(model.log_prob(grid[:, None]).exp(), grid)) == pytest.approx(1, abs=1e-6)


def test_gibbs_sampling_leaves_the_density_as_it_is():
    model, _ = make(dimension=1, hidden=3, scale=1.0)
    model.log_z.fill_(float(states(model)[1].logsumexp(0)))
    generator, v = seeded(0), torch.zeros(20_000, 1, dtype=torch.float64)
    for _ in range(50):
        v = model.gibbs(v, generator)
    grid = torch.linspace(-50, 50, 20_001, dtype=torch.float64)
    density = model.log_prob(grid[:, None]).exp()
    for cut in (-1.0, 0.0, 1.0, 2.0):
        below = float(torch.trapezoid(density[grid <= cut], grid[grid <= cut]))
        assert float((v <= cut).double().mean()) == pytest.approx(below, abs=0.015)


def test_a_new_machine_does_not_know_log_z():
    assert GRBM(4).log_prob(torch.zeros(1, 4)).isnan().all()


def clusters(count, seed):
    """Patches around three corners of a square, most of them around one: two hidden units can say which."""
    generator = seeded(seed)
    corners = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    which = torch.multinomial(torch.tensor([0.7, 0.15, 0.15]), count, True, generator=generator)
    return corners[which] + torch.randn(count, 2, generator=generator)


def test_training_beats_a_gaussian():
    train, held_out = clusters(3000, 1), clusters(1000, 2)
    config = GRBMConfig(4, steps=400, batch=200, rate=2e-2, chains=200, temperatures=200)
    model = GRBM(2, config)
    found = model.fit(train, held_out)
    gaussian = float(MultivariateNormal(train.mean(0), train.T.cov()).log_prob(held_out).mean())
    assert found > gaussian + 0.3
    exact = float(states(model.double())[1].logsumexp(0))
    assert float(model.log_z) == pytest.approx(exact, abs=4 * float(model.log_z_error))


def test_training_goes_on_from_its_directory(tmp_path):
    train, held_out = clusters(500, 1), clusters(200, 2)
    config = GRBMConfig(3, steps=40, batch=50, sweeps=2, chains=20, temperatures=20)
    whole, stopped = GRBM(2, config), GRBM(2, config)
    rate = whole.fit(train, held_out)

    def stop(done, total, message=""):
        if done == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.fit(train, held_out, directory=tmp_path, progress=stop)
    again = GRBM(2, config)
    assert again.fit(train, held_out, directory=tmp_path) == rate
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_what_makes_no_sense():
    with pytest.raises(ConfigError, match="hidden"):
        GRBMConfig(hidden=0)
    with pytest.raises(ConfigError, match="chains"):
        GRBMConfig(chains=1)
    with pytest.raises(ConfigError, match="number"):
        GRBM(0)
    with pytest.raises(DataError):
        GRBM(4).fit(torch.zeros(0, 4), torch.zeros(0, 4))
    assert GRBM(4).log_prob(torch.zeros(0, 4)).shape == (0,)
