"""A run that is killed at any moment and called again ends as if nothing had happened, bit for bit."""

import contextlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import ADAM, SGD, growing, left, model_for, model_of, pictures, same

from ride import atomic
from ride.models.ride import RIDE
from ride.training import FitResult, curriculum, fit
from ride.training.checkpoints import load_checkpoint
from ride.training.run import Run

TRAINING, HELD_OUT = pictures(), pictures(2, seed=9)
CASES = {
    "adam-mcgsm": (ADAM, 0),
    "adam": (ADAM, 1),
    "soap-revived": (replace(ADAM, revive=2, optimizer="soap"), 1),
    "adam-revived": (replace(ADAM, revive=3), 0),
    "adam-first-layer": (growing(ADAM), 0),
    "adam-growing": (growing(ADAM), 1),
    "sgd-mcgsm": (SGD, 0),
    "sgd": (SGD, 1),
    "sgd-growing": (growing(SGD), 1),
}


class Killed(BaseException):
    """As sudden as Ctrl-C."""


class Moments:
    """Counts the moments of a run and kills it at one of them."""

    def __init__(self) -> None:
        self.count, self.fatal = 0, -1

    def __call__(self, done: int = 0, total: int = 0, message: str = "") -> None:
        self.count += 1
        if self.count == self.fatal:
            raise Killed

    def around(self, action: Callable[..., Any]) -> Callable[..., Any]:
        """The action with a moment before and one after."""

        def surrounded(*args: Any, **more: Any) -> Any:
            self()
            result = action(*args, **more)
            self()
            return result

        return surrounded


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    """Moments at every word of progress, and around all that is written, drawn anew or takes long."""
    counter = Moments()
    places: list[tuple[Any, str]] = [(Run, "log"), (Run, "save"), (RIDE, "fit_whitening"), (RIDE, "set_depth")]
    places += [(curriculum, name) for name in ("save", "head_pixels", "mean_rate")]
    for owner, name in places:
        monkeypatch.setattr(owner, name, counter.around(getattr(owner, name)))
    # There is no power cut here, and waiting for the disk takes most of the time.
    monkeypatch.setattr(atomic, "_flush", lambda path: None)
    monkeypatch.setattr(curriculum, "LOG_STEPS", 3)
    return counter


def live(directory: Path, case: str, moments: Moments, life: int = -1) -> tuple[RIDE, FitResult]:
    """One call, as it were in a process of its own, killed at moment `life`."""
    config, layers = CASES[case]
    moments.fatal = -1
    model = model_for(config, layers)
    # What others draw must not matter.
    torch.rand(max(1, life))
    moments.count, moments.fatal = 0, life
    return model, fit(model, TRAINING, HELD_OUT, config, directory=directory, card={"a": 1}, progress=moments)


def killed(directory: Path, case: str, moments: Moments, life: int) -> bool:
    """Whether a call was killed before it came to its end."""
    try:
        live(directory, case, moments, life)
    except Killed:
        return True
    return False


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["checkpoints-everywhere", "checkpoints-between-phases"])
@pytest.mark.parametrize("case", CASES)
def test_killed_again_and_again_it_ends_the_same(
    case: str, seconds: float, moments: Moments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(curriculum, "CHECKPOINT_SECONDS", seconds)
    model, result = live(tmp_path / "whole", case, moments)
    # Each life is a little longer, so that one comes to the end.
    lives = next(k for k in range(3, 100) if not killed(tmp_path / "parts", case, moments, 2 * k))
    assert lives > 5
    again, after = live(tmp_path / "parts", case, moments)
    assert same(again, model)
    assert left(tmp_path / "parts", again) == left(tmp_path / "whole", model)
    assert any(line["phase"] == "revived" for line in left(tmp_path / "parts", again)[0]) == bool(
        CASES[case][0].revive
    )
    assert (after.nats_per_pixel, after.stages) == (result.nats_per_pixel, result.stages)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "first"), [("adam-growing", 1), ("sgd-growing", 2)])
def test_killed_at_any_moment_it_ends_the_same(
    case: str, first: int, moments: Moments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(curriculum, "CHECKPOINT_SECONDS", 0.0)
    model, _ = live(tmp_path / "whole", case, moments)
    last = moments.count
    story = left(tmp_path / "whole", model)
    for moment in range(first, last + 1, 7):
        directory = tmp_path / str(moment)
        assert killed(directory, case, moments, moment)
        again, _ = live(directory, case, moments)
        assert same(again, model), f"killed at moment {moment}"
        assert left(directory, again) == story, f"killed at moment {moment}"


def test_the_same_call_after_the_end_changes_nothing(moments: Moments, tmp_path: Path):
    model, result = live(tmp_path, "adam-growing", moments)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again, after = live(tmp_path, "adam-growing", moments)
    assert same(again, model)
    assert after == result
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("case", "kept"), [("adam", "exp_avg_sq"), ("sgd", "momentum_buffer")])
def test_the_optimiser_remembers(
    case: str, kept: str, moments: Moments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(curriculum, "CHECKPOINT_SECONDS", 0.0)
    memories: list[dict[int, Any]] = []
    save = Run.save

    def look(directory: Run, tree: dict[str, Any]) -> None:
        save(directory, tree)
        written = load_checkpoint(directory.checkpoint_path)
        if written["position"]["phase"] == "steps":
            memories.append(written["optimizer"]["state"])

    monkeypatch.setattr(Run, "save", look)
    model, _ = live(tmp_path, case, moments)
    assert len(memories) > 4
    assert all(len(memory) == len(list(model.parameters())) for memory in memories)
    assert all(memory[0][kept].abs().max() > 0 for memory in memories)


def test_work_and_time_go_on_from_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(curriculum, "CHECKPOINT_SECONDS", 0.0)
    lives: list[list[int]] = []

    def listen(done: int, total: int, message: str = "") -> None:
        assert 0 <= done <= total
        lives[-1].append(done)
        if len(lives[-1]) == len(lives) + 2:
            raise Killed

    result = None
    while result is None:
        lives.append([])
        with contextlib.suppress(Killed):
            result = fit(model_of(), TRAINING, HELD_OUT, growing(SGD), directory=tmp_path, progress=listen)
    assert len(lives) > 3
    assert all(life == sorted(life) for life in lives)
    # Nothing is made up in between: what was told last is where the next life begins, or just before.
    assert all(life[0] <= later[0] <= life[-1] for life, later in itertools.pairwise(lives))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    assert result.seconds >= seconds[-1] - 0.1
