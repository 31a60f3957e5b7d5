"""Dead leaves: disks of random size, place and intensity that occlude each other, section 3.3."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ride.data.picture import Picture
from ride.data.seeds import seeded
from ride.errors import ConfigError

BATCH = 8192
"""Disks thrown at a time."""
UNCOVERED = -1.0
"""Stands for no leaf yet."""


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
    smallest: float = 1.0
    largest: float = 16.0
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
    """So many images, made when asked for: image i depends on the settings, the seed, the part and i alone."""

    skipped: tuple[str, ...] = ()

    def __init__(
        self,
        count: int,
        seed: int = 0,
        leaves: Leaves | None = None,
        part: Literal["train", "test"] = "train",
    ) -> None:
        if count < 1:
            raise ConfigError(f"at least one image of dead leaves is needed, not {count}")
        self._count, self.seed, self.leaves, self.part = count, seed, leaves or Leaves(), part

    def __len__(self) -> int:
        """How many images there are."""
        return self._count

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | list[Picture]:
        """Make image `index`, 8-bit gray."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        image = render(self.leaves, seeded("dead leaves", self.part, self.seed, index))
        pixels = (image * 256).floor().clamp(0, 255).numpy().astype(np.uint8)
        return Picture(f"deadleaves-{self.part}-{index:04d}", pixels, 256)


def render(leaves: Leaves, generator: torch.Generator) -> Float[Tensor, "H W"]:
    """One image in units of the full range, with its noise, not clipped."""
    scale = leaves.supersample
    height, width = leaves.height * scale, leaves.width * scale
    image = np.full((height, width), UNCOVERED, dtype=np.float32)
    while (image == UNCOVERED).any():
        for disk in _throw(leaves, height, width, generator):
            _lay_behind(image, *disk)
    means = torch.from_numpy(image).view(leaves.height, scale, leaves.width, scale).mean((1, 3))
    return means + leaves.noise * torch.randn(means.shape, generator=generator)


def _throw(leaves: Leaves, height: int, width: int, generator: torch.Generator) -> list[list[float]]:
    """Radii, centers and intensities of those of a batch of disks that may touch the image, in subpixels."""
    u, v, w, t = torch.rand(4, BATCH, generator=generator, dtype=torch.float64)
    smallest, largest = leaves.smallest * leaves.supersample, leaves.largest * leaves.supersample
    power = 1 - leaves.exponent
    radius = (smallest**power + u * (largest**power - smallest**power)) ** (1 / power)
    row = v * (height + 2 * largest) - largest
    column = w * (width + 2 * largest) - largest
    touching = (row > -radius) & (row < height + radius) & (column > -radius) & (column < width + radius)
    intensity = leaves.darkest + (leaves.brightest - leaves.darkest) * t
    disks: list[list[float]] = torch.stack([radius, row, column, intensity], 1)[touching].tolist()
    return disks


def _lay_behind(image: NDArray[np.float32], radius: float, row: float, column: float, intensity: float) -> None:
    """Give the uncovered pixels whose centers lie within a disk its intensity."""
    top, left = max(0, math.floor(row - radius)), max(0, math.floor(column - radius))
    part = image[top : math.ceil(row + radius), left : math.ceil(column + radius)]
    down = (np.arange(part.shape[0]) + (top + 0.5 - row)) ** 2
    right = (np.arange(part.shape[1]) + (left + 0.5 - column)) ** 2
    part[(down[:, None] + right <= radius * radius) & (part == UNCOVERED)] = intensity
