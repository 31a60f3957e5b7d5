"""L-BFGS on the MCGSM: upwards at every look, ended in time, resumable at every look."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ride.models.mcgsm import MCGSM
from ride.training import head as module
from ride.training.checkpoints import load_checkpoint, save_checkpoint
from ride.training.head import HeadState, fit_head

Data = tuple[Tensor, Tensor]


def head_of() -> MCGSM:
    torch.manual_seed(3)
    return MCGSM(2, components=3, scales=2, features=2)


def data_of(pixels: int, seed: int = 0) -> Data:
    """Pixels whose spread depends on one input and whose mean on the other."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(pixels, 2, generator=generator)
    noise = torch.randn(pixels, 1, generator=generator)
    return x, 0.8 * x[:, :1] + (0.1 + x[:, 1:].abs()) * noise


def parameters(head: MCGSM) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in head.parameters()]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def rate_of(head: MCGSM, data: Data) -> float:
    with torch.no_grad():
        return float(head.mean_log_prob(*data))


def test_the_likelihood_rises_from_look_to_look():
    head, data = head_of(), data_of(400)
    rates = [rate_of(head, data)]
    fit_head(head, data, None, 60, after_look=lambda state: rates.append(rate_of(head, data)))
    assert rates == sorted(rates)
    assert rates[-1] > rates[0] + 0.2
    assert rate_of(head, data) == rates[-1]


@pytest.mark.parametrize("iterations", [1, 7, 10])
def test_no_iteration_beyond_what_was_asked_for(iterations: int):
    looks: list[int] = []
    state = fit_head(head_of(), data_of(200), None, iterations, after_look=lambda state: looks.append(state.iteration))
    assert looks == [*range(5, iterations, 5), iterations]
    assert state.optimizer is not None
    assert state.optimizer["state"][0]["n_iter"] == iterations


def test_held_out_pixels_end_it_and_the_best_parameters_come_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 4)
    # So few pixels are soon learnt by heart.
    head, data, held_out = head_of(), data_of(12), data_of(300, seed=1)
    seen = [(rate_of(head, held_out), parameters(head))]

    def after_look(state: HeadState) -> None:
        seen.append((rate_of(head, held_out), parameters(head)))
        assert state.best == max(rate for rate, _ in seen)

    state = fit_head(head, data, held_out, 1000, after_look=after_look)
    best = max(range(len(seen)), key=lambda k: seen[k][0])
    assert state.done
    assert state.iteration < 1000
    assert len(seen) - 1 - best == 4
    assert equal(parameters(head), seen[best][1])
    assert rate_of(head, held_out) == state.best


def test_parameters_that_only_get_worse_on_held_out_pixels_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 2)
    head, data = head_of(), data_of(300)
    fit_head(head, data, None, 100)
    before, held = parameters(head), rate_of(head, data)
    state = fit_head(head, data_of(6, seed=5), data, 100)
    assert state.failures == 2
    assert state.best == held
    assert equal(parameters(head), before)


def test_it_ends_where_it_has_converged():
    head = head_of()
    state = fit_head(head, data_of(100), None, 100_000)
    assert state.done
    assert state.iteration < 5000


@pytest.mark.parametrize("held_out", [None, data_of(50, seed=1)])
def test_it_goes_on_from_every_look_bit_for_bit(tmp_path: Path, held_out: Data | None):
    data, stops = data_of(100), []

    def after_look(state: HeadState) -> None:
        save_checkpoint(tmp_path / str(state.iteration), vars(state))
        stops.append((tmp_path / str(state.iteration), copy.deepcopy(head)))

    head = head_of()
    end = fit_head(head, data, held_out, 33, after_look=after_look)
    assert len(stops) == 7
    for path, stopped in stops:
        again = fit_head(stopped, data, held_out, 33, HeadState(**load_checkpoint(path)))
        assert (again.iteration, again.rate, again.best) == (end.iteration, end.rate, end.best)
        assert equal(parameters(stopped), parameters(head))


def test_nothing_is_done_where_the_likelihood_is_no_number():
    head = head_of()
    with torch.no_grad():
        head.alpha[0, 0] = math.nan
    before, looks = head.a.detach().clone(), []
    state = fit_head(head, data_of(50), None, 20, after_look=looks.append)
    assert state.done
    assert not looks
    assert torch.equal(head.a, before)


@pytest.mark.parametrize("value", [math.nan, -3.0])
def test_a_line_search_that_fails_is_undone(value: float, monkeypatch: pytest.MonkeyPatch):
    head, data = head_of(), data_of(100)
    fit_head(head, data, None, 20)
    before, rate = parameters(head), rate_of(head, data)

    def spoil(optimizer: torch.optim.LBFGS, closure: object) -> None:
        with torch.no_grad():
            head.alpha.fill_(value)

    monkeypatch.setattr(torch.optim.LBFGS, "step", spoil)
    state = fit_head(head, data, None, 20)
    assert (state.done, state.iteration, state.failures, state.rate) == (True, 5, 0, rate)
    assert equal(parameters(head), before)
