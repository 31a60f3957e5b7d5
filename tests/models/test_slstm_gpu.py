"""The kernels for GPUs against equation (6) in float64: in Triton's interpreter where there is no GPU."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ride.models.slstm import SpatialLSTM, gpu, reference, wavefront
from ride.models.slstm.diagonals import diagonals
from ride.models.slstm.layer import from_diagonals, to_diagonals
from ride.models.slstm.workspace import Workspace

triton = pytest.importorskip("triton", reason="the kernels are written in Triton, which is not installed")
tl = triton.language
kernels = importlib.import_module("ride.models.slstm.triton_kernels")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPE = torch.float32 if DEVICE.type == "cuda" else torch.float64
RTOL, ATOL = (1e-4, 1e-5) if DEVICE.type == "cuda" else (1e-11, 1e-13)
EXACT = 0.25
"""An end of memory units that float32, in which kernels are told of it, holds exactly."""
SHAPES = [  # batch, height, width, inputs, hidden, and multiprocessors to be kept busy: with many, tiles are small
    (1, 1, 1, 1, 1, 1),
    (1, 1, 3, 2, 3, 1),
    (2, 3, 1, 2, 3, 1),
    (9, 2, 3, 3, 20, 10_000),
    (9, 4, 2, 3, 33, 1),
]


@pytest.fixture
def _door(monkeypatch: pytest.MonkeyPatch):
    """Layers take the kernels wherever their tensors lie."""
    monkeypatch.setattr(gpu, "usable", lambda device, dtype: True)


@pytest.fixture
def _restored_precision():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def layer(
    inputs: int,
    hidden: int,
    extended: bool,
    dtype: torch.dtype = DTYPE,
    largest: float = reference.LARGEST_MEMORY,
) -> SpatialLSTM:
    module = SpatialLSTM(inputs, hidden, extended, largest)
    torch.nn.init.normal_(module.weight, std=2 / module.weight.shape[1] ** 0.5)
    torch.nn.init.normal_(module.bias)
    return module.to(DEVICE, dtype)


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found.cpu().double(), expected, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("largest", [reference.LARGEST_MEMORY, EXACT])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_equation(shape, extended, largest, monkeypatch):
    batch, height, width, inputs, hidden, processors = shape
    monkeypatch.setattr(gpu, "_processors", lambda device: processors)
    module = layer(inputs, hidden, extended, largest=largest)
    x = torch.randn(batch, height, width, inputs, dtype=torch.float64)
    into = torch.randn(batch, height, width, hidden, dtype=torch.float64)
    of = [t.detach().cpu().double().requires_grad_() for t in (x, module.weight, module.bias)]
    slow = reference.spatial_lstm(*of, module.form)
    expected = torch.autograd.grad((slow * into).sum(), of)
    mine = x.to(DEVICE, DTYPE).requires_grad_()
    grid = diagonals(height, width)
    h = wavefront.Wavefront.apply(
        to_diagonals(mine, grid), module.weight, module.bias, grid, module.form, Workspace(), gpu.PASSES
    )
    fast = from_diagonals(h, grid, height)
    assert_close(fast.detach(), slow.detach())
    found = torch.autograd.grad((fast * into.to(fast)).sum(), [mine, module.weight, module.bias])
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


@pytest.mark.usefixtures("_door")
@pytest.mark.parametrize("extended", [False, True])
def test_scoring_in_bands_equals_the_whole(extended):
    module = layer(2, 3, extended)
    x = torch.randn(3, 5, 4, 2, dtype=DTYPE, device=DEVICE)
    whole = module(x).detach()
    state, parts = None, []
    for rows in (x[:, :2], x[:, 2:3], x[:, 3:]):
        grid = diagonals(rows.shape[1], 4)
        h, state = module.continued(to_diagonals(rows, grid), grid, state)
        parts.append(from_diagonals(h, grid, rows.shape[1]))
    assert_close(torch.cat(parts, dim=1), whole.cpu().double())


@pytest.mark.usefixtures("_door")
def test_a_retained_graph_gives_the_same_gradient_twice():
    module = layer(2, 3, extended=False)
    x = torch.randn(1, 2, 2, 2, dtype=DTYPE, device=DEVICE, requires_grad=True)
    total = module(x).square().sum()
    first = torch.autograd.grad(total, [x, module.weight], retain_graph=True)
    second = torch.autograd.grad(total, [x, module.weight])
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


@pytest.mark.usefixtures("_door")
def test_two_graphs_of_one_layer_do_not_share_buffers():
    module = layer(2, 3, extended=False)
    x = torch.randn(1, 2, 2, 2, dtype=DTYPE, device=DEVICE)
    alone = torch.autograd.grad(module(x).sum(), module.weight)[0]
    first, second = module(x).sum(), module(2 * x).sum()
    other = torch.autograd.grad(second, module.weight)[0]
    assert torch.equal(torch.autograd.grad(first, module.weight)[0], alone)
    assert torch.equal(torch.autograd.grad(module(2 * x).sum(), module.weight)[0], other)


@pytest.mark.parametrize("sign", [1, -1])
def test_memory_ends_at_its_limit_and_a_nan_is_not_hidden(sign):
    module = layer(1, 3, extended=False, dtype=torch.float32)
    with torch.no_grad():
        module.weight.zero_()
        module.bias.copy_(torch.tensor([0.0] * 3 + [1.0] * 6 + [50.0] * 6))
    grid = diagonals(1, 2)
    x = torch.zeros(2, 1, 1, device=DEVICE)
    above = torch.tensor([1.0, 0.9, 0.0]).to(DEVICE).expand(2, 1, 3) * sign * reference.LARGEST_MEMORY
    args = (module.weight, module.bias, grid, reference.PRINTED, Workspace(), (torch.zeros_like(above), above))
    with torch.no_grad():
        h, (_, c) = gpu.score(x, *args)
        assert c.isfinite().all()
        torch.testing.assert_close((h, c), (wavefront.score(x, *args)[0], wavefront.score(x, *args)[1][1]))
        assert gpu.score(x + torch.nan, *args)[0].isnan().all()


@pytest.mark.usefixtures("_door", "_restored_precision")
@pytest.mark.parametrize(("named", "mode", "error"), [("high", "tf32", 2e-2), ("medium", "bf16", 5e-2)])
def test_lower_precision_is_a_setting_of_torch(named, mode, error):
    module = layer(2, 20, extended=False, dtype=torch.float32)
    x = torch.randn(4, 4, 4, 2, device=DEVICE)
    h = module(x)
    gradient = torch.autograd.grad(h.sum(), module.weight)[0]
    assert gpu.precision() == "float32"
    torch.set_float32_matmul_precision(named)
    assert gpu.precision() == mode
    rough = module(x)
    torch.testing.assert_close(rough, h, rtol=0, atol=error)
    of_rough = torch.autograd.grad(rough.sum(), module.weight)[0]
    assert (of_rough - gradient).norm() < error * gradient.norm()
    if mode == "bf16" or DEVICE.type == "cuda":  # The interpreter multiplies TF32 in float32.
        assert not torch.equal(rough, h)


def test_the_newer_switch_of_torch_is_understood(monkeypatch):
    def refuse() -> str:
        raise RuntimeError("mix of the legacy and new APIs")

    monkeypatch.setattr(torch, "get_float32_matmul_precision", refuse)
    assert gpu.precision() == "float32"


def test_the_door(monkeypatch):
    cuda, single = torch.device("cuda", 0), torch.float32
    monkeypatch.setattr(gpu, "_supported", lambda device: True)
    assert gpu.usable(cuda, single)
    assert not gpu.usable(torch.device("cpu"), single)
    assert not gpu.usable(cuda, torch.float64)
    module, x = SpatialLSTM(2, 3), torch.zeros(1, 2)
    assert module._passes(x) is wavefront.PASSES
    monkeypatch.setattr(gpu, "usable", lambda device, dtype: True)
    assert module._passes(x) is gpu.PASSES
    module.fused = False
    assert module._passes(x) is wavefront.PASSES
    monkeypatch.undo()
    monkeypatch.setattr(gpu, "_supported", lambda device: True)
    monkeypatch.setattr(gpu, "_installed", lambda: False)
    assert not gpu.usable(cuda, single)


def test_ride_does_not_import_triton_by_itself():
    code = (
        "import sys, torch, ride; ride.SpatialLSTM(1, 2)(torch.zeros(1, 2, 2, 1)); assert 'triton' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@triton.jit
def _activate(x, to_tanh, to_sigmoid):
    at = tl.arange(0, 1024)
    value = tl.load(x + at)
    tl.store(to_tanh + at, kernels._tanh(value))
    tl.store(to_sigmoid + at, kernels._sigmoid(value))


def test_activations_are_accurate():
    x = torch.cat([torch.linspace(-3, 3, 1000), torch.linspace(-800, 800, 17), torch.tensor([1e-20, 0.5, 1e30])])
    x = torch.cat([x, torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0])]).to(DEVICE, DTYPE)
    x = torch.cat([x, x.new_ones(1024 - len(x))])
    found = torch.empty_like(x), torch.empty_like(x)
    _activate[(1,)](x, *found)
    rounding = 8 * torch.finfo(DTYPE).eps
    for one, other in zip(found, (x.tanh(), x.sigmoid()), strict=True):
        torch.testing.assert_close(one, other, rtol=rounding, atol=0, equal_nan=True)


@pytest.mark.slow
def test_kernels_compile_for_gpus_that_are_not_here(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    script = Path(__file__).parent / "compile_slstm.py"
    subprocess.run([sys.executable, script], check=True, env={**environment, "TRITON_CACHE_DIR": str(tmp_path)})
