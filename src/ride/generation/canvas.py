"""The part of an image that matters for a hole in it, continued where the hole is too near to the border."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEAREST_AT_ONCE = 10_000_000
"""Distances held in memory."""


@dataclass(frozen=True)
class Canvas:
    """A part of an image [H, W, M], its hole, and which of its pixels are the image's own.

    The others continue the image beyond its border like a mirror, or lie between parts of it. They are context: never
    drawn, and their own likelihood does not count.

    Args:
        image: the pixels.
        hole: which of them are missing.
        own: which of them are the image's.
        place: the flat index in the image of each of its pixels.
        continued: whether the image had to be continued.
    """

    image: Float[Tensor, "H W M"]
    hole: Bool[Tensor, "H W"]
    own: Bool[Tensor, "H W"]
    place: Int[Tensor, "H W"]
    continued: bool

    def flipped(self, axes: tuple[int, ...]) -> "Canvas":
        """The mirror image along some of the axes 0 and 1."""
        if not axes:
            return self
        image, hole, own, place = (part.flip(axes) for part in (self.image, self.hole, self.own, self.place))
        return Canvas(image, hole, own, place, self.continued)

    @cached_property
    def order(self) -> Int[Tensor, " P"]:
        """The missing pixels of the canvas, row by row, in the order that they have in the image."""
        return self.place[self.hole].argsort()

    def missing(self, images: Float[Tensor, "K H W M"]) -> Float[Tensor, "K P M"]:
        """The missing pixels of images like this one, in the order of those of the image."""
        return images[:, self.hole][:, self.order]


def canvas_of(image: Float[Tensor, "H W M"], hole: Bool[Tensor, "H W"], margin: int, reach: int | None) -> Canvas:
    """Cut an image off `reach` pixels around its hole (nowhere if None) and leave at least `margin` pixels there.

    Where the image ends sooner, it is continued by its mirror image; missing pixels are there replaced by the
    nearest that are not. `hole` may be a part of all pixels that are missing in `image` if the others are farther off.
    """
    bounds = []
    for axis in (0, 1):
        lines = hole.any(1 - axis).nonzero()
        first, last, size = int(lines.min()), int(lines.max()) + 1, hole.shape[axis]
        cut = (0, size) if reach is None else (max(0, first - reach), min(size, last + reach))
        bounds.append((min(cut[0], first - margin), max(cut[1], last + margin)))
    # Numpy's padding reflects again and again where the margin is larger than the image.
    places = [_mirrored(start, end, size) for (start, end), size in zip(bounds, hole.shape, strict=True)]
    rows, columns = (torch.from_numpy(place).to(hole.device) for place, _ in places)
    own_rows, own_columns = (torch.from_numpy(own).to(hole.device) for _, own in places)
    own = own_rows[:, None] & own_columns
    cut_hole = hole[rows][:, columns] & own
    inside = bool(own.all())
    source = image if inside else nearest_filled(image, hole)
    pixels = torch.where(own[..., None], image[rows][:, columns], source[rows][:, columns])
    return Canvas(pixels, cut_hole, own, rows[:, None] * hole.shape[1] + columns, not inside)


def _mirrored(start: int, end: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of the lines 0 to size - 1 stand at start to end - 1, and which of these lie between them."""
    before, after = max(0, -start), max(0, end - size)
    lines = np.arange(max(0, start), min(size, end))
    # Lines beyond the near ones may be needed for the reflection.
    whole = np.pad(np.arange(size), (before, after), mode="reflect") if size > 1 else np.zeros(end - start, int)
    inside = np.zeros(end - start, bool)
    inside[before : before + len(lines)] = True
    return (whole[start + before : end + before] if size > 1 else whole), inside


def nearest_filled(image: Float[Tensor, "H W M"], hole: Bool[Tensor, "H W"]) -> Float[Tensor, "H W M"]:
    """The image with each missing pixel replaced by the nearest one that is not."""
    missing, known = hole.nonzero(), _edge(hole).nonzero()
    filled = image.clone()
    for part in missing.split(max(1, NEAREST_AT_ONCE // len(known))):
        nearest = known[torch.cdist(part.float(), known.float()).argmin(1)]
        filled[part[:, 0], part[:, 1]] = image[nearest[:, 0], nearest[:, 1]]
    return filled


def _edge(hole: Tensor) -> Tensor:
    """The known pixels beside missing ones, of which one is the nearest to any missing pixel."""
    near = torch.nn.functional.max_pool2d(hole[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0
    return near & ~hole
