"""Images held out from training."""

from collections.abc import Sequence

import torch

from ride.data.lazy import Chosen
from ride.data.picture import Picture
from ride.data.seeds import seeded
from ride.errors import DataError


def hold_out(pictures: Sequence[Picture], count: int, seed: int) -> tuple[Chosen, Chosen]:
    """Images to train on and `count` held out, chosen by the seed, both in their own order.

    Raises:
        DataError: none would be left to train on.
    """
    if count and count >= len(pictures):
        raise DataError(f"of {len(pictures)} images {count} are to be held out, which leaves none to train on")
    chosen = torch.randperm(len(pictures), generator=seeded(seed, "held out"))
    training, held_out = sorted(chosen[count:].tolist()), sorted(chosen[:count].tolist())
    return Chosen(pictures, training), Chosen(pictures, held_out)
