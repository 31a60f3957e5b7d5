"""Dead leaves: disks of random size, place and intensity that occlude each other, section 3.3."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ride.data.picture import Picture
from ride.data.seeds import seeded
from ride.errors import ConfigError

BATCH = 8192
"""Disks thrown at a time."""


@dataclass(frozen=True)
class Leaves:
    """How the images are made.

    Radii follow p(r) ~ r^-exponent between `smallest` and `largest` pixels, intensities are uniform between `darkest`
    and `brightest`, places uniform. Disks are thrown front to back until every pixel is covered, so the image is an
    exact sample of the infinite pile. Then Gaussian noise of standard deviation `noise` (in units of the full range)
    is added and the result is rounded down to 8 bits.

    The noise sets the scale of the rates: it was chosen so that a 32-component MCGSM reaches the 1.294 bit/px of
    Table 3, since the images of the paper are not to be had.
    """

    height: int = 256
    width: int = 256
    smallest: float = 2.0
    largest: float = 128.0
    exponent: float = 3.0
    darkest: float = 0.15
    brightest: float = 0.85
    supersample: int = 1
    noise: float = 0.05

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or self.supersample < 1:
            raise ConfigError("dead leaves need a height, a width and a supersampling of at least 1")
        if not 0 < self.smallest < self.largest:
            raise ConfigError(f"radii need 0 < smallest < largest, not {self.smallest} and {self.largest}")
        if self.exponent <= 1:
            raise ConfigError(f"the exponent of the radii must be above 1, not {self.exponent}")
        if not 0 <= self.darkest < self.brightest <= 1:
            raise ConfigError(f"intensities need 0 <= {self.darkest} < {self.brightest} <= 1")
        if self.noise < 0:
            raise ConfigError(f"the noise must not be negative, but is {self.noise}")


class DeadLeaves(Sequence[Picture]):
    """So many images, made when asked for: image i depends on the settings, the seed and i alone."""

    def __init__(self, count: int, seed: int = 0, leaves: Leaves | None = None) -> None:
        if count < 1:
            raise ConfigError(f"at least one image of dead leaves is needed, not {count}")
        self.count, self.seed, self.leaves = count, seed, leaves or Leaves()

    def __len__(self) -> int:
        """How many images there are."""
        return self.count

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        """Make image `index`, 8-bit gray."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(self.count))]
        if not -self.count <= index < self.count:
            raise IndexError(index)
        index %= self.count
        image = render(self.leaves, seeded("dead leaves", self.seed, index))
        pixels = (image * 256).floor().clamp(0, 255).numpy().astype(np.uint8)
        return Picture(f"deadleaves-{index:04d}", pixels, 256)

    def __iter__(self) -> Iterator[Picture]:
        """All images in turn."""
        return (self[k] for k in range(self.count))


def render(leaves: Leaves, generator: torch.Generator) -> Float[Tensor, "H W"]:
    """One image in units of the full range, with its noise, not clipped."""
    scale = leaves.supersample
    height, width = leaves.height * scale, leaves.width * scale
    front = torch.full((height * width,), 2**62)
    intensities = []
    thrown = 0
    while True:
        radius, row, column, intensity = _throw(leaves, height, width, generator)
        _paint(front, height, width, radius, row, column, thrown)
        intensities.append(intensity)
        thrown += BATCH
        if int(front.max()) < thrown:
            break
    image = torch.cat(intensities)[front].view(leaves.height, scale, leaves.width, scale).mean((1, 3))
    return image + leaves.noise * torch.randn(image.shape, generator=generator)


def _throw(
    leaves: Leaves, height: int, width: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Radii, centers and intensities of a batch of disks that may touch the image, in subpixels."""
    u, v, w, intensity = torch.rand(4, BATCH, generator=generator, dtype=torch.float64)
    smallest, largest = leaves.smallest * leaves.supersample, leaves.largest * leaves.supersample
    power = 1 - leaves.exponent
    radius = (smallest**power + u * (largest**power - smallest**power)) ** (1 / power)
    row = v * (height + 2 * largest) - largest
    column = w * (width + 2 * largest) - largest
    return radius, row, column, (leaves.darkest + (leaves.brightest - leaves.darkest) * intensity).float()


def _paint(
    front: Int64[Tensor, " P"],
    height: int,
    width: int,
    radius: Tensor,
    row: Tensor,
    column: Tensor,
    first: int,
) -> None:
    """Lower `front` to the number of the foremost disk over each pixel; disks of about one size go together."""
    number = torch.arange(len(radius)) + first
    touching = (row > -radius) & (row < height + radius) & (column > -radius) & (column < width + radius)
    classes = torch.where(touching, torch.exp2(radius.log2().ceil()).long(), 0)
    for reach in classes.unique().tolist():
        if not reach:
            continue
        square = torch.arange(-reach, reach + 1)
        for disks in (classes == reach).nonzero().squeeze(1).split(max(1, 2**21 // len(square) ** 2)):
            i = row[disks].floor().long()[:, None] + square
            j = column[disks].floor().long()[:, None] + square
            far = (i + 0.5 - row[disks, None])[:, :, None].square() + (j + 0.5 - column[disks, None])[:, None].square()
            inside = far <= radius[disks, None, None].square()
            inside &= ((i >= 0) & (i < height))[:, :, None] & ((j >= 0) & (j < width))[:, None]
            disk, at_row, at_column = inside.nonzero(as_tuple=True)
            place = i[disk, at_row] * width + j[disk, at_column]
            front.scatter_reduce_(0, place, number[disks[disk]], "amin")
