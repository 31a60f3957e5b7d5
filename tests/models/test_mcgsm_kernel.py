"""The kernel against its slow twin, the distribution: values, gradients, chunks, extremes."""

import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ride.models.mcgsm import MCGSM, native, plain

pytestmark = pytest.mark.usefixtures("kernels")

CASES = {
    "factorised": {"inputs": 5},
    "one feature": {"inputs": 1, "features": 1},
    "means": {"inputs": 3, "means": True},
    "full": {"inputs": 4, "features": None},
    "two channels": {"inputs": 4, "outputs": 2},
    "three channels, full, means": {"inputs": 2, "outputs": 3, "features": None, "means": True},
    "no inputs": {"inputs": 0, "means": True},
    "no inputs, full, two channels": {"inputs": 0, "outputs": 2, "features": None, "means": True},
}

WANTED = [names for count in (1, 2) for names in itertools.combinations(["x", "y", "parameters"], count)]


def make(pixels: int, **config):
    """An MCGSM with parameters of order 1, inputs and outputs."""
    model = MCGSM(**{"inputs": 5, "components": 3, "scales": 2, "features": 4} | config).double()
    for parameter in model.parameters():
        parameter.data.normal_()
    x = torch.randn(pixels, model.inputs, dtype=torch.float64, requires_grad=True)
    y = torch.randn(pixels, model.outputs, dtype=torch.float64, requires_grad=True)
    return model, x, y


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def config(request) -> dict:
    return request.param


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 64 pixels."""
    monkeypatch.setitem(plain.CHUNK_NUMBERS, "cpu", 1)
    monkeypatch.setattr(native, "CHUNK_NUMBERS", 1)


def assert_same_gradients(fast: torch.Tensor, slow: torch.Tensor, variables: list[torch.Tensor]) -> None:
    torch.testing.assert_close(fast, slow, rtol=1e-13, atol=1e-13)
    ours = torch.autograd.grad(fast, variables, allow_unused=True, materialize_grads=True)
    theirs = torch.autograd.grad(slow, variables, allow_unused=True, materialize_grads=True)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("pixels", [1, 64, 150])
def test_log_prob_is_that_of_the_distribution(config, pixels, small_chunks):
    model, x, y = make(pixels, **config)
    weight = torch.randn(pixels, dtype=torch.float64)
    fast, slow = model.log_prob(x, y), model(x).log_prob(y)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    assert_same_gradients((weight * fast).sum(), (weight * slow).sum(), [x, y, *model.parameters()])


@pytest.mark.parametrize("pixels", [1, 64, 150])
def test_mean_log_prob_is_that_of_the_distribution(config, pixels, small_chunks):
    model, x, y = make(pixels, **config)
    assert_same_gradients(
        -3 * model.mean_log_prob(x, y), -3 * model(x).log_prob(y).mean(), [x, y, *model.parameters()]
    )


@pytest.mark.parametrize("method", ["log_prob", "mean_log_prob"])
def test_gradcheck(config, method):
    model, x, y = make(3, **config)
    names, parameters = zip(*model.named_parameters(), strict=True)

    def call(x, y, *values):
        bound = {f"model.{name}": value for name, value in zip(names, values, strict=True)}
        return torch.func.functional_call(_Calling(model, method), bound, (x, y))

    assert torch.autograd.gradcheck(call, (x, y, *parameters), eps=1e-6, atol=1e-7, rtol=1e-6)


class _Calling(torch.nn.Module):
    """A method of a module as a module of its own."""

    def __init__(self, model: MCGSM, method: str) -> None:
        super().__init__()
        self.model, self.method = model, method

    def forward(self, x, y):
        return getattr(self.model, self.method)(x, y)


def test_second_backward_pass_gives_the_same():
    model, x, y = make(70)
    value = model.mean_log_prob(x, y)
    first, second = (torch.autograd.grad(value, [x, model.a, model.eta], retain_graph=True) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("method", ["log_prob", "mean_log_prob"])
@pytest.mark.parametrize("wanted", WANTED, ids="-".join)
def test_only_wanted_gradients_are_computed(method, wanted):
    model, x, y = make(20, outputs=2, inputs=3, means=True)
    full = getattr(model, method)(x, y).sum()
    expected = dict(zip(("x", "y", "parameters"), torch.autograd.grad(full, [x, y, model.cholesky]), strict=True))
    x, y = x.detach().requires_grad_("x" in wanted), y.detach().requires_grad_("y" in wanted)
    model.requires_grad_("parameters" in wanted)
    getattr(model, method)(x, y).sum().backward()
    for name, variable in {"x": x, "y": y, "parameters": model.cholesky}.items():
        if name in wanted:
            torch.testing.assert_close(variable.grad, expected[name], rtol=0, atol=0)
        else:
            assert variable.grad is None


def test_without_gradients_the_values_are_the_same():
    model, x, y = make(100)
    with torch.no_grad():
        each, mean = model.log_prob(x, y), model.mean_log_prob(x, y)
    assert not each.requires_grad
    assert not mean.requires_grad
    torch.testing.assert_close(each, model.log_prob(x, y), rtol=0, atol=0)
    torch.testing.assert_close(mean, model.mean_log_prob(x, y), rtol=1e-15, atol=1e-15)


def test_no_pixels_have_no_log_prob():
    model, x, y = make(0)
    value = model.log_prob(x, y)
    value.sum().backward()
    assert value.shape == (0,)
    assert x.grad is not None
    assert x.grad.shape == (0, 5)


def test_strided_inputs():
    model, _, _ = make(0, outputs=2)
    x = torch.randn(5, 90, dtype=torch.float64).t()
    y = torch.randn(90, 6, dtype=torch.float64)[:, ::3]
    x.requires_grad_()
    y.requires_grad_()
    assert_same_gradients(model.mean_log_prob(x, y), model(x).log_prob(y).mean(), [x, y])
    assert_same_gradients(model.log_prob(x, y).sum(), model(x).log_prob(y).sum(), [x, y])


class _Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.numbers = max([self.numbers, *(t.untyped_storage().nbytes() // t.element_size() for t in tensors)])
        return out


@pytest.mark.parametrize("method", ["log_prob", "mean_log_prob"])
def test_memory_is_bounded(method):
    # No array of [pixels, C, N] or even [pixels, C]: nothing larger than the data or a chunk.
    pixels, inputs, components = 20_000, 6, 32
    model = MCGSM(inputs, components=components, features=2)
    x, y = torch.randn(pixels, inputs, requires_grad=True), torch.randn(pixels, 1)
    with _Largest() as largest:
        getattr(model, method)(x, y).sum().backward()
    assert largest.numbers <= max(pixels * inputs, plain.CHUNK_NUMBERS["cpu"])


def test_float32_mean_of_many_pixels():
    model, _, _ = make(0)
    x, y = torch.randn(300_000, 5), torch.randn(300_000, 1)
    exact = model.mean_log_prob(x.double(), y.double())
    grads = torch.autograd.grad(exact, list(model.parameters()))
    rounded = model.float().mean_log_prob(x, y)
    torch.testing.assert_close(rounded.double(), exact, rtol=3e-7, atol=0)
    for one, other in zip(torch.autograd.grad(rounded, list(model.parameters())), grads, strict=True):
        assert (one - other).norm() <= 1e-5 * other.norm()


@pytest.mark.parametrize("size", [0.0, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("alpha", [-20.0, 0.0, 20.0])
def test_float32_extremes_stay_finite(config, size, alpha):
    model, x, y = (part.float() for part in make(50, **config))
    model.alpha.data.copy_(torch.linspace(-abs(alpha), alpha, 6).view(3, 2))
    x, y = (size * x).detach().requires_grad_(), (size * y).detach().requires_grad_()
    value = model.mean_log_prob(x, y)
    grads = torch.autograd.grad(value, [x, y, *model.parameters()], allow_unused=True)
    assert value.isfinite()
    assert model.log_prob(x, y).isfinite().all()
    assert all(g is None or g.isfinite().all() for g in grads)


@pytest.mark.parametrize("size", [1e10, 1e18, 1e25])
def test_float32_values_are_numbers_where_squares_overflow(config, size):
    model, x, y = (part.float() for part in make(50, **config))
    with torch.no_grad():
        assert not model.log_prob(size * x, y).isnan().any()
        assert not model.log_prob(x, size * y).isnan().any()
        assert not model.log_prob(size * x, size * y).isnan().any()


def test_precisions_that_underflow_are_no_error():
    model, x, y = (part.float() for part in make(10))
    model.alpha.data.fill_(-200.0)
    assert model.log_prob(x, y).isfinite().all()
