"""Uniform noise within the quantisation step, so that a density makes sense: x becomes (x + u) / levels."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ride.data.picture import Picture


def dequantize(picture: Picture, generator: torch.Generator) -> Float[Tensor, "H W *M"]:
    """Pixels in units of the full range, in [0, 1); continuous pictures come back as they are."""
    # A copy where a file is mapped: torch takes no arrays that cannot be written.
    pixels = np.require(wide(picture.pixels), requirements=["C", "W"])
    return add_noise(torch.from_numpy(pixels), picture.levels, generator)


def wide(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same numbers in 32 bits where they have 16, with which torch can do few things."""
    return pixels.astype(np.int32) if pixels.dtype == np.uint16 else pixels


def add_noise(pixels: Tensor, levels: int | None, generator: torch.Generator) -> Tensor:
    """(x + u) / levels with u uniform in [0, 1) from the generator; unchanged where `levels` is None."""
    if levels is None:
        return pixels.float()
    noise = torch.rand(pixels.shape, generator=generator)
    whole = pixels.float()
    # The sum may be rounded to the next level; the largest number below that one is meant.
    below = torch.nextafter(whole + 1, whole)
    return torch.minimum(noise.add_(whole), below).div_(levels)
