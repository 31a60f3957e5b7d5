"""The gradient of a mean over pixels that are divided over ranks."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ride import ranks


def descent(parameters: Sequence[nn.Parameter], mean: Callable[[], Tensor], weight: float) -> Tensor:
    """Set the gradients of minus the mean over all ranks, and return that mean (a scalar): equal on all ranks.

    `mean` computes the mean over what this rank has, which is the part `weight` of what all have together; it is not
    called where that is nothing. For a process alone this is what it computes itself, bit for bit.
    """
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in parameters:
        parameter.grad = None
    value = parameters[0].new_zeros(())
    if weight:
        objective = weight * mean()
        (-objective).backward()
        value = objective.detach()
    if ranks.count() > 1:
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        ranks.add_up([value, *(parameter.grad for parameter in parameters if parameter.grad is not None)])
    return value
