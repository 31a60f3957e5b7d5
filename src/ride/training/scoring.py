"""The rate that decides which model is kept, always on the same pixels with the same noise.

Batches of them are dealt out to the ranks, whole, so that each is scored as it would be by a process alone.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ride import ranks
from ride.data import Tiles, seeded
from ride.models.ride import RIDE
from ride.training.batches import Batches
from ride.training.config import Stage
from ride.training.gradients import total

TILES_AT_ONCE = 16
PATCH_BATCHES = 10
"""Batches of training patches that are scored where no images are held out."""


def held_out_tiles(tiles: Tiles, seed: int) -> Iterator[Tensor]:
    """All tiles of the held-out images, those of this rank."""
    for numbers in ranks.dealt(torch.arange(len(tiles)).split(TILES_AT_ONCE)):
        yield tiles.batch(numbers, seeded(seed, "valid", int(numbers[0])))


def training_patches(batches: Batches, stage: Stage) -> Iterator[Tensor]:
    """Some patches of the training images, those of this rank."""
    sampler = batches.sampler((stage.patch, stage.patch))
    for part in ranks.dealt(range(PATCH_BATCHES)):
        yield sampler.draw(batches.config.batch_of(stage), seeded(batches.config.seed, "score", part))


def mean_rate(model: RIDE, batches: Iterable[Tensor]) -> float:
    """Mean log-likelihood in nats per pixel of the batches of all ranks, of patches of one size."""
    nats, count = 0.0, 0.0
    for patches in batches:
        nats += total(model.mean_log_prob, patches.to(model.whitening.mean_out))
        count += len(patches)
    nats, count = ranks.total(nats, count)
    return nats / count
