"""Putting idle components of an MCGSM to work, those that explain next to nothing of a batch.

At high learning rates the gates (4) of components close, and hardly any gradient is left to open them again where the
energy has grown beyond those of all others. The mixture is then one of few components, however many there are. Here an
idle component becomes a twin of the busiest one. Two halves of a component are together what it was, but once they
differ a little, gradients drive them apart.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from ride import ranks
from ride.models.mcgsm import MCGSM

LEAST = 0.1
"""A component with less than this part of what would be its equal share of pixels is idle."""
SPREAD = 0.3
"""Standard deviation of what the gate of a twin differs by: eta, and the logarithms of beta, or of the entries of the
factor of a full K_c."""
MOVE = 0.01
"""Standard deviation of what each entry of the predictor A_c of a twin differs by."""
PIXELS = 4000
"""Scored at a time."""


@torch.no_grad()
def usage(head: MCGSM, x: Float[Tensor, "P N"], y: Float[Tensor, "P M"]) -> Float[Tensor, " C"]:
    """The mean of p(c | x, y) over pixels, those of all ranks: what part of them each component explains.

    Pixels that are so far from all experts that none has a density are left out.
    """
    shares = torch.zeros(head.components, dtype=torch.float64, device=x.device)
    for some_x, some_y in zip(x.split(PIXELS), y.split(PIXELS), strict=True):
        of_component = head(some_x).posterior(some_y).exp().sum(2)
        shares += of_component[of_component.isfinite().all(1)].sum(0, dtype=torch.float64)
    ranks.add_up([shares])
    return shares / shares.sum()


@torch.no_grad()
def revive(head: MCGSM, optimizer: Optimizer, shares: Float[Tensor, " C"], generator: torch.Generator) -> int:
    """Make twins of busy components out of idle ones, and return how many.

    What the optimiser keeps of a component, its twin gets too. Nothing is drawn where no component is idle.
    """
    least = LEAST / head.components
    members = [[component] for component in range(head.components)]
    share = shares.tolist()
    idle = [component for component, part in enumerate(share) if part < least]
    revived = 0
    for component in idle:
        busiest = max(range(head.components), key=lambda c: share[c] / len(members[c]))
        if share[busiest] / (len(members[busiest]) + 1) < 2 * least:
            break
        members[busiest].append(component)
        revived += 1
    for first, *twins in members:
        if twins:
            _copy(head, optimizer, first, twins)
            head.eta[[first, *twins]] -= math.log(1 + len(twins))
            for twin in twins:
                _move(head, twin, generator)
    return revived


def _copy(head: MCGSM, optimizer: Optimizer, first: int, twins: list[int]) -> None:
    """Give components the parameters of another, and the optimiser's memory of them."""
    for parameter in _of_components(head):
        kept = [value for value in optimizer.state.get(parameter, {}).values() if _alike(value, parameter)]
        for values in (parameter, *kept):
            rows = values.view(len(parameter), -1)
            rows[twins] = rows[first].clone()


def _alike(value: object, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.numel() == parameter.numel()


def _of_components(head: MCGSM) -> list[Tensor]:
    """The parameters that have a row for each component: all but the features."""
    return [parameter for name, parameter in head.named_parameters() if name != "b"]


def _move(head: MCGSM, twin: int, generator: torch.Generator) -> None:
    """Make a twin a little different."""

    def normal(like: Tensor, deviation: float) -> Tensor:
        return deviation * torch.randn(like.shape, generator=generator).to(like)

    gate = head.k_cholesky if head.features is None else head.beta
    head.eta[twin] += normal(head.eta[twin, :1], SPREAD)
    gate[twin] *= normal(gate[twin], SPREAD).exp()
    head.a[twin] += normal(head.a[twin], MOVE)
