"""Where a run stands, and how much of its work that is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ride.training.config import FitConfig, Stage

HEAD_COST = 0.3
"""Cost of one pixel in one L-BFGS iteration over its cost in a gradient step, for the estimate of the time left."""


@dataclass
class Position:
    """How far a run has come: `step` within the phase of the stage (both from 0), `seconds` of work, and rates.

    `rates` and `counted` are the sum since the last line of the log, `valid` is the rate after the stage before,
    `best` the best one. `ended` runs do not go on although stages are left.
    """

    stage: int = 0
    phase: Literal["start", "steps", "head", "finish"] = "start"
    step: int = 0
    seconds: float = 0.0
    rates: float = 0.0
    counted: int = 0
    valid: float = -math.inf
    best: float = -math.inf
    best_layers: int = 0
    ended: bool = False


class Work:
    """The work of a run in predicted pixels of a gradient step.

    `steps` and `pixels` are the gradient steps of a stage and the predicted pixels of a patch.
    """

    def __init__(self, config: FitConfig, steps: Callable[[Stage], int], pixels: Callable[[int], int]) -> None:
        self._steps = [config.batch_of(stage) * pixels(stage.patch) for stage in config.stages]
        self._iteration = HEAD_COST * config.head_pixels
        self._parts = [
            (each * steps(stage), self._iteration * stage.head_iterations)
            for each, stage in zip(self._steps, config.stages, strict=True)
        ]
        self.total = int(sum(map(sum, self._parts)))

    def done(self, position: Position) -> int:
        """How much of it is done."""
        if position.ended:
            return self.total
        done = sum(map(sum, self._parts[: position.stage]))
        if position.phase == "steps":
            done += self._steps[position.stage] * position.step
        elif position.phase == "head":
            done += self._parts[position.stage][0] + self._iteration * position.step
        elif position.phase == "finish":
            done += sum(self._parts[position.stage])
        return int(done)
