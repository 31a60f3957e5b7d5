"""Components that no pixel uses become twins of busy ones, and the density stays what it was."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.training.conftest import ADAM, CLOSED, closed, log_of, model_of, pictures, same
from torch import Tensor

from ride.data import seeded
from ride.models.mcgsm import MCGSM
from ride.training import FitConfig, Stage, curriculum, fit, guard, optimizers, revival
from ride.training.curriculum import Curriculum
from ride.training.guard import Guard
from ride.training.revival import LEAST, revive, usage
from ride.training.schedule import learning_rate


def head_of(components: int = 5, closed: tuple[int, ...] = (), **more) -> MCGSM:
    """An MCGSM in double precision, these of its components closed."""
    torch.manual_seed(1)
    head = MCGSM(4, components=components, scales=2, **{"features": 3, **more}).double()
    torch.nn.init.normal_(head.eta, std=0.1)
    with torch.no_grad():
        head.eta[list(closed)] = CLOSED
    return head


def data_of(head: MCGSM, count: int = 300) -> tuple[Tensor, Tensor]:
    draw = seeded("pixels")
    return (
        torch.randn(count, head.inputs, generator=draw, dtype=torch.float64),
        torch.randn(count, head.outputs, generator=draw, dtype=torch.float64),
    )


@pytest.mark.parametrize("outputs", [1, 3])
def test_usage_is_the_mean_posterior(outputs: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(revival, "PIXELS", 70)
    head = head_of(outputs=outputs)
    x, y = data_of(head)
    shares = usage(head, x, y)
    assert float(shares.sum()) == pytest.approx(1)
    # By Bayes' rule from what each component alone gives, all gates but its own closed.
    joint = torch.stack([_alone(head, component, x, y) for component in range(head.components)])
    torch.testing.assert_close(shares, (joint - joint.logsumexp(0)).exp().mean(1))


def test_pixels_without_a_density_are_left_out():
    head = head_of().float()
    x, y = (part.float() for part in data_of(head))
    expected = usage(head, x[1:], y[1:])
    y[0] = 1e30
    torch.testing.assert_close(usage(head, x, y), expected)


def _alone(head: MCGSM, component: int, x: Tensor, y: Tensor) -> Tensor:
    """log p(y, c | x): the gate of the component, and the density of the model that has no other."""
    gate = head(x).gate.logsumexp(-1)[:, component]
    others = [other for other in range(head.components) if other != component]
    one = head_of(head.components, tuple(others), outputs=head.outputs)
    with torch.no_grad():
        one.load_state_dict({**head.state_dict(), "eta": one.eta.where(one.eta == CLOSED, head.eta)})
        one.eta[others] = -1e4
        return gate + one(x).log_prob(y)


@pytest.mark.parametrize(
    "more", [{}, {"features": None}, {"outputs": 3}, {"means": True}, {"outputs": 2, "means": True}]
)
def test_twins_are_together_what_one_was(more: dict, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(revival, "SPREAD", 0.0)
    monkeypatch.setattr(revival, "MOVE", 0.0)
    head = head_of(closed=(0, 3), **more)
    x, y = data_of(head)
    before = head.log_prob(x, y).detach()
    assert revive(head, torch.optim.SGD(head.parameters()), usage(head, x, y), seeded(0)) == 2
    torch.testing.assert_close(head.log_prob(x, y), before)
    assert float(usage(head, x, y).min()) > LEAST / 5


def test_a_twin_differs_a_little_and_is_used():
    head = head_of(closed=(0, 3))
    x, y = data_of(head)
    before, shares = head.log_prob(x, y).detach(), usage(head, x, y)
    revive(head, torch.optim.SGD(head.parameters()), shares, seeded(0))
    assert 0 < float((head.log_prob(x, y).detach() - before).abs().mean()) < 0.1
    assert float(usage(head, x, y).min()) > LEAST / 5
    for parameter in (head.eta, head.beta, head.a):
        assert len(parameter.detach().flatten(1).unique(dim=0)) == 5
    # The scales stay those of the parent.
    busiest = int(shares.argmax())
    assert any(torch.equal(head.alpha[twin], head.alpha[busiest]) for twin in (0, 3))


def test_a_twin_has_a_full_gate_of_its_own():
    head = head_of(closed=(0, 3), features=None)
    x, y = data_of(head)
    revive(head, torch.optim.SGD(head.parameters()), usage(head, x, y), seeded(0))
    assert len(head.k_cholesky.detach().tril().flatten(1).unique(dim=0)) == 5


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9), st.integers(0, 99))
def test_only_the_idle_change_and_their_parents_keep_half(parts: list[float], seed: int):
    shares = torch.tensor(parts, dtype=torch.float64) + 1e-9
    shares /= shares.sum()
    head = head_of(len(parts))
    before = {name: value.clone() for name, value in head.state_dict().items()}
    count = revive(head, torch.optim.SGD(head.parameters()), shares, seeded(seed))
    idle = shares < LEAST / len(parts)
    changed = (head.a != before["a"]).flatten(1).any(1)
    assert int(changed.sum()) == count
    assert not (changed & ~idle).any()
    assert torch.equal(head.b, before["b"])
    for component in (~idle).nonzero().flatten().tolist():
        twins = float((before["eta"] - head.state_dict()["eta"])[component, 0].exp())
        assert twins == pytest.approx(round(twins))
        # No part is made smaller than twice what counts as idle, and no idle component is left that could be a twin.
        least = 2 * LEAST / len(parts)
        assert round(twins) == 1 or float(shares[component]) / round(twins) >= least
        assert count == int(idle.sum()) or float(shares[component]) / (round(twins) + 1) < least


@pytest.mark.parametrize("name", ["adam", "soap", "sgd"])
def test_a_twin_gets_what_the_optimiser_knows(name: optimizers.Name):
    head = head_of(closed=(0,))
    x, y = data_of(head)
    optimizer = optimizers.make(name, head, (0.9, 0.95), momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        head.mean_log_prob(x, y).backward()
        optimizer.step()
    shares = usage(head, x, y)
    parent = int(shares.argmax())
    assert revive(head, optimizer, shares, seeded(0)) == 1
    for parameter in (head.eta, head.alpha, head.beta, head.a):
        kept = [v for v in optimizer.state[parameter].values() if isinstance(v, Tensor) and v.numel() > 1]
        assert kept
        for values in kept:
            rows = values.view(head.components, -1)
            assert torch.equal(rows[0], rows[parent])
            assert rows[0].abs().sum() > 0


def test_where_all_are_at_work_nothing_is_drawn_and_nothing_changes():
    head, generator = head_of(), seeded(0)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    state = generator.get_state()
    assert revive(head, torch.optim.SGD(head.parameters()), torch.full((5,), 0.2), generator) == 0
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())
    assert torch.equal(generator.get_state(), state)


def config_of(**changes) -> FitConfig:
    return replace(ADAM, stages=(Stage(patch=8, steps=8, rate=1e-2, rate_end=1e-4),), **changes)


@pytest.mark.parametrize("layers", [0, 1])
def test_a_run_revives_and_tells_of_it(layers: int, tmp_path: Path):
    model = closed(model_of(layers, components=5), 3)
    fit(model, pictures(), pictures(2, seed=9), config_of(revive=2), directory=tmp_path)
    told = [line for line in log_of(tmp_path) if line["phase"] == "revived"]
    assert [(line["step"], line["components"]) for line in told] == [(2, 3)]
    assert float(model.head.eta[:3].detach().max()) > CLOSED / 2


@pytest.mark.parametrize("slowdown", [1.0, 0.25])
def test_a_run_looks_while_its_rate_is_high(slowdown: float, monkeypatch: pytest.MonkeyPatch):
    looks: list[tuple[int, int]] = []

    def counting(run: Curriculum, patches: Tensor) -> None:
        looks.append((run.position.stage, run.position.step))

    monkeypatch.setattr(Curriculum, "_revive", counting)
    monkeypatch.setattr(curriculum, "Guard", partial(Guard, slowdown=slowdown))
    rates = ((0.02, None), (0.01, 0.001), (0.0019, None))
    stages = tuple(Stage(patch=8, steps=7, rate=rate, rate_end=end) for rate, end in rates)
    config = replace(ADAM, stages=stages, revive=2)
    fit(model_of(0), pictures(), (), config)
    high = {
        (number, step)
        for number in range(3)
        for step in (2, 4, 6)
        if slowdown * learning_rate(config, number, step, 7) >= 0.1 * 0.02
    }
    assert set(looks) == high
    assert {(0, 6), (1, 2)} <= high < {(0, 2), (0, 4), (0, 6), (1, 2), (1, 4), (1, 6)}


def test_a_revival_that_harms_is_gone_back_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def harm(head: MCGSM, *others: object) -> int:
        with torch.no_grad():
            head.a.add_(100.0)
        return 1

    monkeypatch.setattr(curriculum, "revive", harm)
    monkeypatch.setattr(guard, "KEEP_STEPS", 3)
    model = model_of(0)
    config = replace(config_of(revive=6), stages=(Stage(patch=8, steps=20, rate=1e-3),))
    result = fit(model, pictures(), pictures(2, seed=9), config, directory=tmp_path)
    told = [(line["phase"], line["step"]) for line in log_of(tmp_path) if line["phase"] in ("revived", "back")]
    assert ("back", 6) in told
    assert result.nats_per_pixel > -10


def test_a_run_without_looks_is_the_one_of_before(tmp_path: Path):
    config = config_of()
    assert "revive" not in config.identity()
    assert config_of(revive=2).identity()["revive"] == 2
    never = config_of(revive=1000)
    models = []
    for number, each in enumerate((config, never)):
        models.append(model_of(0))
        fit(models[-1], pictures(), (), each, directory=tmp_path / str(number))
    assert same(*models)
