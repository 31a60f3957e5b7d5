"""What the tabs compute, without a page: the same as the library, and nothing beyond the bounds."""

import base64
import json
import warnings
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ride
from ride.app import filling, scoring, texturing
from ride.app.examples import LEAVES, example, example_names, first_of
from ride.app.jobs import Job, Stopped, View
from ride.app.limits import Limits
from ride.data import Picture
from ride.errors import ConfigError, DataError
from ride.generation.inpainting import inpaint
from ride.models.ride import RIDE, RIDEConfig

LIMITS = Limits(hole=100, sweeps=9, chains=2)
PICTURE = Picture("p", np.random.default_rng(0).integers(0, 256, (24, 30), dtype=np.uint8), 256)


class Listening(Job):
    """Keeps what it is told; stops after so many views."""

    def __init__(self, most: int = 10**6) -> None:
        super().__init__(60.0, lambda job: View("done"))
        self.told: list[View] = []
        self.most = most

    def tell(self, view: View) -> None:
        self.told.append(view)
        if len(self.told) == self.most:
            self.cancel()
        super().tell(view)


@pytest.fixture
def model() -> RIDE:
    torch.manual_seed(0)
    tiny = RIDE(RIDEConfig(hidden=3, components=2, scales=2, features=2))
    tiny.fit_whitening([torch.rand(2, 12, 12)])
    return tiny.eval()


def sent(mask: np.ndarray) -> str:
    file = BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return json.dumps({"image": "", "mask": filling.HEADER + base64.b64encode(file.getvalue()).decode()})


def square() -> np.ndarray:
    mask = np.zeros((24, 30), np.uint8)
    mask[8:14, 10:15] = 255
    return mask


def test_a_painted_mask_is_read():
    np.testing.assert_array_equal(filling.painted(sent(square()), PICTURE), square() == 255)


def test_what_others_are_warned_of_meanwhile_is_no_error(monkeypatch: pytest.MonkeyPatch):
    opened = Image.open

    def warned(*args: Any, **options: Any) -> Image.Image:
        warnings.warn("of another thread", UserWarning, stacklevel=1)
        return opened(*args, **options)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkeypatch.setattr(Image, "open", warned)
        assert filling.painted(sent(square()), PICTURE).any()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "no hole yet"),
        ("", "no hole yet"),
        (json.dumps({"image": "x", "mask": ""}), "no hole yet"),
        (sent(np.zeros((24, 30), np.uint8)), "no hole yet"),
        (sent(np.ones((30, 24), np.uint8)), "painted on another image"),
        ("[]", "is no hole"),
        ("{", "is no hole"),
        (json.dumps({"mask": 7}), "is no hole"),
        (json.dumps({"mask": filling.HEADER + "AAAA"}), "is no hole"),
        (json.dumps({"mask": "!"}), "is no hole"),
        ("x" * (filling.LONGEST + 1), "is no hole"),
    ],
)
def test_what_is_no_mask_is_a_sentence(value: str | None, why: str):
    with pytest.raises(DataError, match=why):
        filling.painted(value, PICTURE)


@pytest.mark.parametrize(
    ("missing", "sweeps", "chains", "seed", "why"),
    [
        (10, 0, 1, 0, "sweeps must be from 1 to 9"),
        (10, 10, 1, 0, "sweeps must be from 1 to 9"),
        (10, 1, 3, 0, "chains must be from 1 to 2"),
        (10, 1, 1, -1, "seed must be"),
        (51, 1, 2, 0, "51 missing pixels in 2 chains are more than the page takes"),
    ],
)
def test_a_request_beyond_the_bounds_is_a_sentence(missing: int, sweeps: int, chains: int, seed: int, why: str):
    with pytest.raises(ConfigError, match=why):
        filling.check_request(missing, sweeps, chains, seed, LIMITS)


def test_a_hole_is_filled_as_by_the_library(model: RIDE):
    job, mask = Listening(), square() == 255
    view = filling.fill_hole(job, model, PICTURE, mask, sweeps=4, chains=2, seed=3, limits=LIMITS)
    result = inpaint(model, PICTURE, mask, 4, chains=2, seed=3)
    assert view.figures == filling.shown(result, 4)
    assert f"{100 * result.accepted:.1f} % of proposals accepted" in view.figures
    assert [v.said for v in job.told[1:]] == [v.said for v in job.told[1:] if v.said.startswith("Sweeps: ")]
    for sweep in range(1, 4):
        assert any(f"Sweep {sweep} of 4" in v.figures for v in job.told)


def test_a_stopped_job_stops_at_once(model: RIDE):
    def stopped_after(most: int) -> str:
        job = Listening(most)
        with pytest.raises(Stopped):
            filling.fill_hole(job, model, PICTURE, square() == 255, sweeps=9, chains=1, seed=0, limits=LIMITS)
        assert len(job.told) == most
        return job.told[-1].said

    # The first candidates take long where the hole is large, and so does a sweep.
    job = Listening()
    filling.fill_hole(job, model, PICTURE, square() == 255, sweeps=1, chains=1, seed=0, limits=LIMITS)
    drawing = [k for k, view in enumerate(job.told, start=1) if "candidates" in view.said]
    assert len(drawing) > 10
    assert "candidates" in stopped_after(drawing[5])
    first = [k for k, view in enumerate(job.told, start=1) if "0 of 1" in view.said and k > drawing[-1] + 1]
    assert len(first) > 1
    assert "0 of 9" in stopped_after(first[1])


def test_the_rate_is_that_of_the_library(model: RIDE):
    view = scoring.score(Listening(), model, PICTURE, "tiny")
    rate = ride.evaluate(model, [PICTURE], name="tiny")
    assert view.value == rate
    assert f"{rate.bits_per_pixel:.3f} bit/px" in view.figures
    file = BytesIO()
    Image.fromarray(PICTURE.pixels).save(file, "PNG", optimize=True)
    assert f"{8 * len(file.getvalue()) / (24 * 30):.3f} bit/px" in view.figures


def test_a_stopped_job_stops_the_scoring(model: RIDE):
    with pytest.raises(Stopped):
        scoring.score(Listening(most=2), model, PICTURE, "tiny")


def test_a_stopped_job_stops_the_training():
    leaves = Picture("leaves", example(LEAVES).pixels[:100, :100].copy(), 256)
    job = Listening(most=3)
    with pytest.raises(Stopped):
        texturing.learn_from(job, leaves, "a trial (1/50)", 0)
    assert len(job.told) == 3


def test_a_texture_is_drawn_in_the_size_asked_for(model: RIDE):
    view = texturing.draw(Listening(), texturing.Known(model, PICTURE), 9, 20, 1)
    assert "9 x 20 pixels, seed 1" in view.figures
    with pytest.raises(ConfigError, match="height must be from 16 to 512"):
        texturing.check_size(9, 20, 1, LIMITS)
    for seed in (-1, 2**64):
        with pytest.raises(ConfigError, match="seed must be from 0 to"):
            texturing.check_size(20, 20, seed, LIMITS)


def test_a_texture_too_small_to_split_is_a_sentence():
    with pytest.raises(DataError, match="too small to split"):
        texturing.learn_from(Listening(), PICTURE, "full", 0)
    with pytest.raises(ConfigError, match="the training is one of"):
        texturing.learn_from(Listening(), PICTURE, "for ever", 0)


@pytest.mark.parametrize("name", example_names())
def test_examples_are_gray_and_large_enough(name: str):
    picture = example(name)
    assert picture.levels == 256
    assert min(picture.pixels.shape) >= 96


def test_an_example_that_is_not_there_is_a_sentence():
    with pytest.raises(DataError, match="no example called"):
        example("../secret")
    assert first_of("nothing") == LEAVES
