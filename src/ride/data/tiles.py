"""All square tiles of all images that do not overlap; what is left over at the right and bottom is dropped."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from ride.data.picture import Picture
from ride.data.pixels import Pixels
from ride.errors import ConfigError, DataError


class Tiles:
    """The tiles of images, numbered image by image in raster order.

    Raises:
        DataError: there are no images, they disagree, or none holds a tile.
        ConfigError: a tile would have no pixels.
    """

    def __init__(self, pictures: Sequence[Picture] | Pixels, size: int) -> None:
        if size < 1:
            raise ConfigError(f"tiles need at least 1 pixel a side, not {size}")
        self.pixels = pictures if isinstance(pictures, Pixels) else Pixels(pictures)
        self.size = size
        down, across = self.pixels.heights // size, self.pixels.widths // size
        counts = down * across
        if not int(counts.sum()):
            raise DataError(f"no image is large enough for a tile of {size} x {size} pixels; use smaller tiles")
        self.image = torch.repeat_interleave(torch.arange(len(counts)), counts)
        within = torch.arange(int(counts.sum())) - (counts.cumsum(0) - counts)[self.image]
        self._row = within // across[self.image] * size
        self._column = within % across[self.image] * size

    def __len__(self) -> int:
        """How many tiles there are."""
        return len(self.image)

    def batch(self, tiles: Int64[Tensor, " B"], generator: torch.Generator) -> Tensor:
        """The tiles of these numbers [B, size, size(, M)], dequantised, in units of the full range."""
        return self.pixels.cut(
            self.image[tiles], self._row[tiles], self._column[tiles], self.size, self.size, generator
        )
