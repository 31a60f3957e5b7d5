"""A process alone gets the gradient that it computes, and leaves what is not to be trained alone."""

import torch
from torch import nn

from ride.training.gradients import descent


def test_alone_it_is_the_gradient_of_minus_the_mean():
    weight, fixed = nn.Parameter(torch.randn(5)), nn.Parameter(torch.randn(5), requires_grad=False)
    weight.grad = torch.ones(5)
    x = torch.randn(7, 5)
    value = descent([weight, fixed], lambda: (x @ weight * fixed.sum()).sin().mean(), 1.0)
    expected = (x @ weight * fixed.sum()).sin().mean()
    (gradient,) = torch.autograd.grad(-expected, weight)
    assert torch.equal(value, expected.detach())
    assert not value.requires_grad
    assert weight.grad is not None
    assert torch.equal(weight.grad, gradient)
    assert fixed.grad is None


def test_a_rank_with_nothing_computes_nothing():
    weight = nn.Parameter(torch.randn(3, dtype=torch.float64))

    def never() -> torch.Tensor:
        raise AssertionError

    value = descent([weight], never, 0.0)
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert float(value) == 0.0
