"""The conditional distribution of an MCGSM: against torch.distributions, quadrature and its own samples."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from ride.errors import ConfigError
from ride.models.mcgsm import MCGSM

CASES = {
    "factorised": {"inputs": 5},
    "means": {"inputs": 3, "means": True},
    "full": {"inputs": 4, "features": None},
    "two channels": {"inputs": 4, "outputs": 2, "means": True},
    "three channels, full": {"inputs": 2, "outputs": 3, "features": None},
    "no inputs": {"inputs": 0, "means": True},
}


def make(**config) -> MCGSM:
    """An MCGSM with parameters of order 1."""
    model = MCGSM(**{"components": 3, "scales": 2, "features": 4} | config).double()
    for parameter in model.parameters():
        parameter.data.normal_()
    return model


def inputs(model: MCGSM, pixels: int = 20) -> torch.Tensor:
    return torch.randn(pixels, model.inputs, dtype=torch.float64)


def equations(model: MCGSM, x: torch.Tensor) -> MixtureSameFamily:
    """Equations (3) to (5) from the bare parameters, with every K_c and L_c written out."""
    components, scales = model.eta.shape
    logits, means, precisions = [], [], []
    for c in range(components):
        if model.features is None:
            k = model.k_cholesky[c].tril() @ model.k_cholesky[c].tril().T
        else:
            k = torch.stack([model.beta[c, n] ** 2 * torch.outer(b, b) for n, b in enumerate(model.b)]).sum(0)
        factor = torch.eye(model.outputs, dtype=torch.float64)
        if model.cholesky is not None:
            factor = model.cholesky[c].tril().clone()
            factor[0, 0] = 1
        for s in range(scales):
            logits.append(model.eta[c, s] - model.alpha[c, s].exp() / 2 * torch.einsum("pi,ij,pj->p", x, k, x))
            means.append(x @ model.a[c].T + (0 if model.u is None else model.u[c]))
            precisions.append((model.alpha[c, s].exp() * factor @ factor.T).expand(len(x), -1, -1))
    experts = MultivariateNormal(torch.stack(means, 1), precision_matrix=torch.stack(precisions, 1))
    return MixtureSameFamily(Categorical(logits=torch.stack(logits, 1)), experts)


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def model(request) -> MCGSM:
    return make(**request.param)


def test_is_the_mixture_of_equations_3_to_5(model):
    x = inputs(model)
    y = torch.randn(20, model.outputs, dtype=torch.float64)
    ours, theirs = model(x), equations(model, x)
    torch.testing.assert_close(ours.log_prob(y), theirs.log_prob(y), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.mean, theirs.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model.log_prob(x, y), theirs.log_prob(y), rtol=1e-12, atol=1e-12)


def test_cdf_is_that_of_the_mixture():
    model = make(inputs=3)
    x = inputs(model)
    y = torch.randn(20, 1, dtype=torch.float64)
    each = equations(model, x).component_distribution
    normal = torch.distributions.Normal(each.loc.squeeze(-1), each.covariance_matrix.flatten(1).sqrt())
    expected = (equations(model, x).mixture_distribution.probs * normal.cdf(y)).sum(-1)
    torch.testing.assert_close(model(x).cdf(y), expected, rtol=1e-12, atol=1e-14)


def test_batches_of_any_shape():
    model = make(inputs=4, outputs=2)
    x, y = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 2, dtype=torch.float64)
    values = model(x).log_prob(y)
    assert values.shape == (2, 3)
    torch.testing.assert_close(values.flatten(), model.log_prob(x.flatten(0, 1), y.flatten(0, 1)))
    assert model(x).mean.shape == model(x).sample().shape == (2, 3, 2)
    assert model(x[0, 0]).log_prob(y[0, 0]).shape == ()


@pytest.mark.parametrize("name", ["factorised", "means", "full", "no inputs"])
def test_one_channel_integrates_to_1(name):
    model = make(**CASES[name])
    x = inputs(model, 5)
    grid = torch.linspace(-60, 60, 40_001, dtype=torch.float64)
    density = model(x[:, None].expand(-1, len(grid), -1)).log_prob(grid[None, :, None].expand(5, -1, -1)).exp()
    torch.testing.assert_close(torch.trapezoid(density, grid), torch.ones(5, dtype=torch.float64))


def test_two_channels_integrate_to_1():
    model = make(inputs=2, outputs=2, means=True)
    model.cholesky.data[:, 1, 1].abs_().clamp_(min=0.5)  # a nearly flat expert would need a wider grid
    axis = torch.linspace(-40, 40, 801, dtype=torch.float64)
    y = torch.cartesian_prod(axis, axis)
    for x in inputs(model, 2):
        density = model(x.expand(len(y), -1)).log_prob(y).exp()
        assert (density.sum() * (axis[1] - axis[0]) ** 2).item() == pytest.approx(1, abs=1e-8)


def test_cdf_is_the_integral_of_the_density():
    model = make(inputs=3)
    grid = torch.linspace(-60, 60, 40_001, dtype=torch.float64).unsqueeze(1)
    for x in inputs(model, 3):
        given = model(x.expand(len(grid), -1))
        cdf = given.cdf(grid)
        integral = torch.cumulative_trapezoid(given.log_prob(grid).exp(), grid[:, 0])
        torch.testing.assert_close(cdf[1:], integral, rtol=0, atol=1e-5)
        assert (cdf.diff() >= 0).all()
        assert cdf[0] >= 0
        assert cdf[-1] <= 1
        assert cdf[-1].item() == pytest.approx(1, abs=1e-14)


def test_cdf_is_for_one_channel():
    model = make(inputs=3, outputs=2)
    with pytest.raises(ConfigError, match="one channel"):
        model(inputs(model)).cdf(torch.zeros(20, 2, dtype=torch.float64))
    with pytest.raises(ConfigError, match="one channel"):
        model(inputs(model)).cdf(torch.zeros(20, 1, dtype=torch.float64))


def test_samples_are_distributed_as_the_cdf_says():
    model = make(inputs=4, means=True)
    x = inputs(model, 20_000)
    given = model(x)
    y = given.sample(torch.Generator().manual_seed(1))
    assert stats.kstest(given.cdf(y).detach().numpy(), "uniform").pvalue > 0.01


def test_samples_have_the_moments_of_the_mixture():
    model = make(inputs=2, outputs=2, means=True)
    model.cholesky.data[:, 1, 1].abs_().clamp_(min=0.5)
    x = inputs(model, 1)
    expected = equations(model, x)
    y = model(x.expand(200_000, -1)).sample(torch.Generator().manual_seed(1))
    torch.testing.assert_close(y.mean(0), expected.mean[0], rtol=0, atol=0.03)
    torch.testing.assert_close(y.var(0), expected.variance[0], rtol=0.05, atol=0)


def test_draws_of_one_expert_have_its_covariance():
    model = make(inputs=2, outputs=3, components=1, scales=1)
    x = inputs(model, 1)
    expected = equations(model, x).component_distribution
    z = torch.randn(100_000, 3, dtype=torch.float64)
    z = torch.linalg.solve_triangular(torch.linalg.cholesky(z.T.cov()), (z - z.mean(0)).T, upper=False).T
    y = model.draw(x.expand(len(z), -1), torch.rand(len(z), dtype=torch.float64), z.contiguous())
    torch.testing.assert_close(y.T.cov(), expected.covariance_matrix[0, 0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(y.mean(0), expected.mean[0, 0], rtol=1e-9, atol=1e-9)


def test_draw_chooses_by_the_cumulative_gate():
    model = make(inputs=2)
    x = inputs(model, 1)
    gate = model(x).gate.exp().flatten()
    edges = torch.cat([gate.new_zeros(1), gate.cumsum(0)])
    zero = gate.new_zeros(1, 1)
    for index in range(6):
        mean = model.a[index // 2] @ x[0]
        for u in (edges[index] + 1e-12, edges[index + 1] - 1e-12):
            torch.testing.assert_close(model.draw(x, u.view(1), zero)[0], mean, rtol=0, atol=0)
            high = model.draw(x, u.view(1), zero + 1)[0] - mean
            torch.testing.assert_close(high, (-model.alpha.flatten()[index] / 2).exp().view(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("u", [0.0, 1 - 2**-24])
def test_draw_never_chooses_what_has_no_probability(dtype, u):
    model = make(inputs=2, means=True).to(dtype)
    model.eta.data.fill_(-1e9)
    model.eta.data[1] = 0
    model.u.data.copy_(torch.tensor([[1e6], [0.0], [1e6]]))
    x = inputs(model, 50).to(dtype) * 0.1
    y = model.draw(x, torch.full((50,), u, dtype=dtype), torch.zeros(50, 1, dtype=dtype))
    assert (y < 1e3).all()


def test_draw_depends_on_the_noise_alone():
    model = make(inputs=3, outputs=2)
    x, u, z = inputs(model), torch.rand(20, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)
    y = model.draw(x, u, z)
    torch.testing.assert_close(y, model(x).draw(u, z), rtol=0, atol=0)
    torch.testing.assert_close(y[:7], model.draw(x[:7], u[:7], z[:7]), rtol=1e-12, atol=1e-12)
    assert not y.requires_grad


def test_a_seed_makes_the_samples():
    model = make(inputs=3)
    given = model(inputs(model))
    one, same, other = (given.sample(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert not torch.equal(one, other)


def test_a_gaussian_has_its_entropy():
    model = make(inputs=0, components=1, scales=1, means=True)
    y = model(inputs(model, 100_000)).sample(torch.Generator().manual_seed(1))
    entropy = 0.5 * (1 + math.log(2 * math.pi) - model.alpha.item())
    assert -model.mean_log_prob(inputs(model, 100_000), y).item() == pytest.approx(entropy, abs=0.02)
