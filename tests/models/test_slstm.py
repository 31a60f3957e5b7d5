"""The wavefront against equation (6) pixel by pixel, and its gradient against finite differences."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ride.errors import ConfigError
from ride.models.slstm import SpatialLSTM, reference
from ride.models.slstm.diagonals import diagonals
from ride.models.slstm.layer import from_diagonals, to_diagonals

pytestmark = pytest.mark.usefixtures("kernels")

SHAPES = [(1, 1), (1, 4), (4, 1), (2, 5), (5, 2), (3, 3)]


SMALL = 0.4
"""An end that many memory units of these tests reach."""


def layer(inputs: int, hidden: int, extended: bool, largest: float = reference.LARGEST_MEMORY) -> SpatialLSTM:
    module = SpatialLSTM(inputs, hidden, extended, largest).double()
    torch.nn.init.normal_(module.weight)
    torch.nn.init.normal_(module.bias)
    return module


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("largest", [reference.LARGEST_MEMORY, SMALL])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradcheck(shape, extended, largest):
    module = layer(2, 3, extended, largest)
    x = torch.randn(2, *shape, 2, dtype=torch.float64, requires_grad=True)

    def run(x, weight, bias):
        return torch.func.functional_call(module, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(run, (x, module.weight, module.bias))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    batch=st.integers(1, 3),
    inputs=st.integers(1, 4),
    hidden=st.integers(1, 5),
    extended=st.booleans(),
    largest=st.sampled_from([reference.LARGEST_MEMORY, SMALL]),
)
def test_equals_the_equation(height, width, batch, inputs, hidden, extended, largest):
    torch.manual_seed(height + 10 * width)
    module = layer(inputs, hidden, extended, largest)
    x = torch.randn(batch, height, width, inputs, dtype=torch.float64, requires_grad=True)
    slow = reference.spatial_lstm(x, module.weight, module.bias, module.form)
    fast = module(x)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-13)
    weights = torch.randn_like(slow)
    of = [x, module.weight, module.bias]
    expected = torch.autograd.grad((slow * weights).sum(), of)
    for mine, theirs in zip(torch.autograd.grad((fast * weights).sum(), of), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-12)


def test_a_retained_graph_gives_the_same_gradient_twice():
    module = layer(2, 3, extended=False)
    x = torch.randn(1, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    total = module(x).square().sum()
    first = torch.autograd.grad(total, [x, module.weight], retain_graph=True)
    second = torch.autograd.grad(total, [x, module.weight])
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_two_graphs_of_one_layer_do_not_share_buffers():
    module = layer(2, 3, extended=False)
    x = torch.randn(1, 4, 3, 2, dtype=torch.float64)
    alone = torch.autograd.grad(module(x).sum(), module.weight)[0]
    first, second = module(x).sum(), module(2 * x).sum()
    other = torch.autograd.grad(second, module.weight)[0]
    assert torch.equal(torch.autograd.grad(first, module.weight)[0], alone)
    assert torch.equal(torch.autograd.grad(module(2 * x).sum(), module.weight)[0], other)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("largest", [reference.LARGEST_MEMORY, SMALL])
@pytest.mark.parametrize("cut", [1, 2, 4])
def test_bands_continue_the_state(cut, extended, largest):
    module = layer(2, 3, extended, largest)
    x = torch.randn(2, 5, 4, 2, dtype=torch.float64)
    whole = module(x)
    state, parts = None, []
    for rows in (x[:, :cut], x[:, cut:]):
        grid = diagonals(rows.shape[1], 4)
        h, state = module.continued(to_diagonals(rows, grid), grid, state)
        parts.append(from_diagonals(h, grid, rows.shape[1]))
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("largest", [reference.LARGEST_MEMORY, SMALL])
def test_step_is_one_cell_of_the_grid(largest):
    module = layer(2, 3, extended=True, largest=largest)
    x = torch.randn(1, 1, 2, 2, dtype=torch.float64)
    zero = torch.zeros(1, 3, dtype=torch.float64)
    h, c = module.step(x[:, 0, 0], zero, zero, zero, zero)
    h, _ = module.step(x[:, 0, 1], h, zero, c, zero)
    torch.testing.assert_close(h, module(x)[:, 0, 1], rtol=0, atol=1e-14)


def test_initialisation_of_the_authors():
    module = SpatialLSTM(12, 64)
    assert module.weight.shape == (320, 12 + 128)
    assert SpatialLSTM(12, 64, extended=True).weight.shape == (320, 12 + 256)
    assert sum(p.numel() for p in module.parameters()) == 45_120
    assert module.weight.abs().max() <= 0.08
    assert module.bias.eq(0).all()


def test_memory_units_end_where_they_are_told_to():
    module = layer(2, 3, extended=False, largest=SMALL)
    x = torch.randn(2, 6, 5, 2, dtype=torch.float64)
    grid = diagonals(6, 5)
    _, (_, c) = module.continued(to_diagonals(x, grid), grid, None)
    assert c.abs().max() == SMALL
    _, (_, c) = layer(2, 3, extended=False).continued(to_diagonals(x, grid), grid, None)
    assert c.abs().max() > SMALL


def test_copies_share_nothing():
    module = layer(2, 3, extended=False)
    x = torch.randn(1, 3, 3, 2, dtype=torch.float64)
    h = module(x)
    twin = copy.deepcopy(module)
    with torch.no_grad():
        twin.weight.zero_()
        twin(x)
    assert torch.equal(module(x), h)


def test_an_empty_batch_and_wrong_sizes():
    module = SpatialLSTM(2, 3)
    assert module(torch.zeros(0, 4, 5, 2)).shape == (0, 4, 5, 3)
    with pytest.raises(ConfigError, match="reads 2 inputs"):
        module(torch.zeros(1, 4, 5, 3))
    with pytest.raises(ConfigError, match="positive"):
        SpatialLSTM(2, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memory_that_doubles_with_every_cell_stays_finite(dtype: torch.dtype):
    layer = SpatialLSTM(1, 3).to(dtype)
    with torch.no_grad():
        layer.weight.zero_()
        # Forget gates of 1, inputs and outputs of both signs.
        layer.bias.copy_(torch.tensor([1.0, -1, 0.5] + [0.0] * 3 + [1.0] * 3 + [50.0] * 6))
    x = torch.zeros(1, 120, 90, 1, dtype=dtype)
    h = layer(x)
    h.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
    with torch.no_grad():
        expected = reference.spatial_lstm(x, layer.weight, layer.bias)
    torch.testing.assert_close(h.detach(), expected)
    assert h.isfinite().all()
