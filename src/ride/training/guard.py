"""Going back when memory runs away.

The forget gates of equation (6) sum freely. At a high learning rate a step can push them so far that memory grows
over a patch, the likelihood falls by nats, and thousands of steps later it has still not come back. A run goes back to
where it was well, and goes on from there at half the rate.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

KEEP_STEPS = 100
"""Steps between two states to go back to."""
FALL = 0.7
"""Nats per pixel below the level of the steps before that mean a run has gone astray. Batches vary by less than half
of that, and what is compared is a mean over some ten of them."""
FORGET = 0.9
"""Of the mean over the last steps, what remains of it after another one."""
LEAST_RATE = 1 / 64
"""Of the learning rate. A run that goes astray at less cannot be helped by a lower one."""


@dataclass
class Guard:
    """The level of the objective, and what to go back to: it is well when the last `KEEP_STEPS` were.

    `level` is the highest mean objective of so many steps in nats per pixel, `recent` the mean of the last few, `peak`
    the highest of these as long as there is no level, and `slowdown` what the learning rate is multiplied by. `step`
    is that of the kept parameters.
    """

    level: float = -math.inf
    recent: float = -math.inf
    peak: float = -math.inf
    total: float = 0.0
    counted: int = 0
    slowdown: float = 1.0
    step: int = -1
    model: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] | None = None

    def astray(self, objective: float) -> bool:
        """Take note of the objective of a step, and say whether to go back."""
        if self.step < 0:
            return False
        first = self.recent == -math.inf
        self.recent = objective if first else FORGET * self.recent + (1 - FORGET) * objective
        self.peak = max(self.peak, self.recent)
        # Not a number is below nothing.
        return not self.recent >= (self.peak if self.level == -math.inf else self.level) - FALL

    def keep(self, step: int, objective: float, model: nn.Module, optimizer: Optimizer) -> None:
        """Count a step that is done; after so many, keep what it led to."""
        self.total, self.counted = self.total + objective, self.counted + 1
        if self.counted < KEEP_STEPS:
            return
        mean, self.total, self.counted = self.total / self.counted, 0.0, 0
        if mean < self.level - FALL or not all_finite(model):
            # Slowly on its way down, or lost in the last step: what was kept before is better.
            return
        self.level = max(self.level, mean)
        self.hold(step, model, optimizer)

    def hold(self, step: int, model: nn.Module, optimizer: Optimizer) -> None:
        """Keep what so many steps led to."""
        self.recent = self.level if self.step < 0 else self.recent
        self.step = step
        self.model = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.optimizer = _cloned(optimizer.state_dict())

    def go_back(self, model: nn.Module, optimizer: Optimizer) -> int | None:
        """Restore what is kept, at half the rate, and return its step; None where that would not help."""
        if self.slowdown <= LEAST_RATE or self.optimizer is None:
            return None
        model.load_state_dict(self.model)
        optimizer.load_state_dict(_cloned(self.optimizer))
        self.slowdown, self.recent, self.peak = self.slowdown / 2, self.level, -math.inf
        self.total, self.counted = 0.0, 0
        return self.step


def all_finite(model: nn.Module) -> bool:
    """Whether all parameters are numbers."""
    return all(bool(parameter.isfinite().all()) for parameter in model.parameters())


def _cloned(tree: Any) -> Any:
    """The same with tensors of its own."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {key: _cloned(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_cloned(value) for value in tree]
    return tree
