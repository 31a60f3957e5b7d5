"""Patches without their DC component, section 3.2: the mean is subtracted and the bottom-right pixel dropped.

What is left of 8 by 8 pixels are 63 numbers that determine the patch up to its mean.
"""

from math import isqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ride.errors import DataError


def without_dc(patches: Float[Tensor, "P ..."]) -> Float[Tensor, "P D"]:
    """Subtract the mean of each patch [S, S] (or S² numbers), and drop its bottom-right pixel: D = S² - 1.

    Raises:
        DataError: the patches are not square.
    """
    pixels = _square(patches)
    return (pixels - pixels.mean(1, keepdim=True))[:, :-1].contiguous()


def with_last_pixel(values: Float[Tensor, "P D"]) -> Float[Tensor, "P S S"]:
    """The patches of zero mean that `without_dc` left D = S² - 1 numbers of: the last pixel is minus their sum.

    Raises:
        DataError: D + 1 is not the number of pixels of a square.
    """
    side = isqrt(values.shape[1] + 1)
    if side**2 != values.shape[1] + 1:
        raise DataError(f"{values.shape[1]} numbers are not those of a square patch without its last pixel")
    return torch.cat([values, -values.sum(1, keepdim=True)], dim=1).unflatten(1, (side, side))


def side_of(dimension: int) -> tuple[int, bool]:
    """Side S of the square patches that have so many numbers, and whether these are S² - 1: without DC.

    Raises:
        DataError: the number is neither S² nor S² - 1.
    """
    for count, dropped in ((dimension, False), (dimension + 1, True)):
        side = isqrt(count)
        if side >= 1 and side**2 == count:
            return side, dropped
    raise DataError(f"{dimension} numbers are those of no square patch, neither with its last pixel nor without it")


def _square(patches: Tensor) -> Tensor:
    """Patches [P, S²]."""
    pixels = patches.flatten(1)
    side = isqrt(pixels.shape[1])
    if side**2 != pixels.shape[1] or (patches.ndim == 3 and patches.shape[1] != patches.shape[2]):
        raise DataError(f"patches must be square, not of shape {list(patches.shape[1:])}")
    return pixels
