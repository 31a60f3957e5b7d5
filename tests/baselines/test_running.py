"""The running hidden units: values of the equation written out, gradients of finite differences."""

import torch
from torch import Tensor

from ride.baselines.running import RunningHidden


def arguments(dimension: int, patches: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(dimension, patches), (dimension - 1, 4), (4,), (dimension,), (dimension, 2, 4)]
    values = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [values[0], *(value.requires_grad_() for value in values[1:])]


def test_values_are_those_of_the_equation():
    x, w, c, rho, v = arguments(5)
    outputs = RunningHidden.apply(x, w, c, rho, v)
    for d in range(5):
        for p in range(3):
            activation = c + sum((x[k, p] * w[k] for k in range(d)), start=torch.zeros(4, dtype=torch.float64))
            torch.testing.assert_close(outputs[d, p], v[d] @ (rho[d] * activation).clamp(min=0))


def test_gradients_are_those_of_finite_differences():
    for dimension in (1, 4):
        assert torch.autograd.gradcheck(RunningHidden.apply, arguments(dimension))
