"""Fitting the MCGSMs of a patch: better than a Gaussian, pixel by pixel, resumable."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.patches.small import correlated

from ride.errors import ConfigError, DataError
from ride.models.patches import PatchMCGSM, PatchMCGSMConfig
from ride.training.patch_mcgsm import PatchMCGSMFitConfig, fit_patch_mcgsm
from ride.training.patches import PatchFitConfig

SIZES = PatchMCGSMConfig(components=3, scales=2, features=2)
SHORT = PatchMCGSMFitConfig(PatchFitConfig(steps=20, batch=200, rate=3e-2, looks=2), head_iterations=5)
PATCHES, HELD_OUT = correlated(2000, 3).float(), correlated(500, 3, seed=1).float()


def fitted(
    directory: Path | None = None, config: PatchMCGSMFitConfig = SHORT, **more: Any
) -> tuple[PatchMCGSM, float]:
    torch.manual_seed(5)
    model = PatchMCGSM(3, SIZES)
    return model, fit_patch_mcgsm(model, PATCHES, HELD_OUT, config, directory=directory, **more)


def same(one: PatchMCGSM, other: PatchMCGSM) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def test_what_it_returns_is_the_log_likelihood_of_held_out_patches():
    model, nats = fitted()
    assert nats == pytest.approx(float(model.log_prob(HELD_OUT).detach().mean()), abs=1e-4)
    covariance = PATCHES.T.cov()
    gaussian = torch.distributions.MultivariateNormal(PATCHES.mean(0), covariance).log_prob(HELD_OUT).mean()
    assert nats > float(gaussian) + 0.5


def test_it_is_a_function_of_its_seed():
    one, nats = fitted()
    torch.manual_seed(7)
    model = PatchMCGSM(3, SIZES)
    assert fit_patch_mcgsm(model, PATCHES, HELD_OUT, SHORT) == nats
    assert same(one, model)


@pytest.mark.parametrize("stop", [900, 1000, 2500])
def test_pixels_that_are_done_are_kept(tmp_path: Path, stop: int):
    straight, nats = fitted()

    def interrupt(done: int, total: int, message: str = "") -> None:
        assert total == 3000
        if done >= stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, progress=interrupt)
    told: list[int] = []
    again, second = fitted(tmp_path, progress=lambda done, total, message="": told.append(done))
    assert second == nats
    assert same(straight, again)
    # An interruption at the last step of a pixel comes before its L-BFGS.
    assert min(told) // 1000 == (stop - 1) // 1000
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_another_run_does_not_go_on_in_its_directory(tmp_path: Path):
    fitted(tmp_path)
    with pytest.raises(ConfigError, match="head_iterations"):
        fitted(tmp_path, PatchMCGSMFitConfig(SHORT.steps, head_iterations=6))


def test_a_scaled_run_is_shorter():
    config = SHORT.scaled(0.5)
    assert (config.steps.steps, config.head_iterations) == (10, 3)


def test_patches_must_fit():
    with pytest.raises(DataError, match="of 3 numbers"):
        fit_patch_mcgsm(PatchMCGSM(3, SIZES), PATCHES[:, :2], HELD_OUT, SHORT)
    with pytest.raises(DataError, match="of 3 numbers"):
        fit_patch_mcgsm(PatchMCGSM(3, SIZES), PATCHES, HELD_OUT[:0], SHORT)
    with pytest.raises(ConfigError, match="L-BFGS"):
        PatchMCGSMFitConfig(head_iterations=-1)
