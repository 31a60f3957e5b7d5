"""The loop around a fit: what it keeps, what it logs, and how it goes on."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ride.errors import ConfigError, ModelError
from ride.training.best import keep_best
from ride.training.run import Run


class Walk(nn.Module):
    """One number x, which goes up by ever more and is best at 6: 1, 3, 6, 10, ..."""

    x: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("x", torch.zeros(()))
        self.made = torch.zeros(())
        self.asked: list[int] = []

    def step(self, number: int) -> float:
        self.asked.append(number)
        self.made = self.made + 1
        self.x += self.made
        return float(number)

    def go(self, steps: int = 10, looks: int = 5, score: Callable[[], float] | None = None, **options: Any) -> float:
        return keep_best(
            self,
            self.step,
            score or (lambda: -abs(float(self.x) - 6)),
            steps=steps,
            looks=looks,
            state=lambda: {"made": self.made},
            restore=lambda state: setattr(self, "made", state["made"]),
            settings={"steps": steps},
            **options,
        )


def test_the_best_of_the_looks_is_kept():
    walk = Walk()
    assert walk.go(looks=10) == 0
    assert float(walk.x) == 6
    walk = Walk()
    assert walk.go() == -3
    assert float(walk.x) == 3  # looks after 2, 4, ...
    assert walk.asked == list(range(10))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_an_error(tmp_path: Path, value: float):
    scores = iter([0.0, value])
    with pytest.raises(ConfigError, match=f"diverged: the held-out patches have {value} nat after step 4"):
        Walk().go(score=lambda: next(scores), directory=tmp_path / "run")


def test_the_last_step_is_looked_at():
    walk = Walk()
    walk.go(steps=7, looks=3, score=lambda: float(walk.x))
    assert float(walk.x) == 28


def test_an_interrupted_fit_goes_on_from_the_last_step(tmp_path: Path):
    def stop(done: int, total: int, message: str = "") -> None:
        if done == 5:
            raise KeyboardInterrupt

    first, again, whole = Walk(), Walk(), Walk()
    with pytest.raises(KeyboardInterrupt):
        first.go(directory=tmp_path, progress=stop)
    assert again.go(directory=tmp_path) == whole.go()
    assert again.asked == list(range(5, 10))
    assert torch.equal(again.x, whole.x)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["nats"] for r in records if r["phase"] == "valid"] == [-3, -4, -15, -30, -49]
    assert [r["nats"] for r in records if r["phase"] == "steps"] == [4.5]


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path):
    Run(tmp_path, {"steps": 10}).save({"step": 3})
    with pytest.raises(ModelError, match="does not fit this run"):
        Walk().go(directory=tmp_path)
    with pytest.raises(ConfigError, match="steps = 10, not 9"):
        Walk().go(steps=9, directory=tmp_path)
