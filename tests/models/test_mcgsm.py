"""The MCGSM as a module: parameters, structure, invariants, errors."""

import copy

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ride.errors import ConfigError
from ride.models.mcgsm import MCGSM

SIZES = st.fixed_dictionaries(
    {
        "inputs": st.integers(0, 5),
        "outputs": st.integers(1, 3),
        "components": st.integers(1, 4),
        "scales": st.integers(1, 3),
        "features": st.none() | st.integers(1, 4),
        "means": st.booleans(),
    }
)


def make(**config):
    """An MCGSM with parameters of order 1, inputs and outputs."""
    model = MCGSM(**config).double()
    for parameter in model.parameters():
        parameter.data.normal_()
    x = torch.randn(30, model.inputs, dtype=torch.float64)
    y = torch.randn(30, model.outputs, dtype=torch.float64)
    return model, x, y


def shapes(model: MCGSM) -> dict[str, tuple[int, ...]]:
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def test_parameters():
    plain = {"eta": (32, 4), "alpha": (32, 4), "beta": (32, 32), "b": (32, 12), "a": (32, 1, 12)}
    assert shapes(MCGSM(12)) == plain
    assert shapes(MCGSM(12, 3, 8, 2, 16, means=True)) == {
        "eta": (8, 2),
        "alpha": (8, 2),
        "beta": (8, 16),
        "b": (16, 12),
        "a": (8, 3, 12),
        "cholesky": (8, 3, 3),
        "u": (8, 3),
    }
    assert shapes(MCGSM(12, features=None)) == {
        "eta": (32, 4),
        "alpha": (32, 4),
        "k_cholesky": (32, 12, 12),
        "a": (32, 1, 12),
    }


@pytest.mark.parametrize(("inputs", "components", "features", "count"), [(40, 16, 32, 2560), (64, 32, 32, 5376)])
def test_number_of_parameters(inputs, components, features, count):
    model = MCGSM(inputs, components=components, features=features)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_initial_parameters():
    model = MCGSM(50, 3, 64, means=True)
    assert (model.eta == 0).all()
    assert model.alpha.abs().max() <= 1
    assert model.alpha.std().item() == pytest.approx(3**-0.5, abs=0.05)
    assert model.beta.min() >= 0.01
    assert model.beta.max() <= 0.02
    assert model.b.std().item() == pytest.approx(0.01, rel=0.05)
    assert model.a.std().item() == pytest.approx(0.1, rel=0.05)
    assert (model.u == 0).all()
    assert torch.equal(model.cholesky, torch.eye(3).expand(64, 3, 3))


def test_construction_follows_the_seed():
    torch.manual_seed(3)
    one = MCGSM(4)
    torch.manual_seed(3)
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), MCGSM(4).parameters(), strict=True))


@pytest.mark.parametrize("features", [None, 4])
def test_what_is_no_parameter_stays_fixed(features):
    model, x, y = make(inputs=3, outputs=3, features=features)
    model.reset_parameters()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (-model.mean_log_prob(x, y)).backward()
        optimizer.step()
    factor = model.factor()
    assert (factor[:, 0, 0] == 1).all()
    assert (factor.triu(1) == 0).all()
    assert torch.equal(factor, model.cholesky)
    assert not torch.equal(factor[0], torch.eye(3))
    if features is None:
        assert (model.k_cholesky.triu(1) == 0).all()


def test_a_negative_diagonal_counts_by_its_size():
    model, x, y = make(inputs=2, outputs=2)
    value = model.log_prob(x, y)
    model.cholesky.data[:, :, 1] *= -1
    torch.testing.assert_close(model.log_prob(x, y), value)


def test_full_and_factorised_agree():
    factorised, x, y = make(inputs=3, features=5)
    k = torch.einsum("cf,fi,fj->cij", factorised.beta.square(), factorised.b, factorised.b)
    full, _, _ = make(inputs=3, features=None)
    full.k_cholesky.data = torch.linalg.cholesky(k)
    for name in ("eta", "alpha", "a"):
        getattr(full, name).data = getattr(factorised, name).data
    torch.testing.assert_close(full.log_prob(x, y), factorised.log_prob(x, y), rtol=1e-10, atol=1e-10)


@given(SIZES)
def test_order_of_components_does_not_matter(sizes):
    model, x, y = make(**sizes)
    value = model.log_prob(x, y)
    order = torch.randperm(model.components)
    for name, parameter in model.named_parameters():
        if name != "b":
            parameter.data = parameter.data[order]
    torch.testing.assert_close(model.log_prob(x, y), value, rtol=1e-11, atol=1e-11)


@given(SIZES, st.floats(-50, 50))
def test_a_constant_in_eta_does_not_matter(sizes, constant):
    model, x, y = make(**sizes)
    value = model.log_prob(x, y)
    model.eta.data += constant
    torch.testing.assert_close(model.log_prob(x, y), value, rtol=1e-11, atol=1e-11)


@given(SIZES, st.floats(0.1, 10))
def test_density_scales_with_the_pixels(sizes, scale):
    # p(scale y) scale^M = p(y) when predictions and widths scale along and the gate stays as it is.
    model, x, y = make(**sizes)
    value = model.log_prob(x, y)
    scaled = copy.deepcopy(model)
    scaled.alpha.data -= 2 * torch.tensor(scale).log()
    scaled.a.data *= scale
    if scaled.u is not None:
        scaled.u.data *= scale
    if scaled.features is None:
        scaled.k_cholesky.data *= scale
    else:
        scaled.b.data *= scale
    shift = model.outputs * torch.tensor(scale, dtype=torch.float64).log()
    torch.testing.assert_close(scaled.log_prob(x, scale * y) + shift, value, rtol=1e-6, atol=1e-6)


@given(SIZES)
def test_state_is_saved_whole(sizes):
    model, x, y = make(**sizes)
    other = MCGSM(**sizes).double()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.log_prob(x, y), model.log_prob(x, y), rtol=0, atol=0)


def test_repr_states_the_sizes():
    assert repr(MCGSM(3, 2, 8, 2, None)) == "MCGSM(3, 2, components=8, scales=2, features=None, means=False)"


@pytest.mark.parametrize("name", ["outputs", "components", "scales", "features"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ConfigError, match=f"1 of its {name}, not 0"):
        MCGSM(**{"inputs": 2, name: 0})


def test_inputs_must_not_be_negative():
    with pytest.raises(ConfigError, match="0 inputs or more, not -1"):
        MCGSM(-1)


@pytest.mark.parametrize("method", ["log_prob", "mean_log_prob"])
def test_data_must_fit(method, monkeypatch):
    call = getattr(MCGSM(3, 2), method)
    with pytest.raises(ConfigError, match="reads 3 inputs a pixel, not 4"):
        call(torch.zeros(5, 4), torch.zeros(5, 2))
    with pytest.raises(ConfigError, match="predicts 2 channels a pixel, not 1"):
        call(torch.zeros(5, 3), torch.zeros(5, 1))
    # Users run without the shape checks of the tests.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ConfigError, match="equally many"):
        call(torch.zeros(5, 3), torch.zeros(6, 2))
    with pytest.raises(ConfigError, match=r"float32.*float64"):
        call(torch.zeros(5, 3).double(), torch.zeros(5, 2))


def test_the_distribution_needs_inputs_that_fit():
    with pytest.raises(ConfigError, match="reads 3 inputs"):
        MCGSM(3)(torch.zeros(5, 4))


def test_a_mean_needs_pixels():
    with pytest.raises(ConfigError, match="no pixels"):
        MCGSM(3).mean_log_prob(torch.zeros(0, 3), torch.zeros(0, 1))
