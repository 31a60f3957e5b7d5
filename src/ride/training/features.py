"""What conditional whitening and L-BFGS are fitted on: many pixels, a function of seed and purpose alone."""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ride import ranks
from ride.data import seeded
from ride.models.ride import RIDE
from ride.training.batches import Batches

CROPS_AT_ONCE = 10_000
PATCHES_AT_ONCE = 50


def single_pixels(model: RIDE, batches: Batches, count: int, purpose: str) -> Iterator[Tensor]:
    """Crops [P, r + 1, 2r + 1(, M)] that hold one predicted pixel each: pixels at independent random places."""
    n = model.neighborhood
    sampler = batches.sampler(n.smallest)
    for part, size in enumerate(_parts(count, CROPS_AT_ONCE)):
        yield sampler.draw(size, seeded(batches.config.seed, purpose, part)).to(model.whitening.mean_out)


def head_pixels(
    model: RIDE, batches: Batches, patch: int, count: int, purpose: str, number: int
) -> tuple[Tensor, Tensor]:
    """Hidden units [P, N] and whitened pixels [P, M] for L-BFGS in stage `number`: of several ranks, the part of this.

    Without layers exactly `count` single pixels; with them as many patches as hold at least so many.
    """
    if not model.layers:
        drawn = single_pixels(model, batches, count, f"{purpose} {number}")
    else:
        drawn = _patches(batches, patch, math.ceil(count / _predicted(model, patch)), purpose, number)
    return states_of(model, (ranks.share(patches) for patches in drawn))


@torch.no_grad()
def states_of(model: RIDE, parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Hidden units [P, N] and whitened pixels [P, M] of patches in parts, which may be none."""
    like = model.whitening.mean_out
    pairs = [(like.new_empty(0, model.head.inputs), like.new_empty(0, model.head.outputs))]
    pairs += [model.hidden_states(patches.to(like)) for patches in parts if len(patches)]
    x, y = (torch.cat(columns) for columns in zip(*pairs, strict=True))
    return x, y


def _predicted(model: RIDE, patch: int) -> int:
    """Predicted pixels of a patch."""
    return math.prod(model.neighborhood.predicted_shape(patch, patch))


def _patches(batches: Batches, patch: int, count: int, purpose: str, number: int) -> Iterator[Tensor]:
    sampler = batches.sampler((patch, patch))
    for part, size in enumerate(_parts(count, PATCHES_AT_ONCE)):
        yield sampler.draw(size, seeded(batches.config.seed, purpose, number, part))


def _parts(count: int, most: int) -> list[int]:
    return [min(most, count - start) for start in range(0, count, most)]
