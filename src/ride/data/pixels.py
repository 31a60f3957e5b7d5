"""The pixels of many images of any sizes in one flat tensor, from which rectangles are cut many at a time."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ride.data.dequantize import add_noise
from ride.data.picture import Picture
from ride.errors import DataError


class Pixels:
    """Flat pixels [all, M] with the height, width and offset of each image.

    Raises:
        DataError: there are no images, or they differ in channels or levels.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        pictures = list(pictures)
        if not pictures:
            raise DataError("there are no images to cut patches from")
        first = pictures[0]
        for picture in pictures:
            if picture.channels != first.channels or picture.levels != first.levels:
                raise DataError(
                    f"{picture.name} has {picture.channels} channels and {picture.levels} levels, {first.name} has "
                    f"{first.channels} and {first.levels}; images used together must agree"
                )
        self.levels, self.channels = first.levels, first.channels
        self.gray = all(picture.pixels.ndim == 2 for picture in pictures)
        self.names = [picture.name for picture in pictures]
        flat = np.concatenate([picture.pixels.reshape(-1, self.channels) for picture in pictures])
        # torch can index few things of 16 bits.
        self.flat = torch.from_numpy(flat.astype(np.int32) if flat.dtype == np.uint16 else flat)
        self.heights = torch.tensor([picture.pixels.shape[0] for picture in pictures])
        self.widths = torch.tensor([picture.pixels.shape[1] for picture in pictures])
        sizes = self.heights * self.widths
        self.offsets = sizes.cumsum(0) - sizes

    @property
    def fingerprint(self) -> str:
        """A digest of all pixels and sizes: equal for equal data only."""
        digest = hashlib.blake2b(self.flat.numpy().tobytes(), digest_size=16)
        digest.update(torch.stack([self.heights, self.widths]).numpy().tobytes())
        return digest.hexdigest()

    def check_patch(self, height: int, width: int) -> None:
        """Raise DataError naming the first image that is smaller than a patch."""
        small = ((self.heights < height) | (self.widths < width)).nonzero()
        if len(small):
            index = int(small[0])
            raise DataError(
                f"{self.names[index]} is {int(self.heights[index])} x {int(self.widths[index])} pixels, smaller than "
                f"the patches of {height} x {width}; leave it out or use smaller patches"
            )

    def cut(
        self, image: Tensor, row: Tensor, column: Tensor, height: int, width: int, generator: torch.Generator
    ) -> Tensor:
        """Dequantised rectangles [B, height, width(, M)] at the given corners of the given images."""
        stride = self.widths[image]
        corner = self.offsets[image] + row * stride + column
        rows = corner[:, None] + torch.arange(height) * stride[:, None]
        index = rows[:, :, None] + torch.arange(width)
        patches = add_noise(self.flat[index], self.levels, generator)
        return patches.squeeze(-1) if self.gray else patches
