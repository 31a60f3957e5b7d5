"""The named recipes, with the figures of the paper and of the authors' program."""

import math

import pytest

from ride.models.neighborhood import Neighborhood
from ride.training import presets


def test_the_papers_recipe_has_the_papers_figures():
    config = presets.paper(1)
    assert [stage.patch for stage in config.stages] == [8, 10, 12, 14, 16, 18, 20, 22]
    assert [stage.rate for stage in config.stages] == [1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005]
    predicted = [math.prod(Neighborhood(5).predicted_shape(s.patch, s.patch)) for s in config.stages]
    assert predicted == [24, 48, 80, 120, 168, 224, 288, 360]
    assert all(s.steps is None and s.rate_end is None and s.head_iterations == 500 for s in config.stages)
    assert not any(stage.add_layer for stage in config.stages)
    assert {config.batch_of(stage) for stage in config.stages} == {50}
    assert (config.optimizer, config.momentum, config.warmup, config.clip) == ("sgd", 0.9, 0, None)
    assert (config.crops, config.noise, config.mirror, config.flip) == ("tiles", "fixed", True, False)
    assert (config.head_pixels, config.head_valid_pixels, config.head_patch) == (1_000_000, 100_000, None)
    assert (config.valid_tile, config.stop_when_worse, config.forget_bias) == (64, True, 0.0)


def test_the_papers_mcgsm_is_fitted_by_l_bfgs_alone():
    config = presets.paper(0)
    assert [(stage.steps, stage.head_iterations) for stage in config.stages] == [(0, 3000)]
    assert (config.head_pixels, config.head_valid_pixels) == (1_000_000, 200_000)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_the_default_falls_from_stage_to_stage_and_ends_with_l_bfgs_where_there_are_layers(layers: int):
    config = presets.default(layers)
    ends = [rate or 0.0 for stage in config.stages for rate in (stage.rate, stage.rate_end)]
    assert ends == sorted(ends, reverse=True)
    assert [stage.patch for stage in config.stages] == sorted(stage.patch for stage in config.stages)
    assert bool(config.stages[-1].head_iterations) == bool(layers)
    assert (config.crops, config.noise, config.optimizer) == ("fresh", "fresh", "soap" if layers else "adam")
