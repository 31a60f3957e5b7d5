"""One image as it was found, and what its numbers mean."""

from dataclasses import dataclass

import numpy as np

from ride.errors import DataError


@dataclass(frozen=True)
class Picture:
    """An image with its name: pixels [H, W] or [H, W, M] of uint8, uint16 or float32.

    `levels` is 256 or 65536 for integers, which are dequantised before use, and None for numbers in [0, 1] that are
    continuous already.

    Raises:
        DataError: the array has another shape or type, or numbers that are not finite or outside [0, 1].
    """

    name: str
    pixels: np.ndarray
    levels: int | None

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim not in (2, 3) or pixels.size == 0:
            raise DataError(
                f"{self.name} has the shape {pixels.shape}; an image is [rows, columns] or [rows, columns, channels]"
            )
        kinds = {256: np.uint8, 65536: np.uint16, None: np.float32}
        if self.levels not in kinds or pixels.dtype != kinds[self.levels]:
            raise DataError(f"{self.name} has {pixels.dtype} pixels, which do not go with {self.levels} levels")
        if self.levels is None:
            if not np.isfinite(pixels).all():
                raise DataError(f"{self.name} has pixels that are NaN or infinite")
            low, high = float(pixels.min()), float(pixels.max())
            if low < 0 or high > 1:
                raise DataError(
                    f"{self.name} claims the range [0, 1] but has pixels from {low:.4g} to {high:.4g}; rescale it"
                )

    @property
    def channels(self) -> int:
        """Channels of a pixel."""
        return 1 if self.pixels.ndim == 2 else self.pixels.shape[2]
