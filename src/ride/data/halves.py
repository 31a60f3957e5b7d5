"""Images at half their size beside themselves."""

from collections.abc import Sequence

import numpy as np

from ride.data.lazy import LazyPictures
from ride.data.picture import Picture
from ride.errors import DataError

PARTS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""The row and column that the first mean begins with."""


class WithHalves(LazyPictures):
    """Each picture after four of half its size: means of 2 x 2 pixels, from the first or second row and column on.

    What a camera blurred, or a JPEG file has at half the resolution, as colours often are, is whole in them. Means of
    integers are rounded, halves upwards.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        """How many there are, halves included."""
        return len(self._pictures) * (len(PARTS) + 1)

    def _picture(self, index: int) -> Picture:
        number, part = divmod(index, len(PARTS) + 1)
        picture = self._pictures[number]
        return picture if part == len(PARTS) else halved(picture, *PARTS[part])


def halved(picture: Picture, row: int = 0, column: int = 0) -> Picture:
    """Means of the 2 x 2 pixels that lie side by side from a row and column on.

    Raises:
        DataError: there are none.
    """
    rows, columns = ((length - first) // 2 for length, first in zip(picture.pixels.shape, (row, column), strict=False))
    if not rows or not columns:
        raise DataError(f"{picture.name} is too small to be halved: it needs 3 rows and 3 columns")
    pixels = picture.pixels[row : row + 2 * rows, column : column + 2 * columns]
    exact = pixels.dtype == np.float32
    blocks = pixels.astype(np.float64 if exact else np.uint32).reshape(rows, 2, columns, 2, *pixels.shape[2:])
    total = blocks.sum(axis=(1, 3))
    means = total / 4 if exact else (total + 2) // 4
    return Picture(f"{picture.name}, half {row}{column}", means.astype(pixels.dtype), picture.levels)
