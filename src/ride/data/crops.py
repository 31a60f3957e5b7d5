"""Random crops, dequantised anew each time, without materialising any neighborhood."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ride.data.picture import Picture
from ride.data.pixels import Pixels


class CropSampler:
    """Crops of one shape, uniform over all places in all images, flipped at random where asked.

    Raises:
        DataError: there are no images, they disagree, or one is smaller than a crop.
    """

    def __init__(
        self,
        pictures: Sequence[Picture] | Pixels,
        patch: tuple[int, int],
        mirror: bool = False,
        flip: bool = False,
    ) -> None:
        self.pixels = pictures if isinstance(pictures, Pixels) else Pixels(pictures)
        self.pixels.check_patch(*patch)
        self.patch, self.mirror, self.flip = patch, mirror, flip
        self._rows = self.pixels.heights - patch[0] + 1
        self._columns = self.pixels.widths - patch[1] + 1
        self._places = (self._rows * self._columns).cumsum(0)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Crops [count, height, width(, M)] in units of the full range."""
        # 62 random bits modulo the number of places: a bias of less than 10^-8 for any data that fits in memory.
        place = torch.randint(2**62, (count,), generator=generator) % self._places[-1]
        image = torch.searchsorted(self._places, place, right=True)
        place = place - (self._places[image] - self._rows[image] * self._columns[image])
        row, column = place // self._columns[image], place % self._columns[image]
        crops = self.pixels.cut(image, row, column, *self.patch, generator)
        for wanted, axis in ((self.mirror, 2), (self.flip, 1)):
            if wanted:
                chosen = torch.rand(count, generator=generator) < 0.5
                crops = torch.where(chosen.view(-1, *[1] * (crops.ndim - 1)), crops.flip(axis), crops)
        return crops
