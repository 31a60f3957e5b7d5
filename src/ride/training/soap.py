"""Adam in the eigenbasis of Shampoo's preconditioner (SOAP; Vyas et al., 2024, "Improving and Stabilizing Shampoo").

A matrix of weights has gradients whose rows and columns are correlated. Adam, which divides each entry by its own
size, is blind to that. Here the entries that it divides are those in the eigenvectors of the mean of G G' and of G' G,
an inexpensive approximation of the curvature that knows of correlations. The matrices of a RIDE are small beside the
pixels of a batch, so that this costs next to nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

EPS = 1e-8
"""Added to the root that the gradient is divided by, as in Adam."""
FORGET = 0.98
"""What remains after a step of the means of G G' and G' G."""
EVERY = 10
"""Steps between two updates of the eigenvectors."""
LARGEST = 1024
"""A side of a matrix longer than that keeps its own basis."""
SIDES = ("left", "right")


class SOAP(Optimizer):
    """Adam in a slowly turning basis for each matrix; ordinary Adam for vectors, and where a group is not `turned`.

    Parameters of more than two axes are matrices of their first axis and the others together.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], lr: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "turned": True})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Make a step along the gradients that are there; `closure` is not called."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = _as_matrix(parameter.grad, group["turned"])
                    change = _change(self.state[parameter], gradient, *group["betas"])
                    parameter.add_(change.view_as(parameter), alpha=-group["lr"])


def _as_matrix(gradient: Tensor, turned: bool) -> Tensor:
    """A vector is a matrix of one row, which no basis is kept for."""
    return gradient.reshape(len(gradient) if turned and gradient.ndim > 1 else 1, -1)


def _change(state: dict[str, Any], gradient: Tensor, beta1: float, beta2: float) -> Tensor:
    """What to go along for a rate of one, and the state after it."""
    if not state:
        state["step"], state["mean"], state["square"] = 0, torch.zeros_like(gradient), torch.zeros_like(gradient)
        for side, size in zip(SIDES, gradient.shape, strict=True):
            if min(gradient.shape) > 1 and size <= LARGEST:
                state[side] = gradient.new_zeros(size, size)
    state["step"] += 1
    step = state["step"]
    _turn(state, gradient)
    turned = _to_basis(gradient, state)
    state["mean"].lerp_(gradient, 1 - beta1)
    state["square"].lerp_(turned.square(), 1 - beta2)
    mean = _to_basis(state["mean"], state) / (1 - beta1**step)
    root = (state["square"] / (1 - beta2**step)).sqrt_().add_(EPS)
    return _from_basis(mean / root, state)


def _turn(state: dict[str, Any], gradient: Tensor) -> None:
    """Take note of the gradient in the means of G G' and G' G, and renew their eigenvectors where it is time."""
    for axis, side in enumerate(SIDES):
        if side not in state:
            continue
        mean = state[side].lerp_(gradient @ gradient.T if axis == 0 else gradient.T @ gradient, 1 - FORGET)
        basis = f"{side}_basis"
        if state["step"] == 1:
            # Not a number has no eigenvectors; whoever gave it sees it in the parameters.
            usable = mean if mean.isfinite().all() else torch.zeros_like(mean)
            state[basis] = torch.linalg.eigh(usable.double())[1].flip(1).to(mean)
        elif state["step"] % EVERY == 0:
            # One power iteration from where they were. The largest come first: QR leaves these as they are.
            product = mean @ state[basis]
            order = (state[basis] * product).sum(0).argsort(descending=True)
            state["square"] = state["square"].index_select(axis, order)
            scale = mean.trace().clamp(min=torch.finfo(mean.dtype).tiny)
            state[basis] = torch.linalg.qr(product[:, order] / scale)[0]


def _to_basis(matrix: Tensor, state: dict[str, Any]) -> Tensor:
    if "left" in state:
        matrix = state["left_basis"].T @ matrix
    return matrix @ state["right_basis"] if "right" in state else matrix


def _from_basis(matrix: Tensor, state: dict[str, Any]) -> Tensor:
    if "left" in state:
        matrix = state["left_basis"] @ matrix
    return matrix @ state["right_basis"].T if "right" in state else matrix
