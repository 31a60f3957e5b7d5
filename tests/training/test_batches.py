"""The patches of each step: every tile once an epoch, and all a function of seed, stage and step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.training.conftest import ADAM, SGD, pictures

from ride.data import Picture
from ride.training import FitConfig, Stage
from ride.training.batches import Batches

EPOCH = Stage(patch=4, steps=None, rate=0.1)
STEPS = Stage(patch=4, steps=9, rate=0.1)


def numbered() -> list[Picture]:
    """Two images of which no two pixels are alike, with 6 and 4 tiles of 4 x 4 and something left over."""
    pixels = np.arange(9 * 13 + 10 * 8, dtype=np.uint16) * 100
    return [Picture("a", pixels[:117].reshape(9, 13), 65536), Picture("b", pixels[117:].reshape(10, 8), 65536)]


def one_epoch(config: FitConfig, number: int = 0) -> list[bytes]:
    """All patches of an epoch, without their noise."""
    batches = Batches(numbered(), config)
    drawn = [batches.draw(number, EPOCH, step) for step in range(batches.steps(EPOCH))]
    return [(patch * 65536).int().numpy().tobytes() for patch in torch.cat(drawn)]


def tiles(twins: tuple[tuple[int, ...], ...]) -> list[bytes]:
    """All tiles flipped along these axes, cut by hand."""
    cut = [
        picture.pixels[i : i + 4, j : j + 4].astype(np.int32)
        for picture in numbered()
        for i in range(0, picture.pixels.shape[0] - 3, 4)
        for j in range(0, picture.pixels.shape[1] - 3, 4)
    ]
    return [np.flip(tile, axes).tobytes() for tile in cut for axes in twins]


@pytest.mark.parametrize("noise", ["fresh", "fixed"])
@pytest.mark.parametrize(
    ("mirror", "flip", "twins"),
    [
        (False, False, ((),)),
        (True, False, ((), (1,))),
        (False, True, ((), (0,))),
        (True, True, ((), (0,), (1,), (0, 1))),
    ],
)
def test_an_epoch_visits_every_tile_and_its_twins_once(mirror, flip, twins, noise):
    config = replace(SGD, mirror=mirror, flip=flip, noise=noise, batch=2)
    visited = one_epoch(config)
    assert sorted(visited) == sorted(tiles(twins))
    assert visited != one_epoch(config, number=1)
    assert sorted(visited) == sorted(one_epoch(config, number=1))


def test_an_epoch_drops_its_incomplete_batch():
    batches = Batches(numbered(), replace(SGD, batch=7))
    assert batches.steps(EPOCH) == 20 // 7
    assert batches.steps(replace(EPOCH, batch=5)) == 4
    assert batches.steps(replace(EPOCH, batch=5, epochs=2.5)) == 10
    assert batches.steps(replace(EPOCH, batch=1000)) == 1
    assert batches.steps(STEPS) == 9
    assert batches.draw(0, replace(EPOCH, batch=1000), 0).shape == (1000, 4, 4)


def test_steps_beyond_an_epoch_go_round_again():
    batches = Batches(numbered(), replace(SGD, batch=10))
    assert torch.equal(batches.draw(0, STEPS, 1), batches.draw(0, STEPS, 3))


@pytest.mark.parametrize("config", [ADAM, SGD, replace(SGD, noise="fresh")])
def test_patches_are_a_function_of_seed_stage_and_step(config: FitConfig):
    batches = Batches(pictures(), config)
    first = [batches.draw(1, STEPS, step) for step in range(3)]
    batches.draw(0, EPOCH, 0)
    torch.rand(5)
    again = Batches(pictures(), config)
    assert torch.equal(again.draw(1, STEPS, 2), first[2])
    assert all(torch.equal(batches.draw(1, STEPS, step), first[step]) for step in (2, 0, 1))
    others = [batches.draw(0, STEPS, 0), Batches(pictures(), replace(config, seed=1)).draw(1, STEPS, 0), first[1]]
    assert not any(torch.equal(other, first[0]) for other in others)


def test_fresh_noise_differs_each_time_and_fixed_noise_does_not():
    whole = Stage(patch=4, steps=None, rate=0.1, batch=1)
    image = [Picture("one", np.full((4, 4), 7, dtype=np.uint8), 256)]
    for noise, alike in (("fresh", False), ("fixed", True)):
        batches = Batches(image, replace(SGD, noise=noise, mirror=False))
        drawn = [batches.draw(number, whole, step) for number, step in ((0, 0), (0, 1), (1, 0))]
        assert all(torch.equal((patch * 256).floor(), torch.full((1, 4, 4), 7.0)) for patch in drawn)
        assert [torch.equal(patch, drawn[0]) for patch in drawn[1:]] == [alike, alike]


def test_images_do_not_share_their_fixed_noise():
    image = np.full((4, 4), 7, dtype=np.uint8)
    batches = Batches([Picture("a", image, 256), Picture("b", image, 256)], replace(SGD, mirror=False))
    both = batches.tiles(4).batch(torch.tensor([0, 1]), torch.Generator())
    assert not torch.equal(both[0], both[1])


def test_crops_are_mirrored_at_random():
    picture = Picture("ramp", np.tile(np.arange(8, dtype=np.uint8) * 30, (4, 1)), 256)
    for mirror, share in ((False, 0.0), (True, 0.5)):
        patches = Batches([picture], replace(ADAM, mirror=mirror)).draw(0, replace(STEPS, batch=400), 0)
        assert float((patches[:, 0, 0] > patches[:, 0, 3]).float().mean()) == pytest.approx(share, abs=0.1)


def test_colour_keeps_its_channels():
    for config in (ADAM, SGD):
        assert Batches(pictures(2, (9, 9, 3)), config).draw(0, STEPS, 0).shape == (config.batch, 4, 4, 3)
