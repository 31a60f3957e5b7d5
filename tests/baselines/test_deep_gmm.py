"""Deep GMMs: the density path by path, its integral, samples, and what training does."""

import itertools
import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from ride.baselines.deep_gmm import DeepGMM, DeepGMMConfig
from ride.data import seeded
from ride.errors import ConfigError, DataError


def make(dimension=3, transformations=(2, 3)):
    """A deep GMM in float64 with parameters of order 1 and whitening of its own, and patches."""
    model = DeepGMM(dimension, DeepGMMConfig(transformations, steps=200, batch=100)).double()
    x = torch.randn(500, dimension, dtype=torch.float64) @ torch.randn(dimension, dimension, dtype=torch.float64) + 1
    model.whitening.fit([(x[:, :0], x)])
    for parameter in model.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    return model, x


def path_by_path(model, x):
    """The density as the paper writes it: a Gaussian for each path, A and b of whose layers are multiplied out."""
    found = []
    pi = model.logits.flatten().softmax(0).reshape(model.logits.shape)
    whitening = model.whitening.whiten_out
    for path in itertools.product(*map(range, model.logits.shape)):
        mean, root = torch.zeros(model.dimension).double(), torch.eye(model.dimension).double()
        for j, w, b in reversed(list(zip(path, model.w, model.b, strict=True))):
            mean, root = torch.linalg.inv(w[j]) @ mean + b[j], torch.linalg.inv(w[j]) @ root
        mean, root = torch.linalg.inv(whitening) @ mean + model.whitening.mean_out, torch.linalg.inv(whitening) @ root
        found.append(pi[path].log() + MultivariateNormal(mean, root @ root.T).log_prob(x))
    return torch.stack(found).logsumexp(0)


@pytest.mark.parametrize("transformations", [(1,), (4,), (2, 3), (2, 1, 3)])
def test_density_is_the_sum_over_paths(transformations):
    model, x = make(transformations=transformations)
    torch.testing.assert_close(model.log_prob(x), path_by_path(model, x), rtol=1e-9, atol=1e-8)
    torch.testing.assert_close(model.mean_log_prob(x), model.log_prob(x).mean())


def test_density_integrates_to_one():
    model, x = make(dimension=1)
    for w in model.w:  # so that no path is too wide for the grid
        w.data.abs_().clamp_(min=0.3)
    grid = torch.linspace(-300, 300, 600_001, dtype=torch.float64) * float(x.std()) + float(x.mean())
    density = model.log_prob(grid[:, None]).exp()
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=1e-3)


def test_gradients():
    model, x = make(dimension=2)
    names, values = zip(*model.named_parameters(), strict=True)

    def mean(*values):
        named = {f"model.{name}": value for name, value in zip(names, values, strict=True)}
        return torch.func.functional_call(Mean(model), named, x[:5])

    assert torch.autograd.gradcheck(mean, tuple(value.detach().clone().requires_grad_() for value in values))


class Mean(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model.mean_log_prob(x)


def test_samples_have_the_moments_of_the_density():
    model, _ = make(dimension=1, transformations=(2, 2))
    for w in model.w:
        w.data.abs_().clamp_(min=0.3)
    drawn = model.sample(40_000, seeded(0))
    grid = torch.linspace(-100, 100, 200_001, dtype=torch.float64)
    density = model.log_prob(grid[:, None]).exp()
    for cut in (-2.0, 0.0, 2.0):
        below = torch.trapezoid(density[grid <= cut], grid[grid <= cut])
        assert float((drawn <= cut).double().mean()) == pytest.approx(float(below), abs=0.01)


def heavy(count, seed):
    """Patches of 4 numbers whose contrast varies, correlated."""
    generator = seeded(seed)
    z = torch.randn(count, 4, generator=generator) * torch.randn(count, 1, generator=generator).exp()
    return z @ torch.tensor([[1.0, 0.9, 0.5, 0.0], [0, 0.5, 0.4, 0.2], [0, 0, 0.3, 0.2], [0, 0, 0, 0.2]]) + 2


def test_training_beats_a_gaussian():
    train, held_out = heavy(4000, 1), heavy(2000, 2)
    config = DeepGMMConfig((3, 3), steps=150, batch=200)
    model = DeepGMM(4, config)
    found = model.fit(train, held_out, seed=3)
    assert found == pytest.approx(float(model.log_prob(held_out).mean()), abs=1e-4)
    gaussian = MultivariateNormal(train.mean(0), train.T.cov()).log_prob(held_out).mean()
    assert found > float(gaussian) + 0.5


def test_training_goes_on_from_its_directory(tmp_path):
    train, held_out = heavy(1000, 1), heavy(500, 2)
    config = DeepGMMConfig((2, 2), steps=40, batch=50)
    whole, stopped = DeepGMM(4, config), DeepGMM(4, config)
    rate = whole.fit(train, held_out)

    def stop(done, total, message=""):
        if done == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.fit(train, held_out, directory=tmp_path, progress=stop)
    again = DeepGMM(4, config)
    assert again.fit(train, held_out, directory=tmp_path) == rate
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_state_is_complete():
    model, x = make()
    other = DeepGMM(model.dimension, model.config).double()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.log_prob(x), model.log_prob(x))
    assert model.log_prob(x[:0]).shape == (0,)


def test_what_makes_no_sense():
    with pytest.raises(ConfigError, match="layer"):
        DeepGMMConfig(())
    with pytest.raises(ConfigError, match="transformation"):
        DeepGMMConfig((2, 0))
    with pytest.raises(ConfigError, match="number"):
        DeepGMM(0)
    with pytest.raises(DataError):
        DeepGMM(4).fit(torch.zeros(0, 4), torch.zeros(0, 4))
    assert math.isfinite(float(DeepGMM(4).log_prob(torch.zeros(1, 4))))
