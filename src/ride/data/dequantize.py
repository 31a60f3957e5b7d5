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
    # Rounding of x + u may reach the next level, of which the last one is outside the range.
    below = torch.nextafter(torch.tensor(float(levels)), torch.tensor(0.0))
    return torch.minimum(pixels.float().add_(noise), below).div_(levels)
