"""SOAP: Adam for vectors, blind to rotations for matrices, and resumable."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ride.models.ride import RIDE, RIDEConfig
from ride.training import optimizers, soap
from ride.training.soap import SOAP

SEEDS = st.integers(0, 2**31)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rotation(seed: int, size: int) -> Tensor:
    return torch.linalg.qr(normal(seed, size, size))[0]


def descend(optimizer: torch.optim.Optimizer, parameter: nn.Parameter, gradients: list[Tensor]) -> Tensor:
    """Where a parameter gets to along these gradients, none of which depends on it."""
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach().clone()


def soap_of(parameter: nn.Parameter) -> SOAP:
    return SOAP([parameter], lr=0.01, betas=(0.9, 0.99))


@given(SEEDS, st.sampled_from([(), (7,), (1, 7), (7, 1)]))
@settings(max_examples=20)
def test_vectors_are_followed_by_adam(seed: int, shape: tuple[int, ...]):
    gradients = [normal(seed + k, *shape) for k in range(25)]
    first, second = (nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for _ in range(2))
    adam = torch.optim.Adam([second], lr=0.01, betas=(0.9, 0.99))
    torch.testing.assert_close(descend(soap_of(first), first, gradients), descend(adam, second, gradients))


def test_a_matrix_too_large_for_a_basis_is_followed_by_adam(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(soap, "LARGEST", 3)
    gradients = [normal(k, 4, 5) for k in range(25)]
    first, second = (nn.Parameter(torch.zeros(4, 5, dtype=torch.float64)) for _ in range(2))
    adam = torch.optim.Adam([second], lr=0.01, betas=(0.9, 0.99))
    torch.testing.assert_close(descend(soap_of(first), first, gradients), descend(adam, second, gradients))


@given(SEEDS)
@settings(max_examples=20)
def test_a_rotated_problem_is_solved_by_rotated_steps(seed: int):
    left, right = rotation(seed, 4), rotation(seed + 1, 4)
    gradients = [normal(seed + 2 + k, 4, 4) for k in range(35)]
    first, second = (nn.Parameter(torch.zeros(4, 4, dtype=torch.float64)) for _ in range(2))
    there = descend(soap_of(first), first, gradients)
    turned = descend(soap_of(second), second, [left @ gradient @ right.T for gradient in gradients])
    assert there.norm() > 0.1
    torch.testing.assert_close(turned, left @ there @ right.T, atol=1e-6, rtol=1e-6)


def test_it_is_ahead_of_adam_where_rows_and_columns_are_correlated():
    left, right = (rotation(k, 8) @ torch.diag(torch.logspace(-2, 0, 8, dtype=torch.float64)) for k in (0, 1))

    def after(name: str) -> float:
        weights = nn.Parameter(normal(2, 8, 8))
        maker = SOAP if name == "soap" else torch.optim.Adam
        optimizer = maker([weights], lr=0.0, betas=(0.9, 0.99))
        for step in range(500):
            optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 500)
            optimizer.zero_grad()
            loss = (left.T @ weights @ right).square().sum()
            loss.backward()
            optimizer.step()
        return float(weights.detach().square().sum())

    assert after("soap") < 0.5 * after("adam")


def test_it_goes_on_from_its_state():
    gradients = [normal(k, 3, 5) for k in range(40)]
    first = nn.Parameter(torch.zeros(3, 5, dtype=torch.float64))
    optimizer = soap_of(first)
    descend(optimizer, first, gradients[:17])
    second = nn.Parameter(first.detach().clone())
    again = soap_of(second)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(descend(optimizer, first, gradients[17:]), descend(again, second, gradients[17:]))


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_gradients_without_eigenvectors_are_no_error(value: float):
    parameter = nn.Parameter(torch.zeros(3, 5))
    moved = descend(soap_of(parameter), parameter, [torch.full((3, 5), value)] * 12)
    assert torch.equal(moved, torch.zeros(3, 5)) if value == 0 else not moved.isfinite().any()


def test_tensors_of_three_axes_are_matrices():
    gradients = [normal(k, 3, 2, 4) for k in range(12)]
    tensor = nn.Parameter(torch.zeros(3, 2, 4, dtype=torch.float64))
    matrix = nn.Parameter(torch.zeros(3, 8, dtype=torch.float64))
    moved = descend(soap_of(tensor), tensor, gradients)
    assert torch.equal(moved.flatten(1), descend(soap_of(matrix), matrix, [g.flatten(1) for g in gradients]))


def test_only_spatial_lstms_are_turned():
    model = RIDE(RIDEConfig(layers=2, hidden=6, components=2, features=3))
    optimizer = optimizers.make("soap", model, (0.9, 0.99))
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert len(parameters) == len(list(model.parameters()))
    model.mean_log_prob(torch.randn(2, 9, 9)).backward()
    optimizer.step()
    weights = {id(layer.weight) for layer in model.stack}
    assert {id(p) for p in parameters if "left_basis" in optimizer.state[p]} == weights
