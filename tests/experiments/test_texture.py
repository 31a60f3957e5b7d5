"""Learning a texture: two models of the same regions, scored on the same pixels of the one held out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from ride.data import Picture
from ride.errors import ConfigError
from ride.experiments.texture import Texture, learn_texture
from ride.models.files import load
from ride.models.ride import RIDEConfig

TINY = RIDEConfig(hidden=3, components=2, scales=2, features=2)
SHORT = 0.005


def stripes(seed: int = 0, side: int = 96) -> Picture:
    """A noisy texture of 8 bits."""
    draw = np.random.default_rng(seed)
    wave = 100 + 60 * np.sin(np.arange(side) / 3)[None, :] + draw.normal(0, 10, (side, side))
    return Picture("stripes.png", wave.clip(0, 255).astype(np.uint8), 256)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def texture(run: Path) -> Texture:
    return learn_texture(stripes(), directory=run, model=TINY, length=SHORT)


def test_both_models_are_scored_on_the_region_that_they_have_not_seen(texture: Texture):
    assert (texture.regions.grid, len(texture.regions.training)) == (2, 3)
    for learned, pixels in ((texture.ride, 46 * 44), (texture.mcgsm, 44 * 40)):
        rate = learned.rate
        assert (rate.pixels, rate.images, rate.scored) == (pixels, 1, "whole images")
        assert rate.pictures[0].name == texture.regions.test.name
        assert rate.nats_per_pixel == pytest.approx(float(learned.nats.double().mean()), rel=1e-6)


def test_the_gain_is_of_the_pixels_that_both_predict(texture: Texture):
    mean, error, pixels = texture.gain()
    assert pixels == 44 * 40
    common = texture.ride.nats[2:, 2:-2] - texture.mcgsm.nats
    assert mean == pytest.approx(float(common.double().mean()), rel=1e-5)
    blocks = common.double().view(4, 11, 4, 10).mean((1, 3)).flatten()
    assert error == pytest.approx(float(blocks.std() / 4), rel=1e-5)
    with pytest.raises(ConfigError, match="smaller than the model's own"):
        texture.mcgsm.blocks(2)


def test_the_same_call_goes_on_where_it_was_and_another_texture_is_refused(texture: Texture, run: Path):
    files = {path: path.stat().st_mtime_ns for path in run.rglob("model.safetensors")}
    assert sorted(path.parent.name for path in files) == ["mcgsm", "ride"]
    again = learn_texture(stripes(), directory=run, model=TINY, length=SHORT)
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert torch.equal(again.ride.nats, texture.ride.nats)
    assert load(run / "ride").config == TINY
    with pytest.raises(ConfigError, match="another directory"):
        learn_texture(stripes(1), directory=run, model=TINY, length=SHORT)


def test_bars_can_end_the_work():
    class Enough(Exception):
        pass

    titles = []

    @contextmanager
    def bars(title: str) -> Iterator:
        titles.append(title)

        def tell(done: int, total: int, message: str = "") -> None:
            if title.startswith("RIDE"):
                raise Enough

        yield tell

    with pytest.raises(Enough):
        learn_texture(stripes(), model=TINY, length=SHORT, bars=bars)
    assert [title.split(":")[0] for title in titles] == ["MCGSM", "RIDE"]
