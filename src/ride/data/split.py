"""Images held out from training."""

from collections.abc import Sequence

import torch

from ride.data.lazy import Chosen
from ride.data.picture import Picture
from ride.data.seeds import seeded


def hold_out(pictures: Sequence[Picture], count: int, seed: int) -> tuple[Chosen, Chosen]:
    """Images to train on and `count` held out, chosen by the seed, both in their own order."""
    chosen = torch.randperm(len(pictures), generator=seeded(seed, "held out"))
    training, held_out = sorted(chosen[count:].tolist()), sorted(chosen[:count].tolist())
    return Chosen(pictures, training), Chosen(pictures, held_out)
