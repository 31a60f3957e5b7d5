"""The rate that decides which model is kept."""

import pytest
import torch
from tests.training.conftest import ADAM, model_of, pictures

from ride.data import Tiles
from ride.training import Stage
from ride.training.batches import Batches
from ride.training.scoring import held_out_tiles, mean_rate, training_patches


def test_every_held_out_tile_counts_once():
    tiles = Tiles(pictures(5, (25, 25)), 6)
    patches = torch.cat(list(held_out_tiles(tiles, 0)))
    assert len(patches) == len(tiles) == 80
    assert not any(torch.equal(patches[k], patches[j]) for k in range(80) for j in range(k))


@pytest.mark.parametrize("layers", [0, 2])
def test_the_rate_is_the_mean_over_all_pixels(layers: int):
    model, tiles = model_of(layers), Tiles(pictures(5, (25, 25)), 6)
    patches = torch.cat(list(held_out_tiles(tiles, 0)))
    expected = float(model.log_prob(patches).mean().detach())
    assert mean_rate(model, held_out_tiles(tiles, 0)) == pytest.approx(expected, rel=1e-5)


def test_the_same_pixels_are_scored_each_time_with_the_same_noise():
    model, batches, tiles = model_of(), Batches(pictures(), ADAM), Tiles(pictures(), 6)
    stage = Stage(patch=8, steps=1, rate=0.1, batch=4)
    patches = list(training_patches(batches, stage))
    assert {patch.shape for patch in patches} == {(4, 8, 8)}
    first = mean_rate(model, patches), mean_rate(model, held_out_tiles(tiles, 0))
    batches.draw(0, stage, 0)
    assert (mean_rate(model, training_patches(batches, stage)), mean_rate(model, held_out_tiles(tiles, 0))) == first
    assert mean_rate(model, held_out_tiles(tiles, 1)) != first[1]


def test_scoring_leaves_no_gradient():
    model = model_of()
    mean_rate(model, [torch.rand(2, 8, 8)])
    assert all(parameter.grad is None for parameter in model.parameters())
