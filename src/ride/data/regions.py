"""One picture cut into regions, most of them to train on and one to test on (section 3.4)."""

from dataclasses import dataclass

import torch

from ride.data.picture import Picture
from ride.data.seeds import seeded
from ride.errors import DataError

GRIDS = (4, 3, 2)
"""Regions along a side, the paper's first."""
LEAST_SIDE = 48
"""Of a region in pixels: somewhat more than the largest patch of training."""


@dataclass(frozen=True)
class Regions:
    """Equal regions of one picture that do not overlap, as pictures of their own.

    `training` are in raster order, without `test`; `grid` is how many there are along a side, and `name` that of the
    picture.
    """

    name: str
    training: tuple[Picture, ...]
    test: Picture
    grid: int


def split_regions(picture: Picture, seed: int = 0) -> Regions:
    """Cut a picture into 4 x 4 regions, of which the seed chooses one to test on.

    A small picture is cut into 3 x 3 or 2 x 2 regions of at least `LEAST_SIDE` pixels a side. What is left over at the
    right and the bottom is dropped.

    Raises:
        DataError: the picture is too small to split, or all its pixels are alike.
    """
    height, width = picture.pixels.shape[:2]
    grid = next((grid for grid in GRIDS if min(height, width) // grid >= LEAST_SIDE), None)
    if grid is None:
        least = GRIDS[-1] * LEAST_SIDE
        raise DataError(
            f"{picture.name} is {height} x {width} pixels, too small to split into regions to train and to test on: "
            f"give a texture of at least {least} x {least}"
        )
    if (picture.pixels == picture.pixels[0, 0]).all():
        raise DataError(f"{picture.name} has the same value in all its pixels: there is no texture to learn")
    rows, columns = height // grid, width // grid
    regions = [
        Picture(
            f"{picture.name}, region {k + 1} of {grid**2}",
            picture.pixels[k // grid * rows :, k % grid * columns :][:rows, :columns].copy(),
            picture.levels,
        )
        for k in range(grid**2)
    ]
    chosen = int(torch.randint(len(regions), (1,), generator=seeded(seed, "test region")))
    return Regions(picture.name, tuple(regions[:chosen] + regions[chosen + 1 :]), regions[chosen], grid)
