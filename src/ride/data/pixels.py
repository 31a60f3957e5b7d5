"""The pixels of many images of any sizes in one flat array, from which rectangles are cut many at a time."""

import hashlib
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ride.data.dequantize import add_noise, wide
from ride.data.gathering import Gathering
from ride.data.picture import Picture
from ride.errors import DataError

BLOCK = 2**22
"""Numbers that are hashed at a time."""


class Pixels:
    """Flat pixels [all, M] with the height, width and offset of each image.

    The pictures are looked at once, one after another. Pixels that memory need not hold lie in a temporary file, see
    `Gathering`; all else is the same for those.

    Raises:
        DataError: there are no images, or they differ in channels or levels.
        OutputError: there is no room for the temporary file.
    """

    def __init__(self, pictures: Iterable[Picture]) -> None:
        first: Picture | None = None
        self.gray = True
        self.names: list[str] = []
        shapes: list[tuple[int, int]] = []
        with Gathering() as gathering:
            for picture in pictures:
                first = first or picture
                if picture.channels != first.channels or picture.levels != first.levels:
                    raise DataError(
                        f"{picture.name} has {picture.channels} channels and {picture.levels} levels, {first.name} "
                        f"has {first.channels} and {first.levels}; images used together must agree"
                    )
                self.gray = self.gray and picture.pixels.ndim == 2
                self.names.append(picture.name)
                shapes.append((picture.pixels.shape[0], picture.pixels.shape[1]))
                gathering.add(picture.pixels.reshape(-1, picture.channels))
            if first is None:
                raise DataError("there are no images to cut patches from")
            self.levels, self.channels = first.levels, first.channels
            self.flat: NDArray[np.generic] = gathering.array(first.pixels.dtype).reshape(-1, self.channels)
        self.heights, self.widths = torch.tensor(shapes).unbind(1)
        sizes = self.heights * self.widths
        self.offsets = sizes.cumsum(0) - sizes

    @property
    def fingerprint(self) -> str:
        """A digest of all pixels and sizes: equal for equal data only."""
        digest = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self.flat), BLOCK):
            digest.update(wide(self.flat[start : start + BLOCK]).data)
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
        pixels = torch.from_numpy(wide(self.flat.take(index.numpy(), axis=0)))
        patches = add_noise(pixels, self.levels, generator)
        return patches.squeeze(-1) if self.gray else patches
