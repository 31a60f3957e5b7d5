"""Images of several channels or of 16 bits as planes of bytes, each of which is coded like a gray image of 8 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ride.errors import DataError

Levels = NDArray[np.uint8]
KINDS = {1: "uint8", 2: "uint16"}


def kind_of(depth: int) -> str:
    """The type of pixels of so many bits."""
    return KINDS[depth // 8]


def check_image(image: NDArray[Any]) -> None:
    """Raise `DataError` for what is no image [H, W] or [H, W, 3] of uint8 or uint16 with pixels."""
    if image.dtype.name not in KINDS.values() or image.ndim not in (2, 3) or image.size == 0:
        raise DataError(
            f"only images of uint8 or uint16 with pixels can be compressed, not {image.dtype}{image.shape}"
        )
    if image.ndim == 3 and image.shape[2] != 3:
        raise DataError(f"only images of 1 or 3 channels can be compressed, not of {image.shape[2]}: store each alone")


def split(image: NDArray[Any]) -> Levels:
    """The planes [P, H, W] of an image that `check_image` has seen.

    Of red, green and blue remain green, red - green and blue - green, these modulo 2^bits and with 0 in the middle. A
    channel of 16 bits is a plane of its higher bytes and then one of its lower.
    """
    channels = [image]
    if image.ndim == 3:
        red, green, blue = np.moveaxis(image, 2, 0)
        middle = _middle(image.dtype)
        channels = [green, red - green + middle, blue - green + middle]
    if image.dtype == np.uint8:
        return np.stack(channels)
    return np.stack([plane for channel in channels for plane in (channel >> 8, channel & 255)]).astype(np.uint8)


def merge(planes: Levels, channels: int) -> NDArray[Any]:
    """The inverse of `split`."""
    kind = np.dtype(KINDS[len(planes) // channels])
    parts = planes if kind == np.uint8 else planes[::2].astype(kind) << 8 | planes[1::2]
    if channels == 1:
        return parts[0]
    green, red, blue = parts
    middle = _middle(kind)
    return np.stack([red + green - middle, green, blue + green - middle], axis=2)


def _middle(kind: np.dtype[Any]) -> Any:
    return kind.type(1 << (8 * kind.itemsize - 1))
