"""Scores of patches: the mean, its error over images, the ensemble, and what they leave in JSON."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ride.data.patches import PatchSet
from ride.errors import ConfigError, DataError
from ride.evaluation import patches as module
from ride.evaluation.patches import PatchScore, evaluate_patches, patch_gain
from ride.models.patches import PatchEnsemble


class Sum:
    """Its log-likelihood is the sum of the numbers, the later the heavier."""

    def log_prob(self, x: Tensor) -> Tensor:
        return (x * torch.arange(1, x.shape[1] + 1)).sum(1)


def some(count: int = 60, images: int = 5, dimension: int = 8) -> PatchSet:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(images, (count,), generator=generator)
    return PatchSet(torch.randn(count, dimension, generator=generator) + image[:, None], image)


@pytest.mark.parametrize("at_once", [7, 10_000])
def test_the_mean_over_patches_and_its_error_over_images(at_once: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    patches = some()
    score = evaluate_patches(Sum(), patches, name="sum")
    nats = Sum().log_prob(patches.values).double()
    assert score.nats == pytest.approx(float(nats.mean()))
    assert (score.model, score.patches, score.images, score.dimension) == ("sum", 60, 5, 8)
    # The same by hand: the error of a mean of clusters.
    sums = [float((nats[patches.image == k] - nats.mean()).sum()) for k in range(5)]
    assert score.stderr == pytest.approx(math.sqrt(sum(one**2 for one in sums) * 5 / 4) / 60)
    for one in score.pictures:
        assert one.nats == pytest.approx(float(nats[patches.image == one.image].mean()))


def test_the_error_over_images_is_that_of_independent_patches_where_each_is_alone():
    patches = PatchSet(some(50).values, torch.arange(50))
    nats = Sum().log_prob(patches.values)
    assert evaluate_patches(Sum(), patches).stderr == pytest.approx(float(nats.std()) / 50**0.5, rel=1e-5)


def test_an_image_alone_has_no_error():
    score = evaluate_patches(Sum(), some(images=1))
    assert score.stderr is None
    assert "of 1 image" in str(score)


@pytest.mark.parametrize("dimension", [8, 9])
def test_the_ensemble(dimension: int):
    patches = some(dimension=dimension)
    score = evaluate_patches(Sum(), patches, ensemble=True)
    assert score.nats == pytest.approx(float(PatchEnsemble(Sum()).log_prob(patches.values).double().mean()))
    assert score.ensemble
    assert "mixture over 8 flips" in str(score)


def test_square_patches_are_taken_row_by_row():
    patches = some(dimension=9)
    square = PatchSet(patches.values.view(-1, 3, 3), patches.image)
    assert evaluate_patches(Sum(), square) == evaluate_patches(Sum(), patches)


def test_a_score_survives_json():
    score = evaluate_patches(Sum(), some())
    assert PatchScore.from_json(json.loads(json.dumps(score.to_json()))) == score


def test_it_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AT_ONCE", 25)
    told: list[tuple[int, int]] = []
    evaluate_patches(Sum(), some(), progress=lambda done, total, message="": told.append((done, total)))
    assert told == [(25, 60), (50, 60), (60, 60)]


def test_it_is_the_same_on_two_threads(two_threads: None):
    patches = some(500)
    divided = evaluate_patches(Sum(), patches)
    torch.set_num_threads(1)
    assert evaluate_patches(Sum(), patches) == divided


def test_a_gain_is_that_of_the_patches_and_its_error_that_of_the_differences():
    class More(Sum):
        def log_prob(self, x: Tensor) -> Tensor:
            return super().log_prob(x) + 2

    patches = some()
    gain, error = patch_gain(evaluate_patches(More(), patches), evaluate_patches(Sum(), patches))
    assert gain == pytest.approx(2)
    assert error == pytest.approx(0, abs=1e-5)
    with pytest.raises(ConfigError, match="same patches"):
        patch_gain(evaluate_patches(Sum(), patches), evaluate_patches(Sum(), some(50)))


def test_what_cannot_be_scored():
    class Strange:
        def log_prob(self, x: Tensor) -> Tensor:
            return torch.where(x[:, 0] > 0, math.nan, 0.0)

    with pytest.raises(DataError, match="no patches"):
        evaluate_patches(Sum(), replace(some(), values=torch.zeros(0, 8), image=torch.zeros(0, dtype=torch.int64)))
    with pytest.raises(DataError, match="not finite"):
        evaluate_patches(Strange(), some(), name="strange")
    with pytest.raises(DataError, match="7 numbers are those of no square patch"):
        evaluate_patches(Sum(), some(dimension=7), ensemble=True)
