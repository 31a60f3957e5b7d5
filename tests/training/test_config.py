"""Settings that make no sense, and longer and shorter runs."""

import math
from typing import Any

import pytest
from tests.training.conftest import ADAM, SGD

from ride.errors import ConfigError
from ride.training import FitConfig, Stage

STAGE = Stage(patch=8, steps=10, rate=0.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch", 0),
        ("steps", -1),
        ("rate", -0.1),
        ("rate", math.nan),
        ("rate", math.inf),
        ("rate_end", -1.0),
        ("head_iterations", -1),
        ("batch", 0),
        ("epochs", -1.0),
    ],
)
def test_a_stage_names_the_number_that_makes_no_sense(name: str, value: float):
    settings: dict[str, Any] = {"patch": 8, "steps": 10, "rate": 0.1, name: value}
    with pytest.raises(ConfigError, match=name):
        Stage(**settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stages", ()),
        ("batch", 0),
        ("momentum", -0.1),
        ("warmup", -1),
        ("clip", 0.0),
        ("clip", math.nan),
        ("whitening_pixels", 0),
        ("head_pixels", 0),
        ("head_patch", 0),
        ("head_valid_pixels", -1),
        ("valid_tile", 0),
    ],
)
def test_a_run_names_the_setting_that_makes_no_sense(name: str, value: Any):
    with pytest.raises(ConfigError, match=name.removesuffix("s")):
        FitConfig(**{"stages": (STAGE,), name: value})


def test_a_stage_may_have_batches_of_its_own():
    large = Stage(patch=96, steps=10, rate=0.1, batch=12)
    config = FitConfig(stages=(STAGE, large), batch=50)
    assert (config.batch_of(STAGE), config.batch_of(large)) == (50, 12)


def test_scaling_changes_the_length_and_nothing_else():
    stages = (Stage(patch=8, steps=100, rate=0.1, head_iterations=30), Stage(patch=8, steps=0, rate=0.1))
    config = FitConfig(stages=stages).scaled(0.1)
    assert config.stages[0] == Stage(patch=8, steps=10, rate=0.1, head_iterations=3)
    assert config.stages[1] == stages[1]
    assert ADAM.scaled(2.0).scaled(0.5) == ADAM


def test_epochs_scale_and_what_is_counted_does_not_vanish():
    assert SGD.scaled(0.5).stages[0] == Stage(patch=6, steps=None, rate=0.2, head_iterations=4, epochs=0.5)
    assert ADAM.scaled(1e-9).stages[1] == Stage(patch=10, steps=1, rate=2e-3, head_iterations=1)


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf])
def test_a_length_must_be_positive(factor: float):
    with pytest.raises(ConfigError, match="above 0"):
        ADAM.scaled(factor)
