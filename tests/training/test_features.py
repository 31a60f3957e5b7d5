"""What conditional whitening and L-BFGS are fitted on."""

import pytest
import torch
from tests.training.conftest import ADAM, model_of, pictures

from ride.training import features
from ride.training.batches import Batches


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(features, "CROPS_AT_ONCE", 20)
    monkeypatch.setattr(features, "PATCHES_AT_ONCE", 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_single_pixels_are_as_many_as_asked_for(channels: int):
    model = model_of(channels=channels)
    batches = Batches(pictures(2, (9, 11, *[3] * (channels > 1))), ADAM)
    crops = list(features.single_pixels(model, batches, 50, "test"))
    assert [tuple(crop.shape[:3]) for crop in crops] == [(20, 3, 5), (20, 3, 5), (10, 3, 5)]
    assert model.pairs(crops[0])[1].shape == (20, 1, 1, channels)
    assert not torch.equal(crops[0], crops[1])


@pytest.mark.parametrize(("layers", "pixels"), [(0, 50), (1, 72), (2, 72)])
def test_pixels_for_the_head_are_what_it_sees(layers: int, pixels: int):
    model, batches = model_of(layers), Batches(pictures(), ADAM)
    x, y = features.head_pixels(model, batches, 8, 50, "head", 1)
    assert (x.shape, y.shape) == ((pixels, model.head.inputs), (pixels, 1))
    assert not x.requires_grad
    assert torch.isfinite(model.head.mean_log_prob(x, y))


@pytest.mark.parametrize("layers", [0, 1])
def test_pixels_depend_on_purpose_and_stage_alone(layers: int):
    model, batches = model_of(layers), Batches(pictures(), ADAM)
    first = features.head_pixels(model, batches, 8, 50, "head", 1)
    torch.rand(3)
    again = features.head_pixels(model, Batches(pictures(), ADAM), 8, 50, "head", 1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for purpose, number in (("held", 1), ("head", 0)):
        assert not torch.equal(first[1], features.head_pixels(model, batches, 8, 50, purpose, number)[1])
