"""Conditional whitening, equation (7): exact, invertible, in one pass, finite for a singular covariance."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal

from ride.errors import DataError
from ride.models.neighborhood import Neighborhood
from ride.models.whitening import ConditionalWhitening

INPUTS, OUTPUTS = 5, 2


def correlated(pairs=4000, inputs=INPUTS, outputs=OUTPUTS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(inputs + outputs, inputs + outputs, dtype=torch.float64, generator=generator)
    z = torch.randn(pairs, inputs + outputs, dtype=torch.float64, generator=generator) @ mix + 3
    return z[:, :inputs], z[:, inputs:]


def fitted(x, y):
    return ConditionalWhitening(x.shape[-1], y.shape[-1]).double().fit([(x, y)])


def assert_same(one, other, tolerance=1e-10):
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=tolerance, atol=tolerance)


def assert_finite(whitening):
    assert all(buffer.isfinite().all() for buffer in whitening.buffers())


def test_whitened_data_is_white_and_the_residual_is_uncorrelated_with_the_inputs():
    x, y = correlated()
    white = torch.cat(fitted(x, y)(x, y), dim=-1)
    torch.testing.assert_close(white.mean(0), torch.zeros(7).double(), rtol=0, atol=1e-10)
    torch.testing.assert_close(white.T @ white / len(white), torch.eye(7).double(), rtol=0, atol=1e-10)


def test_the_square_roots_are_symmetric_and_match_equation_7():
    x, y = correlated()
    whitening = fitted(x, y)
    cov = torch.cov(torch.cat([x, y], -1).T, correction=0)
    cxx, cyx, cyy = cov[:5, :5], cov[5:, :5], cov[5:, 5:]
    w_in, w_out = whitening.whiten_in, whitening.whiten_out
    torch.testing.assert_close(w_in, w_in.T)
    torch.testing.assert_close(w_in @ cxx @ w_in, torch.eye(5).double())
    torch.testing.assert_close(whitening.predictor, cyx @ w_in)
    torch.testing.assert_close(w_out, w_out.T)
    residual = cyy - cyx @ torch.linalg.inv(cxx) @ cyx.T
    torch.testing.assert_close(torch.linalg.inv(w_out @ w_out), residual)
    torch.testing.assert_close(whitening.log_jacobian, torch.linalg.slogdet(w_out)[1])


def test_log_likelihood_is_invariant():
    x, y = correlated()
    whitening = fitted(x, y)
    # y | x linear and Gaussian, once written in the data's units, once in whitened units.
    slope, offset = torch.randn(OUTPUTS, INPUTS).double(), torch.randn(OUTPUTS).double()
    noise = torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double()
    before = MultivariateNormal(x @ slope.T + offset, noise).log_prob(y)
    xhat, yhat = whitening(x, y)
    mean = whitening.whiten_outputs(xhat, x @ slope.T + offset)
    after = MultivariateNormal(mean, whitening.whiten_out @ noise @ whitening.whiten_out).log_prob(yhat)
    torch.testing.assert_close(after + whitening.log_jacobian, before, rtol=1e-10, atol=1e-10)


@given(st.integers(0, 6), st.integers(1, 3), st.integers(0, 1000))
def test_outputs_round_trip(inputs, outputs, seed):
    x, y = correlated(50, inputs, outputs, seed)
    whitening = fitted(x, y)
    xhat, yhat = whitening(x, y)
    torch.testing.assert_close(whitening.invert_outputs(xhat, yhat), y, rtol=1e-9, atol=1e-9)


@given(st.lists(st.integers(0, 200), max_size=6))
def test_any_split_into_batches_gives_the_same(cuts):
    x, y = correlated(200)
    cuts = sorted(cuts)
    whitening = ConditionalWhitening(INPUTS, OUTPUTS).double()
    whitening.fit(zip(torch.tensor_split(x, cuts), torch.tensor_split(y, cuts), strict=True))
    assert_same(whitening, fitted(x, y))


def test_pairs_may_have_any_leading_shape_and_be_long():
    x, y = correlated(70000)
    shaped = ConditionalWhitening(INPUTS, OUTPUTS).double()
    shaped.fit([(x.reshape(7, 100, 100, INPUTS), y.reshape(7, 100, 100, OUTPUTS))])
    assert_same(shaped, fitted(x, y))


def test_a_large_mean_costs_no_accuracy():
    x, y = correlated()
    near, far = fitted(x, y), fitted(x + 1e6, y - 1e6)
    torch.testing.assert_close(far.whiten_in, near.whiten_in, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(far.whiten_out, near.whiten_out, rtol=1e-6, atol=1e-6)


def test_float32_pixels_are_accumulated_in_float64():
    x, y = (part.float() for part in correlated())
    whitening = ConditionalWhitening(INPUTS, OUTPUTS).fit([(x, y)])
    assert whitening.whiten_in.dtype == torch.float32
    reference = fitted(x.double(), y.double())
    assert torch.equal(whitening.whiten_in, reference.whiten_in.float())


def test_without_inputs_only_the_outputs_are_whitened():
    _, y = correlated()
    whitening = fitted(y.new_empty(len(y), 0), y)
    xhat, yhat = whitening(y.new_empty(len(y), 0), y)
    assert xhat.shape == (len(y), 0)
    torch.testing.assert_close(yhat.T @ yhat / len(y), torch.eye(OUTPUTS).double())


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_a_constant_image_gives_finite_numbers_and_unit_gain(value):
    x, y = Neighborhood(5).extract(torch.full((3, 9, 9), value))
    whitening = ConditionalWhitening(12, 1).fit([(x, y)])
    assert_finite(whitening)
    xhat, yhat = whitening(x, y)
    assert not xhat.any()
    torch.testing.assert_close(yhat, torch.zeros_like(yhat))
    assert whitening.log_jacobian == 0


def test_padded_and_duplicated_inputs_are_dropped():
    x, y = correlated()
    singular = torch.cat([x, x[:, :2], torch.zeros(len(x), 3), torch.full((len(x), 1), 0.3)], -1)
    whitening = fitted(singular, y)
    assert_finite(whitening)
    xhat, yhat = whitening(singular, y)
    covariance = xhat.T @ xhat / len(xhat)
    # A projection onto the directions that vary.
    torch.testing.assert_close(covariance @ covariance, covariance, rtol=0, atol=1e-8)
    assert round(covariance.trace().item(), 6) == INPUTS
    # Nothing is lost: the outputs are whitened as without the useless inputs.
    torch.testing.assert_close(yhat, fitted(x, y)(x, y)[1], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("small", ["inputs", "outputs"])
def test_a_direction_that_varies_as_little_as_deep_pixels_do_is_kept(small):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 2000, 2, dtype=torch.float64, generator=generator)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]]).double()
    # A variance of 1e-11 of the other.
    flat = torch.tensor([1.0, 1e-11]).double().sqrt()
    x, y = ((x * flat) @ turn, y) if small == "inputs" else (x, (y * flat) @ turn)
    white = torch.cat(fitted(x, y)(x, y), dim=-1)
    torch.testing.assert_close(torch.cov(white.T, correction=0), torch.eye(4).double(), rtol=0, atol=1e-3)


def test_an_output_determined_by_the_inputs_keeps_unit_gain():
    x, y = correlated()
    y = torch.stack([x[:, 0] - 2 * x[:, 1], y[:, 0]], -1)
    whitening = fitted(x, y)
    assert_finite(whitening)
    _, yhat = whitening(x, y)
    gains = torch.linalg.eigvalsh(whitening.whiten_out)
    assert min(abs(gains - 1)) < 1e-10
    torch.testing.assert_close(yhat[:, 0], torch.zeros(len(x)).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(yhat[:, 1].var(correction=0).item(), 1.0)
    residual = fitted(x, y[:, 1:])
    torch.testing.assert_close(whitening.log_jacobian, residual.log_jacobian)


def test_it_is_the_identity_before_it_is_fitted():
    x, y = correlated()
    whitening = ConditionalWhitening(INPUTS, OUTPUTS).double()
    assert not whitening.fitted
    xhat, yhat = whitening(x, y)
    assert torch.equal(xhat, x)
    assert torch.equal(yhat, y)
    assert whitening.fit([(x, y)]).fitted


def test_too_few_pairs_are_refused():
    x, y = correlated(INPUTS + OUTPUTS)
    with pytest.raises(DataError, match="needs at least 8 pixels, and there are 7"):
        fitted(x, y)
    with pytest.raises(DataError, match="there are 0"):
        ConditionalWhitening(INPUTS, OUTPUTS).fit([])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused_and_change_nothing(bad):
    x, y = correlated()
    whitening = fitted(x, y)
    before = {name: value.clone() for name, value in whitening.state_dict().items()}
    y = y.clone()
    y[17, 1] = bad
    with pytest.raises(DataError, match="NaN or infinite"):
        whitening.fit([(x, y)])
    assert all(torch.equal(value, before[name]) for name, value in whitening.state_dict().items())
