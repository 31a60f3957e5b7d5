"""Learning a texture: two models of the same regions, scored on the same pixels of the one held out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ride.data import Picture, split_regions
from ride.errors import ConfigError
from ride.evaluation import Rate, evaluate
from ride.experiments import texture as texture_module
from ride.experiments.texture import LENGTHS, Texture, learn, learn_texture, lengths_for
from ride.models.files import load
from ride.models.ride import RIDE, RIDEConfig
from ride.training import FitConfig, FitResult, Stage

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
    names = sorted(str(path.parent.relative_to(run)) for path in files)
    tries = [f"{name}{part}" for name in ("mcgsm", "ride") for part in ("", "/length-0.3", "/length-1")]
    assert names == tries
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


def test_a_training_region_chooses_the_length_where_there_are_few_pixels(monkeypatch: pytest.MonkeyPatch):
    """The test region has no say, and the model is then fitted to all training regions by the length chosen."""
    regions, fits, scored = split_regions(stripes()), [], []

    def fitted(model: RIDE, training, *, config: FitConfig, **more) -> FitResult:
        fits.append((len(training), sum(stage.steps or 0 for stage in config.stages)))
        model.fit_whitening([torch.rand(1, 24, 24)])
        return FitResult(0.0, 1, 2.0)

    def rated(model: RIDE, pictures: list[Picture], **more) -> Rate:
        scored.append(pictures[0].name)
        rate = evaluate(model, pictures, **more)
        # Shorter is better, but on the test region.
        better = (len(fits) == 1) != (pictures[0] is regions.test)
        return replace(rate, nats_per_pixel=1.0 if better else 0.0)

    monkeypatch.setattr(texture_module, "fit", fitted)
    monkeypatch.setattr(texture_module, "evaluate", rated)
    told: list[tuple[int, int]] = []
    recipe = FitConfig(stages=(Stage(patch=20, steps=100, rate=1e-3),))
    found = learn(
        regions, TINY, recipe, name="it", progress=lambda done, total, message="": told.append((done, total))
    )
    assert fits == [(2, 30), (2, 100), (3, 30)]
    assert scored == [regions.training[-1].name] * 2 + [regions.test.name]
    assert (found.length, found.tried, found.seconds) == (0.3, {0.3: 1.0, 1.0: 0.0}, 6.0)
    # Nothing is to be chosen where there are pixels enough, or by who says so.
    assert lengths_for(replace(regions, training=(big(400),) * 2)) == (1.0,)
    assert lengths_for(replace(regions, training=(big(400),))) == (1.0,)
    assert lengths_for(replace(regions, training=(big(380),) * 2)) == LENGTHS
    assert learn(regions, TINY, recipe, name="it", lengths=(1.0,)).tried == {}


def big(side: int) -> Picture:
    return Picture("big", np.zeros((side, side), np.uint8), 256)
