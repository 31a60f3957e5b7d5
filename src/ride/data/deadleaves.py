"""Dead leaves: disks of random size, place and intensity that occlude each other, section 3.3."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ride.data.lazy import LazyPictures
from ride.data.picture import Picture
from ride.data.seeds import seeded
from ride.errors import ConfigError

BATCH = 8192
"""Disks thrown at a time."""
LARGEST = 10**6
"""Of radii in pixels: the edge of a larger disk is a straight line."""
UNCOVERED = -1.0
"""Stands for no leaf yet."""
BOXES = 2**21
"""Pixels of boxes around disks at a time."""
DISKS_A_PIXEL = 1000
"""An image that takes more, and more than 10^6 in all, would take for ever."""


@dataclass(frozen=True)
class Leaves:
    """How the images are made.

    Disks of random radius, place and intensity are thrown front to back until every pixel is covered, so an image is
    an exact sample of the infinite pile. Then noise is added and the result is rounded down to 8 bits.

    The images of the paper are not to be had. Its rates are those of pixels of unit variance, and the noise was chosen
    so that in this unit a 32-component MCGSM comes near the 1.294 bit/px of Table 3.

    Args:
        smallest: smallest radius in pixels.
        largest: largest radius in pixels.
        exponent: radii r have a density that falls as r to the power of minus this, which is above 1.
        darkest: smallest intensity of a disk, in units of the full range; intensities are uniform.
        brightest: largest intensity of a disk, in units of the full range.
        supersample: points along each side of a pixel, of which the mean is taken; 1 leaves the edges hard.
        noise: standard deviation of the Gaussian noise, in units of the full range.

    Raises:
        ConfigError: a number makes no sense.
    """

    smallest: float = 1.0
    largest: float = 128.0
    exponent: float = 3.0
    darkest: float = 0.1
    brightest: float = 0.9
    supersample: int = 1
    noise: float = 0.01

    def __post_init__(self) -> None:
        if self.supersample < 1:
            raise ConfigError(f"the supersampling of dead leaves must be at least 1, not {self.supersample}")
        if not 0 < self.smallest < self.largest <= LARGEST:
            raise ConfigError(
                f"radii need 0 < smallest < largest <= {LARGEST:,}, not {self.smallest} and {self.largest}"
            )
        if not 1 < self.exponent < math.inf:
            raise ConfigError(f"the exponent of the radii must be above 1, not {self.exponent}")
        if not 0 <= self.darkest < self.brightest <= 1:
            raise ConfigError(
                f"intensities need 0 <= darkest < brightest <= 1, not {self.darkest} and {self.brightest}"
            )
        if not 0 <= self.noise < math.inf:
            raise ConfigError(f"the noise of dead leaves must be 0 or more, not {self.noise}")

    def radii(self, u: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        """The quantiles of the radius in pixels at `u`, which is in [0, 1]."""
        power = 1 - self.exponent
        return self.smallest * (1 - u * (1 - (self.largest / self.smallest) ** power)) ** (1 / power)


class DeadLeaves(LazyPictures):
    """So many images, made when asked for: image i depends on the settings, the size, the seed, the part and i alone.

    Args:
        count: how many.
        seed: of all of them.
        leaves: how they are made.
        part: `train` or `test`; no image is in both.
        size: rows and columns.

    Raises:
        ConfigError: there would be no images, none of their pixels, or no end to making them.
    """

    skipped: tuple[str, ...] = ()

    def __init__(
        self,
        count: int,
        seed: int = 0,
        leaves: Leaves | None = None,
        part: Literal["train", "test"] = "train",
        size: tuple[int, int] = (256, 256),
    ) -> None:
        if count < 1:
            raise ConfigError(f"at least one image of dead leaves is needed, not {count}")
        if min(size) < 1:
            raise ConfigError(f"images of dead leaves need at least 1 row and 1 column, not {size[0]} x {size[1]}")
        self._count, self.seed, self.leaves, self.part, self.size = count, seed, leaves or Leaves(), part, size
        disks = _disks(self.leaves, *size)
        if not disks <= max(1e6, DISKS_A_PIXEL * math.prod(size)):
            raise ConfigError(
                f"an image of dead leaves with these radii would take {disks:.0e} disks;"
                " choose a larger smallest radius, a smaller largest one or a smaller exponent"
            )

    def __len__(self) -> int:
        """How many images there are."""
        return self._count

    @property
    def names(self) -> list[str]:
        """The names of all images, which are not made for that."""
        return [self._name(index) for index in range(len(self))]

    def _picture(self, index: int) -> Picture:
        """Make image `index`, 8-bit gray."""
        image = render(self.leaves, *self.size, seeded("dead leaves", self.part, self.seed, index))
        pixels = (image * 256).floor().clamp(0, 255).numpy().astype(np.uint8)
        return Picture(self._name(index), pixels, 256)

    def _name(self, index: int) -> str:
        return f"deadleaves-{self.part}-{index:04d}"


def render(leaves: Leaves, height: int, width: int, generator: torch.Generator) -> Float[Tensor, "H W"]:
    """One image in units of the full range, with its noise, not clipped."""
    scale = leaves.supersample
    image = np.full((height * scale, width * scale), UNCOVERED, dtype=np.float32)
    while (image == UNCOVERED).any():
        _lay_behind(image, _throw(leaves, height, width, generator))
    means = torch.from_numpy(image).view(height, scale, width, scale).mean((1, 3))
    return means + leaves.noise * torch.randn(means.shape, generator=generator)


def _throw(leaves: Leaves, height: int, width: int, generator: torch.Generator) -> NDArray[np.float64]:
    """Radii, centers and intensities [disks, 4] of those of a batch that may touch the image, in subpixels."""
    u, v, w, t = torch.rand(4, BATCH, generator=generator, dtype=torch.float64)
    scale = leaves.supersample
    height, width, largest = height * scale, width * scale, leaves.largest * scale
    radius = leaves.radii(u) * scale
    row = v * (height + 2 * largest) - largest
    column = w * (width + 2 * largest) - largest
    touching = (row > -radius) & (row < height + radius) & (column > -radius) & (column < width + radius)
    intensity = leaves.darkest + (leaves.brightest - leaves.darkest) * t
    disks: NDArray[np.float64] = torch.stack([radius, row, column, intensity], 1)[touching].numpy()
    return disks


def _disks(leaves: Leaves, height: int, width: int) -> float:
    """About how many disks must be thrown to cover an image, from the area of one."""
    quantiles = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    area = math.pi * float(leaves.radii(quantiles).square().mean())
    thrown_at = (height + 2 * leaves.largest) * (width + 2 * leaves.largest)
    return thrown_at / area * (1 + math.log(height * width * leaves.supersample**2))


def _box(center: NDArray[np.float64], side: int, size: int) -> NDArray[np.int64]:
    """Rows (or columns) [disks, box] that disks around centers [disks, 1] may touch, or those of the image if fewer.

    Some may lie outside of the image.
    """
    if 2 * side + 1 > size:
        return np.broadcast_to(np.arange(size), (len(center), size))
    box: NDArray[np.int64] = np.floor(center).astype(np.int64) + np.arange(-side, side + 1)
    return box


def _lay_behind(image: NDArray[np.float32], disks: NDArray[np.float64]) -> None:
    """Give the uncovered pixels whose centers lie within disks the intensity of the first that covers them.

    Disks of about one size are rasterised together, in boxes of one shape.
    """
    height, width = image.shape
    none = len(disks)
    first = np.full(image.size, none)
    reach = 2 ** np.ceil(np.log2(disks[:, 0])).astype(np.int64).clip(0)
    for side in np.unique(reach).tolist():
        tall, wide = min(2 * side + 1, height), min(2 * side + 1, width)
        numbers = np.flatnonzero(reach == side)
        # Backwards: of several writes to one pixel the last one stays.
        for part in np.array_split(numbers[::-1], 1 + len(numbers) * tall * wide // BOXES):
            radius, row, column, _ = disks[part].T[:, :, None]
            rows, columns = _box(row, side, height), _box(column, side, width)
            down = np.where((rows >= 0) & (rows < height), (rows + 0.5 - row) ** 2, np.inf)
            right = np.where((columns >= 0) & (columns < width), (columns + 0.5 - column) ** 2, np.inf)
            disk, i, j = np.nonzero(down[:, :, None] + right[:, None, :] <= radius[:, :, None] ** 2)
            place = rows[disk, i] * width + columns[disk, j]
            covering = np.full(image.size, none)
            covering[place] = part[disk]
            np.minimum(first, covering, out=first)
    uncovered = (image.ravel() == UNCOVERED) & (first < none)
    image.ravel()[uncovered] = disks[first[uncovered], 3]
