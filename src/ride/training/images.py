"""Images as a person has them, arrays or tensors, as the pictures that training works on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ride.data import LazyPictures, Picture
from ride.errors import DataError

Images = Sequence[Picture] | Sequence[np.ndarray] | Sequence[Tensor] | np.ndarray | Tensor
"""Pictures, arrays [H, W] or [H, W, M] of any sizes, or one array [B, H, W] or [B, H, W, M]."""

LEVELS = {np.dtype(np.uint8): 256, np.dtype(np.uint16): 65536}


class Mapped(LazyPictures):
    """The images of an array that is mapped from a file, read when they are asked for."""

    def __init__(self, images: np.memmap, name: str) -> None:
        self._images, self._name = images, name

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._images)

    def _picture(self, index: int) -> Picture:
        return _picture(f"{self._name} {index}", self._images[index])


def as_pictures(images: Any, name: str = "image") -> Sequence[Picture]:
    """The images, see `Images`, as pictures; those without a name become `name` 0, 1 and so on.

    Pixels of uint8 or uint16 are dequantised in training, floats from 0 to 1 are taken to be continuous. What need
    not be in memory, pictures of files and an array mapped by `np.load(path, mmap_mode="r")`, is not read here.

    Raises:
        DataError: something else was given, or pixels that are not finite or outside [0, 1].
    """
    if isinstance(images, (str, bytes, Picture)) or not hasattr(images, "__len__"):
        raise DataError(
            f"images are a list of pictures or an array [B, H, W], not {_described(images)}: "
            "for files give ride.open_pictures(path)"
        )
    if isinstance(images, (np.ndarray, Tensor)) and images.ndim not in (3, 4):
        raise DataError(
            f"an array of images is [B, H, W] or [B, H, W, channels], not of shape {list(images.shape)}: "
            "give images[None] for a single one"
        )
    if isinstance(images, LazyPictures):
        return images
    if isinstance(images, np.memmap):
        return Mapped(images, name)
    # By number, which every sequence knows, and in order.
    return [_picture(f"{name} {index}", images[index]) for index in range(len(images))]


def _picture(name: str, image: Any) -> Picture:
    if isinstance(image, Picture):
        return image
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        # numpy has no bfloat16.
        image = (image.float() if image.is_floating_point() else image).numpy()
    if not isinstance(image, np.ndarray):
        raise DataError(f"{name} is neither a picture nor an array but {_described(image)}")
    if np.issubdtype(image.dtype, np.floating):
        return Picture(name, image.astype(np.float32), None)
    if image.dtype not in LEVELS:
        raise DataError(f"{name} has {image.dtype} pixels: give uint8, uint16 or floats from 0 to 1")
    return Picture(name, image, LEVELS[image.dtype])


def _described(thing: Any) -> str:
    return repr(thing) if isinstance(thing, (str, bytes)) else f"of type {type(thing).__name__}"
