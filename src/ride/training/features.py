"""What conditional whitening and L-BFGS are fitted on: many pixels, a function of seed and purpose alone."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ride.data import seeded
from ride.models.ride import RIDE
from ride.training.batches import Batches

CROPS_AT_ONCE = 10_000
PATCHES_AT_ONCE = 50


def single_pixels(model: RIDE, batches: Batches, count: int, purpose: str) -> Iterator[Tensor]:
    """Crops [P, r + 1, 2r + 1(, M)] that hold one predicted pixel each: pixels at independent random places."""
    n = model.neighborhood
    sampler = batches.sampler((n.radius + 1, n.width))
    for part, size in enumerate(_parts(count, CROPS_AT_ONCE)):
        yield sampler.draw(size, seeded(batches.config.seed, purpose, part)).to(model.whitening.mean_out)


@torch.no_grad()
def head_pixels(
    model: RIDE, batches: Batches, patch: int, count: int, purpose: str, number: int
) -> tuple[Tensor, Tensor]:
    """Hidden units [P, N] and whitened pixels [P, M] for L-BFGS in stage `number`.

    Without layers exactly `count` single pixels; with them as many patches as hold at least so many.
    """
    if not model.layers:
        pairs = [model.hidden_states(crops) for crops in single_pixels(model, batches, count, f"{purpose} {number}")]
    else:
        sampler = batches.sampler((patch, patch))
        height, width = model.neighborhood.predicted_shape(patch, patch)
        pairs = []
        for part, size in enumerate(_parts(math.ceil(count / (height * width)), PATCHES_AT_ONCE)):
            patches = sampler.draw(size, seeded(batches.config.seed, purpose, number, part))
            pairs.append(model.hidden_states(patches.to(model.whitening.mean_out)))
    x, y = (torch.cat(columns) for columns in zip(*pairs, strict=True))
    return x, y


def _parts(count: int, most: int) -> list[int]:
    return [min(most, count - start) for start in range(0, count, most)]
