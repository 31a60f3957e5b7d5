"""Uniform noise within the quantisation step, so that a density makes sense: x becomes (x + u) / levels."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ride.data.picture import Picture


def dequantize(picture: Picture, generator: torch.Generator) -> Float[Tensor, "H W *M"]:
    """Pixels in units of the full range, in [0, 1); continuous pictures come back as they are."""
    # torch can do few things with 16 bits.
    pixels = picture.pixels.astype(np.int32) if picture.levels == 65536 else picture.pixels
    return add_noise(torch.from_numpy(np.ascontiguousarray(pixels)), picture.levels, generator)


def add_noise(pixels: Tensor, levels: int | None, generator: torch.Generator) -> Tensor:
    """(x + u) / levels with u uniform in [0, 1) from the generator; unchanged where `levels` is None."""
    if levels is None:
        return pixels.float()
    noise = torch.rand(pixels.shape, generator=generator)
    whole = pixels.float()
    # The sum may be rounded to the next level; the largest number below that one is meant.
    below = torch.nextafter(whole + 1, whole)
    return torch.minimum(noise.add_(whole), below).div_(levels)
