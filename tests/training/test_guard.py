"""Going back where a run went astray: seldom, exactly, and in the same way after an interruption."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.training.conftest import ADAM, left, log_of, model_of, pictures, same

from ride.training import curriculum, fit, guard
from ride.training.config import Stage
from ride.training.guard import FALL, KEEP_STEPS, LEAST_RATE, Guard
from ride.training.schedule import learning_rate

LINE = torch.nn.Linear(2, 1)


def stepped(objective: float = 0.0) -> tuple[torch.nn.Linear, torch.optim.Adam, Guard]:
    """A model after as many steps as a guard keeps, and the guard."""
    torch.manual_seed(0)
    model, watch = torch.nn.Linear(2, 1), Guard()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for step in range(KEEP_STEPS):
        assert not watch.astray(objective)
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        watch.keep(step + 1, objective, model, optimizer)
    return model, optimizer, watch


@given(st.lists(st.floats(-FALL, FALL), min_size=1, max_size=300), st.floats(-5, 5))
def test_what_varies_little_is_not_astray(values: list[float], level: float):
    watch = Guard()
    optimizer = torch.optim.SGD(LINE.parameters(), lr=0.1)
    for step, value in enumerate([0.0] * KEEP_STEPS + values):
        assert not watch.astray(level + value / 2)
        watch.keep(step + 1, level + value / 2, LINE, optimizer)


@pytest.mark.parametrize("value", [-math.inf, math.nan, -1e30, -20.0])
def test_a_fall_is_seen_at_once(value: float):
    assert stepped()[2].astray(value)


def test_a_lasting_fall_is_seen_after_some_steps():
    watch = stepped(2.0)[2]
    assert sum(not watch.astray(2.0 - 1.2 * FALL) for _ in range(100)) > 5
    assert watch.astray(2.0 - 1.2 * FALL)


def test_a_slow_slide_is_seen_and_what_it_led_to_is_not_kept():
    model, optimizer, watch = stepped(3.0)
    value, step = 3.0, KEEP_STEPS
    while not watch.astray(value):
        step, value = step + 1, value - 0.004
        watch.keep(step, value, model, optimizer)
        assert value > 0
    # Two intervals lie within what is taken for noise.
    assert watch.step <= 3 * KEEP_STEPS
    assert watch.level >= 2.5


def test_a_stage_that_begins_badly_is_seen():
    model, optimizer, before = stepped(2.0)
    watch = Guard(before.level)
    watch.hold(0, model, optimizer)
    assert watch.astray(-30.0)
    assert watch.go_back(model, optimizer) == 0


@pytest.mark.parametrize("value", [-math.inf, math.nan, -30.0])
def test_a_fall_in_the_first_steps_leads_back_to_the_beginning(value: float):
    optimizer = torch.optim.SGD(LINE.parameters(), lr=0.1)
    watch = Guard()
    watch.hold(0, LINE, optimizer)
    for step in range(KEEP_STEPS // 2):
        assert not watch.astray(-2 + 0.05 * step)
        watch.keep(step + 1, -2 + 0.05 * step, LINE, optimizer)
    assert watch.astray(value)
    assert watch.go_back(LINE, optimizer) == 0
    # It begins as low as it did before.
    assert not watch.astray(-2.0)


def test_the_first_objective_is_nothing_to_fall_from_but_not_a_number_is():
    watch = Guard()
    watch.hold(0, LINE, torch.optim.SGD(LINE.parameters(), lr=0.1))
    assert not watch.astray(-1e30)
    watch.recent = watch.peak = -math.inf
    assert watch.astray(math.nan)


def test_nothing_is_astray_before_there_is_something_to_go_back_to():
    assert not Guard().astray(math.nan)
    assert Guard().go_back(LINE, torch.optim.SGD(LINE.parameters(), lr=0.1)) is None


def test_going_back_restores_everything_and_halves_the_rate():
    model, optimizer, watch = stepped()
    weights = model.weight.detach().clone()
    moments = optimizer.state[model.weight]["exp_avg"].clone()
    for _ in range(7):
        model(torch.randn(3, 2)).square().sum().backward()
        optimizer.step()
    for slowdown in (0.5, 0.25):
        assert watch.go_back(model, optimizer) == KEEP_STEPS
        assert watch.slowdown == slowdown
        assert torch.equal(model.weight, weights)
        assert torch.equal(optimizer.state[model.weight]["exp_avg"], moments)
        model(torch.randn(3, 2)).square().sum().backward()
        optimizer.step()


def test_a_step_to_what_is_no_number_is_not_kept():
    model, optimizer, watch = stepped()
    for step in range(KEEP_STEPS):
        if step == KEEP_STEPS - 1:
            torch.nn.init.constant_(model.weight, math.nan)
        watch.keep(KEEP_STEPS + step + 1, 0.0, model, optimizer)
    assert watch.go_back(model, optimizer) == KEEP_STEPS
    assert model.weight.isfinite().all()


def test_it_gives_up_in_the_end():
    model, optimizer, watch = stepped()
    count = 0
    while watch.go_back(model, optimizer) is not None:
        count += 1
    assert watch.slowdown == LEAST_RATE
    assert count == round(-math.log2(LEAST_RATE))


@pytest.fixture
def easily_alarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that sees a fall twice in each stage, whatever the objective does."""
    monkeypatch.setattr(guard, "FALL", 100.0)
    monkeypatch.setattr(guard, "KEEP_STEPS", 2)
    monkeypatch.setattr(Guard, "astray", lambda watch, objective: watch.step >= 2 and watch.slowdown > 0.3)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """The learning rate and the norm of the gradient of each step to come."""
    taken: list[tuple[float, float]] = []
    step = torch.optim.Adam.step

    def watching(optimizer: torch.optim.Adam, *args: Any) -> None:
        (group,) = optimizer.param_groups
        gradients = [parameter.grad for parameter in group["params"]]
        taken.append((group["lr"], float(torch.nn.utils.get_total_norm(gradients))))
        step(optimizer, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", watching)
    return taken


@pytest.mark.parametrize("clip", [1e-3, None])
def test_steps_have_the_rate_and_the_clip_of_their_place(clip: float | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard, "KEEP_STEPS", 2)
    calls = iter(range(10**6))
    monkeypatch.setattr(Guard, "astray", lambda watch, objective: next(calls) == 3)
    stages = (Stage(patch=8, steps=6, rate=1e-2, rate_end=2e-3), Stage(patch=10, steps=3, rate=3e-3))
    config, taken = replace(ADAM, stages=stages, clip=clip, warmup=2), watched(monkeypatch)
    fit(model_of(), pictures(), pictures(2, seed=9), config)
    # After three steps it goes back to what two have led to.
    first = [learning_rate(config, 0, step, 6) for step in (0, 1, 2)]
    again = [learning_rate(config, 0, step, 6) / 2 for step in (2, 3, 4, 5)]
    assert [rate for rate, _ in taken] == pytest.approx([*first, *again, *[3e-3] * 3], rel=1e-12)
    assert first[0] < first[1] > first[2]
    if clip:
        assert [norm for _, norm in taken] == pytest.approx([clip] * 10, rel=1e-3)
    else:
        assert min(norm for _, norm in taken) > 1e-2


@pytest.mark.parametrize("grows", [False, True])
def test_a_stage_is_to_be_no_worse_than_the_one_before_unless_its_mcgsm_is_new(
    grows: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(guard, "KEEP_STEPS", 2)
    began: list[float] = []

    def watching(level: float = -math.inf) -> Guard:
        began.append(level)
        return Guard(level)

    monkeypatch.setattr(curriculum, "Guard", watching)
    stages = (Stage(patch=8, steps=6, rate=1e-2), Stage(patch=10, steps=3, rate=3e-3, add_layer=grows))
    fit(model_of(), pictures(), pictures(2, seed=9), replace(ADAM, stages=stages))
    assert began[:2] == [-math.inf] * 2
    assert math.isfinite(began[2]) != grows


RUN = replace(ADAM, stages=(Stage(patch=8, steps=12, rate=1e-2), Stage(patch=10, steps=6, rate=1e-3)))


def test_a_run_goes_back_tells_so_and_comes_to_its_end(easily_alarmed, tmp_path: Path):
    fit(model_of(), pictures(), pictures(2, seed=9), RUN, directory=tmp_path)
    lines = log_of(tmp_path)
    back = [line for line in lines if line["phase"] == "back"]
    assert len(back) == 4
    assert all(line["step"] <= line["from"] for line in back)
    assert all(math.log2(line["slowdown"]).is_integer() and line["slowdown"] < 1 for line in back)
    assert [line["phase"] for line in lines].count("valid") == 2


def test_interrupted_it_goes_back_in_the_same_way(easily_alarmed, tmp_path: Path):
    whole = model_of()
    fit(whole, pictures(), pictures(2, seed=9), RUN, directory=tmp_path / "whole")

    class Killed(BaseException):
        pass

    for fatal in (3, 9, 17):
        calls = [0]

        def kill(done: int, total: int, message: str = "", calls=calls, fatal=fatal) -> None:
            calls[0] += 1
            if calls[0] == fatal:
                raise Killed

        with pytest.raises(Killed):
            fit(model_of(), pictures(), pictures(2, seed=9), RUN, directory=tmp_path / f"{fatal}", progress=kill)
        model = model_of()
        fit(model, pictures(), pictures(2, seed=9), RUN, directory=tmp_path / f"{fatal}")
        assert same(model, whole)
        assert left(tmp_path / f"{fatal}", model) == left(tmp_path / "whole", whole)
