"""Stochastic gradients on any density of patches: upwards, the best kept, resumable at every step."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ride.errors import ConfigError, DataError, ModelError
from ride.training import best
from ride.training import patches as module
from ride.training.best import copied_state
from ride.training.patches import PatchFitConfig, fingerprint, fit_patches

CONFIG = PatchFitConfig(steps=12, batch=16, rate=0.1, warmup=3, looks=4)


class Normal(nn.Module):
    """Independent normal numbers, and an objective that adds noise to what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(3))
        self.log_scale = nn.Parameter(torch.zeros(3))

    def objective(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        x = x if noise is None else x + 0.1 * noise
        return (-0.5 * ((x - self.mean) / self.log_scale.exp()) ** 2 - self.log_scale).sum(1).mean()


def noise(count: int, generator: torch.Generator) -> tuple[Tensor]:
    return (torch.randn(count, 3, generator=generator),)


def data(count: int = 100, seed: int = 0) -> Tensor:
    return 2 + 0.3 * torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def fitted(directory: Path | None = None, config: PatchFitConfig = CONFIG, **more: Any) -> tuple[Normal, float]:
    model = Normal()
    return model, fit_patches(
        model, model.objective, data(), data(seed=1), config, noise=noise, directory=directory, **more
    )


def log_of(directory: Path) -> list[dict[str, float]]:
    lines = (directory / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_learning_rate_rises_and_falls():
    config = PatchFitConfig(steps=100, rate=1.0, rate_end=0.1, warmup=10)
    rates = [config.learning_rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[50] == pytest.approx(0.55)
    assert rates[-1] == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(("steps", "looks"), [(10, 10), (10, 3), (7, 2), (3, 10), (1, 1)])
def test_the_last_look_is_at_the_end(steps: int, looks: int):
    after: list[int] = []
    made: list[int] = []

    def judge(held_out: torch.Tensor) -> float:
        after.append(len(made))
        return float(len(made))

    def drawn(count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        made.append(count)
        return ()

    config = PatchFitConfig(steps=steps, looks=looks, batch=4)
    model = Normal()
    fit_patches(model, model.objective, data(), data(seed=1), config, judge=judge, noise=drawn)
    assert after[-1] == steps
    assert len(after) == min(looks, steps)


def test_a_scaled_run_is_shorter():
    assert CONFIG.scaled(0.5) == replace(CONFIG, steps=6)
    assert CONFIG.scaled(1e-6).steps == 1
    with pytest.raises(ConfigError, match="positive factor"):
        CONFIG.scaled(0.0)


def test_it_finds_the_maximum():
    model, rate = fitted(config=replace(CONFIG, steps=300, batch=100))
    assert torch.allclose(model.mean, torch.full((3,), 2.0), atol=0.1)
    assert rate > 1.5


def test_what_was_best_on_held_out_patches_is_kept(monkeypatch: pytest.MonkeyPatch):
    rates, states = [], []
    score, model = module._Descent.score, Normal()

    def watched(self: module._Descent) -> float:
        states.append(copied_state(model))
        with torch.no_grad():
            rates.append(float(self.objective(self.held_out)))
        return score(self)

    monkeypatch.setattr(module._Descent, "score", watched)
    # Towards patches of which the held-out ones are only the beginning.
    reached = fit_patches(model, model.objective, data() + 4, data(seed=1), replace(CONFIG, steps=200, looks=20))
    place = max(range(20), key=lambda k: rates[k])
    assert place < 19
    assert reached == pytest.approx(rates[place], rel=1e-5)
    assert all(torch.equal(states[place][name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("stop", [1, 3, 5, 6, 11, 12])
def test_it_goes_on_after_an_interruption_bit_for_bit(tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(best, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(best, "LOG_STEPS", 5)
    straight, rate = fitted(tmp_path / "straight")

    def interrupt(done: int, total: int, message: str = "") -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "twice", progress=interrupt)
    again, second = fitted(tmp_path / "twice")
    assert second == rate
    assert same(straight, again)
    assert log_of(tmp_path / "straight") == log_of(tmp_path / "twice")
    # A third call finds everything done.
    assert fitted(tmp_path / "twice", progress=lambda *told: pytest.fail("there is nothing to do"))[1] == rate


def test_steps_between_checkpoints_are_made_again(tmp_path: Path):
    straight, rate = fitted(tmp_path / "straight")

    def interrupt(done: int, total: int, message: str = "") -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "twice", progress=interrupt)
    again, second = fitted(tmp_path / "twice")
    assert (second, same(straight, again)) == (rate, True)
    assert log_of(tmp_path / "straight") == log_of(tmp_path / "twice")


def test_the_log_tells_of_steps_and_looks(tmp_path: Path):
    _, rate = fitted(tmp_path)
    told = log_of(tmp_path)
    assert [line["step"] for line in told if line["phase"] == "valid"] == [3, 6, 9, 12]
    assert [line["step"] for line in told if line["phase"] == "steps"] == [12]
    assert max(line["nats"] for line in told if line["phase"] == "valid") == rate


def test_it_is_the_same_on_two_threads(two_threads: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LEAST_PATCHES", 4)
    divided, rate = fitted()
    torch.set_num_threads(1)
    alone, expected = fitted()
    assert rate == pytest.approx(expected, rel=1e-4)
    assert torch.allclose(divided.mean, alone.mean, rtol=1e-4)


@pytest.mark.parametrize("clip", [0.01, None])
def test_steps_have_the_rate_and_the_clip_of_their_place(clip: float | None, monkeypatch: pytest.MonkeyPatch):
    taken: list[tuple[float, float]] = []
    step = torch.optim.Adam.step

    def watched(optimizer: torch.optim.Adam, *args: Any) -> None:
        (group,) = optimizer.param_groups
        taken.append((group["lr"], float(nn.utils.get_total_norm([p.grad for p in group["params"]]))))
        step(optimizer, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    config = replace(CONFIG, clip=clip)
    fitted(config=config)
    assert [rate for rate, _ in taken] == [config.learning_rate(number) for number in range(config.steps)]
    if clip:
        assert [norm for _, norm in taken] == pytest.approx([clip] * config.steps, rel=1e-3)
    else:
        assert max(norm for _, norm in taken) > 0.1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_it_says_that_it_diverged(tmp_path: Path, value: float):
    model = Normal()

    def objective(x: Tensor) -> Tensor:
        return model.objective(x) * (value if model.mean.abs().max() > 0.25 else 1.0)

    with pytest.raises(ConfigError, match=r"diverged at step \d+: give it a learning rate below 0.1 and another dir"):
        fit_patches(model, objective, data(), data(), CONFIG, directory=tmp_path)


def test_another_run_does_not_go_on_in_its_directory(tmp_path: Path):
    fitted(tmp_path, settings={"model": 1})
    model = Normal()
    with pytest.raises(ConfigError, match="holds a run with model = 1"):
        fitted(tmp_path, settings={"model": 2})
    with pytest.raises(ConfigError, match=r"fit\.steps"):
        fitted(tmp_path, config=replace(CONFIG, steps=13), settings={"model": 1})
    with pytest.raises(ConfigError, match=r"data\.train"):
        fit_patches(
            model, model.objective, data() + 1, data(seed=1), CONFIG, settings={"model": 1}, directory=tmp_path
        )


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path):
    fitted(tmp_path)
    model = nn.Linear(3, 1)
    with pytest.raises(ModelError, match="does not fit this run"):
        fit_patches(model, lambda x: model(x).mean(), data(), data(seed=1), CONFIG, directory=tmp_path)


def test_fingerprints_tell_patches_apart():
    x = data()
    assert fingerprint(x) == fingerprint(x.clone())
    assert len({fingerprint(other) for other in (x, x.view(3, 100), x + 1, x.flip(0), x.double())}) == 5


@pytest.mark.parametrize("empty", [0, 1])
def test_there_must_be_patches(empty: int):
    model, sets = Normal(), [data(), data()]
    sets[empty] = data(0)
    with pytest.raises(DataError, match="needs patches"):
        fit_patches(model, model.objective, sets[0], sets[1], CONFIG)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("steps", 0),
        ("batch", 0),
        ("looks", 0),
        ("rate", -1.0),
        ("rate", math.nan),
        ("warmup", -1),
        ("clip", 0.0),
        ("betas", (0.9, 1.0)),
    ],
)
def test_settings_must_make_sense(setting: str, value: Any):
    with pytest.raises(ConfigError, match=f"{setting} must be"):
        replace(CONFIG, **{setting: value})
