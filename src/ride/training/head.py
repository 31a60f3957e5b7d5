"""Fine-tuning of the MCGSM by L-BFGS with the hidden units fixed, section 3."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ride import ranks
from ride.models.mcgsm import MCGSM
from ride.training.gradients import descent, total

CHECK_EVERY = 5
"""Iterations between looks at the held-out pixels."""
PATIENCE = 20
"""Looks without improvement after which L-BFGS ends: 100 iterations, as in the authors' program."""
LEAST_PIXELS = 2000
"""Pixels for a thread of its own."""
LEAST_GAIN = 1e-7
"""Nats per pixel and look below which L-BFGS has converged (the arithmetic is single precision)."""


@dataclass
class HeadState:
    """Where L-BFGS stands: enough to go on after an interruption."""

    iteration: int = 0
    rate: float = -math.inf
    best: float = -math.inf
    failures: int = 0
    done: bool = False
    optimizer: dict[str, Any] | None = None
    best_parameters: list[Tensor] = field(default_factory=list)


Held = tuple[Tensor, Tensor]


def fit_head(
    head: MCGSM,
    pixels: Held,
    held_out: Held | None,
    iterations: int,
    state: HeadState | None = None,
    after_look: Callable[[HeadState], None] | None = None,
) -> HeadState:
    """Maximise the mean log-likelihood of `pixels` (x [P, N], y [P, M], whitened) with up to `iterations` of L-BFGS.

    Ends early when the held-out pixels have not improved for `PATIENCE` looks, and keeps the parameters that were
    best on them, be it those from before. Nothing is done where the likelihood is not finite to begin with.
    `after_look` is called with the state at every look, for logs and checkpoints.

    Of several ranks each gives its part of the pixels, which may be none. Value and gradient are summed over them, so
    that all make the same steps.
    """
    parameters = [p for p in head.parameters() if p.requires_grad]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_eval=4 * CHECK_EVERY,
        history_size=20,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    weight = _weight(pixels)
    held_weight = _weight(held_out) if held_out else 0.0
    known: Tensor | None = None
    """The loss at the parameters, whose gradients they have: a look computes it, and the next step begins with it."""

    def loss() -> Tensor:
        nonlocal known
        value, known = known, None
        return -descent(parameters, head.mean_log_prob, pixels, weight, LEAST_PIXELS) if value is None else value

    def look() -> tuple[float, float]:
        nonlocal known
        known = None
        known = loss()
        rate = -float(known)
        if not held_out:
            return rate, rate
        return rate, ranks.total(held_weight * _mean(head, held_out) if held_weight else 0.0)[0]

    if state is None:
        rate, held = look()
        state = HeadState(rate=rate, best=held, best_parameters=_copies(parameters), done=not math.isfinite(rate))
    if state.optimizer is not None:
        optimizer.load_state_dict(state.optimizer)
    while not state.done and state.iteration < iterations:
        before = _copies(parameters)
        count = min(CHECK_EVERY, iterations - state.iteration)
        optimizer.param_groups[0]["max_iter"] = count
        optimizer.step(loss)
        state.iteration += count
        rate, held = look()
        if not math.isfinite(rate) or rate < state.rate:
            # A line search that failed in single precision: the parameters before it were better.
            _put(before, parameters)
            state.done = True
        else:
            if held > state.best:
                state.best, state.failures, state.best_parameters = held, 0, _copies(parameters)
            else:
                state.failures += 1
            state.done = state.failures >= PATIENCE or rate - state.rate < LEAST_GAIN
            state.rate = rate
        state.optimizer = optimizer.state_dict()
        if after_look:
            after_look(state)
    _put(state.best_parameters, parameters)
    return state


def _weight(pixels: Held) -> float:
    """The part that this rank has of all pixels."""
    own = len(pixels[0])
    return own / ranks.total(own)[0]


def _mean(head: MCGSM, pixels: Held) -> float:
    """Mean log-likelihood of pixels in nats."""
    return total(head.mean_log_prob, *pixels, least=LEAST_PIXELS) / len(pixels[0])


def _copies(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


@torch.no_grad()
def _put(values: list[Tensor], parameters: list[nn.Parameter]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
