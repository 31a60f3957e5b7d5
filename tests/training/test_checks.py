"""What does not go together is refused before any work, by name."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.training.conftest import ADAM, SGD, correlated, model_of, pictures

from ride.data import Pixels
from ride.errors import ConfigError, DataError
from ride.training import FitConfig, Stage, fit
from ride.training.checks import check_fit, head_patch, held_out_tile


@pytest.mark.parametrize("config", [ADAM, SGD])
def test_an_image_smaller_than_the_largest_patch_is_named(config: FitConfig, tmp_path: Path):
    small = pictures(1, (9, 7), seed=5)
    with pytest.raises(DataError, match=r"5-0\.png is 9 x 7 pixels.*patches of \d+ x \d+"):
        fit(model_of(), [*pictures(), *small], config=config, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_array_too_small_is_named_by_its_number():
    with pytest.raises(DataError, match="image 0 is 9 x 7 pixels"):
        fit(model_of(), correlated(2, (9, 7)), config=ADAM)
    with pytest.raises(DataError, match="held-out image 0 is 9 x 2 pixels"):
        fit(model_of(), pictures(), correlated(2, (9, 2)), ADAM)


def test_there_must_be_images():
    with pytest.raises(DataError, match="no images to train on"):
        fit(model_of(), [], config=ADAM)


def test_channels_must_be_the_models():
    for images, held_out, channels in (
        (pictures(2, (13, 13, 3)), (), 1),
        (pictures(), pictures(1, (13, 13, 3)), 1),
        (pictures(), (), 3),
    ):
        with pytest.raises(ConfigError, match=f"for {channels} channels.*has {4 - channels}"):
            fit(model_of(channels=channels), images, held_out, ADAM)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (replace(ADAM, stages=(*ADAM.stages, Stage(patch=8, steps=1, rate=0.1))), "patch"),
        (replace(ADAM, stages=(Stage(patch=9, steps=1, rate=0.1),), head_patch=8), "head_patch"),
        (replace(ADAM, stages=(Stage(patch=9, steps=1, rate=0.1),), valid_tile=8), "valid_tile"),
    ],
)
def test_patches_must_hold_the_neighborhood(config: FitConfig, name: str):
    with pytest.raises(ConfigError, match=f"{name} must be at least the width of the neighborhood, 9, not 8"):
        check_fit(model_of(neighborhood=9), config, Pixels(pictures()), None)


def test_patches_of_the_head_and_tiles_shrink_to_what_the_images_hold():
    sizes = Pixels([*pictures(1, (13, 17)), *pictures(1, (12, 40))])
    config = replace(ADAM, head_patch=64, valid_tile=64)
    assert (head_patch(config, 10, sizes), held_out_tile(config, sizes)) == (12, 12)
    config = replace(ADAM, head_patch=11, valid_tile=9)
    assert (head_patch(config, 10, sizes), held_out_tile(config, sizes)) == (11, 9)
    assert head_patch(ADAM, 10, sizes) == 10
