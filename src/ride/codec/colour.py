"""The planes of colour images, each with those before it, as what models of one plane given others are trained on."""

from collections.abc import Sequence

import numpy as np

from ride.codec.planes import Layout, split
from ride.data import Picture
from ride.data.lazy import LazyPictures
from ride.errors import ConfigError, DataError

COLOUR = Layout(3, 8)


class ColourPlanes(LazyPictures):
    """Of each picture in colour the plane number `given` of `split`, then those before it: [H, W, 1 + given].

    Raises:
        ConfigError: there is no such plane: 1 is red - green, 2 is blue - green.
    """

    def __init__(self, pictures: Sequence[Picture], given: int) -> None:
        if not 1 <= given < COLOUR.planes:
            raise ConfigError(f"of images in colour 1 or 2 planes are given to another, not {given}")
        self._pictures, self.given = pictures, given

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._pictures)

    def _picture(self, index: int) -> Picture:
        picture = self._pictures[index]
        if picture.levels != 256 or picture.channels != 3:
            raise DataError(f"{picture.name} is no image of red, green and blue in 8 bits, of which planes are made")
        planes = split(picture.pixels, COLOUR)
        chosen = [self.given, *range(self.given)]
        return Picture(picture.name, np.ascontiguousarray(np.moveaxis(planes[chosen], 0, 2)), picture.levels)
