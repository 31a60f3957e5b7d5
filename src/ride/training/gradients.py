"""Means over patches or pixels that are divided over threads, and their gradients, over ranks too."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ride import ranks
from ride.threads import spread


def descent(
    parameters: Sequence[nn.Parameter],
    mean: Callable[..., Tensor],
    data: Sequence[Tensor],
    weight: float,
    least: int,
) -> Tensor:
    """Set the gradients of minus the mean over all ranks, and return that mean (a scalar): equal on all ranks.

    `mean(*data)` is the mean over the rows that this rank has, which are the part `weight` of what all have together,
    or over some of them; it is not called where there are none. A thread gets at least `least` rows. For a process
    alone with one thread this is what `mean` computes itself, bit for bit.
    """
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    value, gradients = parameters[0].new_zeros(()), [torch.zeros_like(parameter) for parameter in parameters]
    if weight:

        def of_part(*rows: Tensor) -> tuple[Tensor, ...]:
            objective = (weight * len(rows[0]) / len(data[0])) * mean(*rows)
            slopes = torch.autograd.grad(-objective, parameters, allow_unused=True, materialize_grads=True)
            return objective.detach(), *slopes

        parts = zip(*spread(of_part, *data, least=least), strict=True)
        value, *gradients = (sum(others, start=first).contiguous() for first, *others in parts)
    ranks.add_up([value, *gradients])
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return value


@torch.no_grad()
def total(mean: Callable[..., Tensor], *data: Tensor, least: int = 1) -> float:
    """What `mean(*data)`, a mean over rows, comes to in sum over the rows of this rank; no gradient."""

    def of_part(*rows: Tensor) -> float:
        return float(mean(*rows)) * len(rows[0])

    return sum(spread(of_part, *data, least=least))
