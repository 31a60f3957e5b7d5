"""A single update leaves the posterior as it is: equation (9), from independent evaluations of the density."""

import math

import pytest
import torch
from tests.generation.conftest import lively, scene, square
from torch import Tensor

from ride.generation.blocks import Blocks, blocks_of
from ride.generation.metropolis import Noise, gains, noise_of, update
from ride.models.ride import RIDE

HOLES = {"all of the block": (5, 5), "a pixel": (1, 1), "a strip": (2, 4)}


def case_of(model: RIDE, rows: int, columns: int, size: int = 31) -> tuple[Tensor, Blocks, Tensor]:
    """An image, and a hole that is one block."""
    image = scene(size, size, model.config.channels)
    hole = square(size, size, 13, 13, rows, columns)
    return image, blocks_of(hole, torch.ones_like(hole), model.neighborhood), hole


def conditional(model: RIDE, window: Tensor, updated: Tensor) -> float:
    """Log-density of the pixels of a block given those before, in their window: that of the proposal."""
    radius = model.neighborhood.radius
    values = model.log_prob(window)[0]
    return float(values[updated[0, radius:, radius : window.shape[2] - radius]].sum())


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("layers", [0, 1, 2])
@torch.no_grad()
def test_detailed_balance(layers: int, hole: str):
    model = lively(layers=layers, neighborhood=3 if layers == 0 else 5)
    image, blocks, _ = case_of(model, *HOLES[hole])
    window = blocks.windows(image, slice(0, 1))[0]
    other = torch.where(blocks.updated[..., None], scene(31, 31, seed=5)[:, 6:25, 6:25], window)
    assert not torch.equal(window, other)

    def log_transition(old: Tensor, new: Tensor) -> float:
        """Log-density of proposing `new` and accepting it."""
        ratio = float(gains(model, old, new, blocks.updated, blocks.counted, blocks.margin)[0])
        return conditional(model, new, blocks.updated) + min(0.0, ratio)

    there = float(model.log_prob(window).sum()) + log_transition(window, other)
    back = float(model.log_prob(other).sum()) + log_transition(other, window)
    assert there == pytest.approx(back, abs=1e-9)


@torch.no_grad()
def test_without_memory_the_window_says_what_the_whole_image_says():
    model = lively(layers=0, neighborhood=3)
    image, blocks, hole = case_of(model, 5, 5)
    other = torch.where(hole[..., None], scene(31, 31, seed=5), image)
    windows = [blocks.windows(some, slice(0, 1))[0] for some in (image, other)]
    after, within = gains(model, windows[0], windows[1], blocks.updated, blocks.counted, blocks.margin)
    whole = float(model.log_prob(other).sum() - model.log_prob(image).sum())
    assert float(after + within) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("exact", [False, True])
def test_the_level_decides(exact: bool):
    model = lively(layers=1)
    image, blocks, hole = case_of(model, 5, 5)
    images = image.repeat(20, 1, 1, 1)
    noise = noise_of(images, 1, torch.Generator().manual_seed(1))

    def density(some: Tensor) -> Tensor:
        return model.log_prob(some).double().sum((1, 2))

    before = images.clone()
    always = noise._replace(level=torch.zeros(20, 1, dtype=torch.float64))
    accepted = update(model, images, blocks, slice(0, 1), always, (-9.0, 9.0), density if exact else None)
    assert accepted.all()
    changed = (images != before).squeeze(-1)
    assert torch.equal(changed.all(0), hole)
    assert torch.equal(changed.any(0), hole)
    # What was proposed is the same whatever the level, and is accepted for levels below the ratio of densities only.
    proposed = images.clone()
    windows = [blocks.windows(some, slice(0, 1)).flatten(0, 1) for some in (before, proposed)]
    updated, counted = (part.expand(20, -1, -1) for part in (blocks.updated, blocks.counted))
    after, within = gains(model, windows[0], windows[1], updated, counted, blocks.margin)
    ratio = (density(proposed) - density(before)) - within if exact else after
    for shift in (-1e-6, 1e-6):
        images = before.clone()
        level = (ratio + shift).exp().view(20, 1)
        accepted = update(
            model, images, blocks, slice(0, 1), noise._replace(level=level), (-9.0, 9.0), density if exact else None
        )
        assert torch.equal(accepted, torch.full((20, 1), shift < 0))
        assert torch.equal(images, proposed if shift < 0 else before)


def test_a_proposal_out_of_bounds_is_refused():
    model = lively(layers=1)
    image, blocks, _ = case_of(model, 5, 5)
    images, noise = image.clone(), noise_of(image, 1, torch.Generator().manual_seed(1))
    certain = noise._replace(level=torch.zeros(1, 1, dtype=torch.float64))
    assert not update(model, images, blocks, slice(0, 1), certain, (2.0, 3.0)).any()
    assert torch.equal(images, image)


def test_a_density_that_is_not_a_number_is_refused():
    model = lively(layers=1)
    image, blocks, _ = case_of(model, 5, 5)
    images, noise = image.clone(), noise_of(image, 1, torch.Generator().manual_seed(1))
    accepted = update(
        model, images, blocks, slice(0, 1), noise, (-9.0, 9.0), lambda some: torch.full((len(some),), math.nan)
    )
    assert not accepted.any()
    assert torch.equal(images, image)


def test_noise_of_some_blocks_is_that_of_all():
    noise = noise_of(scene(9, 9, batch=2), 4, torch.Generator().manual_seed(0))
    some: Noise = noise.of(slice(1, 3))
    assert torch.equal(some.u, noise.u[:, 1:3])
    assert torch.equal(some.level, noise.level[:, 1:3])
