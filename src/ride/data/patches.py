"""Random patches of pictures: the data of densities of patches (section 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ride.data.dequantize import dequantize
from ride.data.picture import Picture
from ride.data.seeds import seeded
from ride.errors import ConfigError, DataError
from ride.models.patches import without_dc


@dataclass(frozen=True)
class PatchSet:
    """Patches, and the picture that each comes from: patches of one picture are alike.

    `values` are patches [P, S, S] in units of the full range, or [P, D] where something was done to them; `image` [P]
    numbers the pictures from 0.

    Raises:
        DataError: there are not as many numbers of pictures as patches.
    """

    values: Float[Tensor, "P ..."]
    image: Int64[Tensor, " P"]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.image):
            raise DataError(f"{len(self.values)} patches do not go with the pictures of {len(self.image)}")

    def __len__(self) -> int:
        """How many patches there are."""
        return len(self.image)

    def flat(self) -> "PatchSet":
        """The same patches as rows of numbers [P, D]."""
        return PatchSet(self.values.flatten(1), self.image)

    def without_dc(self) -> "PatchSet":
        """Patches [P, S² - 1] without their mean and their bottom-right pixel, see `without_dc`."""
        return PatchSet(without_dc(self.values), self.image)

    def means(self) -> Float[Tensor, " P"]:
        """The mean of each patch, which `without_dc` takes away."""
        return self.values.flatten(1).mean(1)


def draw_patches(
    pictures: Sequence[Picture], count: int, side: int, seed: int = 0, purpose: str = "patches"
) -> PatchSet:
    """Patches from random places, as many from each picture as from the others (or one more), in random order.

    A picture is dequantised once, and its patches are cut from that. All of it is a pure function of the seed and the
    purpose; overlaps are left to chance.

    Args:
        pictures: gray ones, which may differ in size.
        count: patches in all.
        side: of the square patches in pixels.
        seed: of the noise, the places and the order.
        purpose: keeps sets of one seed apart.

    Raises:
        ConfigError: `count` or `side` is not positive.
        DataError: there are no pictures, or one has colors or is smaller than a patch: it is named.
    """
    for name, number in (("count", count), ("side", side)):
        if number < 1:
            raise ConfigError(f"{name} must be at least 1, not {number}")
    if not len(pictures):
        raise DataError("there are no pictures to draw patches from")
    values, image = torch.empty(count, side, side), torch.empty(count, dtype=torch.int64)
    order = torch.randperm(count, generator=seeded(seed, purpose))
    for index in range(len(pictures)):
        # The first pictures give one more where the patches cannot be shared out evenly.
        rows = order[index :: len(pictures)]
        values[rows] = _cut(pictures[index], len(rows), side, seeded(seed, purpose, index))
        image[rows] = index
    return PatchSet(values, image)


def _cut(picture: Picture, count: int, side: int, generator: torch.Generator) -> Float[Tensor, "P S S"]:
    if picture.channels != 1:
        raise DataError(f"{picture.name} has {picture.channels} channels: patches are drawn from gray pictures")
    height, width = picture.pixels.shape[:2]
    if min(height, width) < side:
        raise DataError(
            f"{picture.name} is {height} x {width} pixels, smaller than the patches of {side} x {side}; "
            "leave it out or use smaller patches"
        )
    pixels = dequantize(picture, generator).view(height, width)
    row = torch.randint(height - side + 1, (count,), generator=generator)
    column = torch.randint(width - side + 1, (count,), generator=generator)
    return pixels.unfold(0, side, 1).unfold(1, side, 1)[row, column]
