"""Fitting RIDE on patches: gradients, then L-BFGS on the MCGSM, resumable in both."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.patches.small import correlated

from ride.errors import ConfigError, DataError
from ride.models.patches import PatchRIDE, PatchRIDEConfig
from ride.training.patch_ride import PatchRIDEFitConfig, fit_patch_ride
from ride.training.patches import PatchFitConfig

SIZES = PatchRIDEConfig(side=3, neighborhood=3, layers=1, hidden=3, components=2, scales=2, features=2)
SHORT = PatchRIDEFitConfig(
    PatchFitConfig(steps=20, batch=50, rate=3e-2, looks=2, clip=8.0), 300, 100, head_iterations=10, head_patches=200
)
PATCHES, HELD_OUT = correlated(1000, 8).float(), correlated(100, 8, seed=1).float()


def fitted(directory: Path | None = None, **more: Any) -> tuple[PatchRIDE, float]:
    torch.manual_seed(5)
    model = PatchRIDE(SIZES)
    return model, fit_patch_ride(model, PATCHES, HELD_OUT, SHORT, directory=directory, **more)


def same(one: PatchRIDE, other: PatchRIDE) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def test_what_it_returns_is_the_log_likelihood_of_held_out_patches():
    model, nats = fitted()
    assert nats == pytest.approx(float(model.log_prob(HELD_OUT).detach().mean()), abs=1e-4)
    torch.manual_seed(5)
    begun = PatchRIDE(SIZES)
    begun.fit_whitening(PATCHES)
    assert nats > float(begun.log_prob(HELD_OUT).detach().mean()) + 0.5


@pytest.mark.parametrize(("total", "stop"), [(20, 10), (20, 15), (20, 20), (10, 5), (10, 10)])
def test_it_goes_on_after_an_interruption_bit_for_bit(tmp_path: Path, total: int, stop: int):
    straight, nats = fitted()

    def interrupt(done: int, all_of_it: int, message: str = "") -> None:
        if (all_of_it, done) == (total, stop):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, progress=interrupt)
    again, second = fitted(tmp_path)
    assert second == nats
    assert same(straight, again)


def test_without_l_bfgs_the_steps_are_all():
    torch.manual_seed(5)
    model = PatchRIDE(SIZES)
    config = PatchRIDEFitConfig(SHORT.steps, 300, 100, head_iterations=0)
    nats = fit_patch_ride(model, PATCHES, HELD_OUT, config)
    assert nats == pytest.approx(float(model.log_prob(HELD_OUT).detach().mean()), abs=1e-4)
    assert nats <= fitted()[1]


def test_a_scaled_run_is_shorter():
    config = SHORT.scaled(0.5)
    assert (config.steps.steps, config.head_iterations) == (10, 5)


def test_settings_and_patches_must_make_sense():
    with pytest.raises(DataError, match="needs patches"):
        fit_patch_ride(PatchRIDE(SIZES), PATCHES[:0], HELD_OUT, SHORT)
    with pytest.raises(ConfigError, match="head_patches must be at least 1"):
        PatchRIDEFitConfig(head_patches=0)
    with pytest.raises(ConfigError, match="head_iterations must be at least 0"):
        PatchRIDEFitConfig(head_iterations=-1)
