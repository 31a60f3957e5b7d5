"""What integers cost: the code of an integer model beside the code length of the model it was made from."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ride.codec.container import DEFAULT_SIDE, boxes
from ride.codec.integer import IntegerModel
from ride.codec.modelled import Plan, encode_tiles
from ride.codec.sheet import Shape, Sheet
from ride.codec.tiles import ALL_LEVELS
from ride.data import Picture
from ride.errors import DataError
from ride.models.ride import RIDE
from ride.progress import Progress

Levels = NDArray[np.uint8]
ROWS = 32
"""Rows of a tile whose mixtures are held at once."""


@dataclass(frozen=True)
class Loss:
    """Bits per pixel of some images: `code` of the streams, `length` that the probabilities of the RIDE imply."""

    code: float
    length: float
    pixels: int
    images: int

    def __str__(self) -> str:
        return (
            f"a code of {self.code:.4f} bit/px where the model implies {self.length:.4f}: a loss of"
            f" {self.code - self.length:.4f} bit/px on {self.pixels:,} pixels of {self.images} images"
        )


def measure(
    model: RIDE, integers: IntegerModel, pictures: Sequence[Picture], progress: Progress | None = None
) -> Loss:
    """Encode pictures [H, W] of uint8 with integers, and add up what the model says of the same pixels.

    A model of a plane given others has pictures [H, W, 1 + given] (`ride.codec.colour`).

    Both see tiles continued alike, and the neighbors of a pixel as (x + 1/2) / 256. The streams are without headers.

    Raises:
        DataError: there are no pictures, or one has another type.
    """
    exact = deepcopy(model).double()
    code, length, pixels = 0, 0.0, 0
    for done, picture in enumerate(pictures):
        if picture.levels != 256 or picture.channels != model.config.planes:
            raise DataError(
                f"{picture.name} is not an image of 8 bits with the planes that the model sees, to measure on"
            )
        planes = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None]
        for box in boxes(planes.shape[0], planes.shape[1], DEFAULT_SIDE):
            tile, *given = (np.ascontiguousarray(plane) for plane in np.moveaxis(planes[box], 2, 0))
            plan = Plan(Shape(tile.shape[0], tile.shape[1], int(tile[0, 0])), ALL_LEVELS, tuple(given))
            code += 8 * len(encode_tiles(integers, [tile], [plan])[0])
            length += code_length(exact, tile, given)
            pixels += tile.size
        if progress:
            progress(done + 1, len(pictures), picture.name)
    if not pixels:
        raise DataError("the loss of integers needs at least one image to be measured on")
    return Loss(code / pixels, length / pixels, pixels, len(pictures))


@torch.no_grad()
def code_length(model: RIDE, tile: Levels, given: Sequence[Levels] = ()) -> float:
    """Bits of a tile, given others: the integral of the mixture over each level, all below or above at the ends."""
    sheet = Sheet([Shape(tile.shape[0], tile.shape[1], int(tile[0, 0]))], model.neighborhood)
    sheet.fill(0, tile)
    sheet.give(0, given)
    like = model.whitening.mean_out
    first = sheet.lead - sheet.radius
    lines = np.stack([sheet.pixels, *sheet.given], axis=2)[first : sheet.lead + tile.shape[0]]
    inputs, _ = model.pairs(torch.from_numpy(lines / 2**15 + 0.5 + 1 / 512).to(like).unsqueeze(0))
    h = inputs
    for layer in model.stack:
        h = layer(h)
    levels = torch.from_numpy(tile.astype(np.int64)).to(like).unsqueeze(0)
    parts = zip(levels.split(ROWS, 1), inputs.split(ROWS, 1), h.split(ROWS, 1), strict=True)
    return sum(float(_bits(model, *part).sum()) for part in parts)


def _bits(
    model: RIDE, levels: Float[Tensor, "B H W"], inputs: Float[Tensor, "B H W D"], h: Float[Tensor, "B H W N"]
) -> Float[Tensor, "B H W"]:
    mixture = model.head(h)

    def below(edge: Tensor) -> Tensor:
        cdf: Tensor = mixture.cdf(model.whitening.whiten_outputs(inputs, edge.unsqueeze(-1) / 256))
        return cdf

    low = torch.where(levels == 0, 0.0, below(levels))
    high = torch.where(levels == 255, 1.0, below(levels + 1))
    # As far as an integer can fall.
    return -(high - low).clamp(min=2.0**-24).log2()
