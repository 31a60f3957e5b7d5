"""A process alone gets the gradient that it computes, and leaves what is not to be trained alone."""

import torch
from torch import nn

from ride.training.gradients import descent


def test_alone_it_is_the_gradient_of_minus_the_mean():
    weight, fixed = nn.Parameter(torch.randn(5)), nn.Parameter(torch.randn(5), requires_grad=False)
    weight.grad = torch.ones(5)
    x = torch.randn(7, 5)
    value = descent([weight, fixed], lambda x: (x @ weight * fixed.sum()).sin().mean(), [x], 1.0, len(x))
    expected = (x @ weight * fixed.sum()).sin().mean()
    (gradient,) = torch.autograd.grad(-expected, weight)
    assert torch.equal(value, expected.detach())
    assert not value.requires_grad
    assert weight.grad is not None
    assert torch.equal(weight.grad, gradient)
    assert fixed.grad is None


def test_a_rank_with_nothing_computes_nothing():
    weight = nn.Parameter(torch.randn(3, dtype=torch.float64))

    def never(x: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    value = descent([weight], never, [torch.zeros(0)], 0.0, 1)
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert float(value) == 0.0


def test_threads_come_to_the_same_sum(two_threads):
    weight, unused = (nn.Parameter(torch.randn(5, dtype=torch.float64)) for _ in range(2))
    x, y = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, dtype=torch.float64)
    seen = []

    def mean(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return ((x @ weight).sin() * y).mean()

    value = descent([weight, unused], mean, [x, y], 0.5, 3)
    assert sorted(seen) == [3, 4]
    expected = 0.5 * mean(x, y)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-14, atol=0)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.autograd.grad(-expected, weight)[0], rtol=1e-13, atol=1e-15)
    assert unused.grad is not None
    assert not unused.grad.any()
