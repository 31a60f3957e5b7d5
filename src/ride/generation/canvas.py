"""The part of an image that matters for a hole in it, continued where the hole is too near to the border."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

NEAREST_AT_ONCE = 10_000_000
"""Distances held in memory."""


@dataclass(frozen=True)
class Canvas:
    """A part of an image [H, W, M], its hole, and which of its pixels are the image's own.

    The others continue the image beyond its border like a mirror. They are context: never drawn, and their own
    likelihood does not count.
    """

    image: Float[Tensor, "H W M"]
    hole: Bool[Tensor, "H W"]
    own: Bool[Tensor, "H W"]

    def flipped(self, axes: tuple[int, ...]) -> "Canvas":
        """The mirror image along some of the axes 0 and 1."""
        return Canvas(self.image.flip(axes), self.hole.flip(axes), self.own.flip(axes)) if axes else self

    @property
    def continued(self) -> bool:
        """Whether the image had to be continued."""
        return not bool(self.own.all())


def canvas_of(image: Float[Tensor, "H W M"], hole: Bool[Tensor, "H W"], margin: int, reach: int | None) -> Canvas:
    """Cut an image off `reach` pixels around its hole (nowhere if None) and leave at least `margin` pixels there.

    Where the image ends sooner, it is continued by its mirror image; missing pixels are there replaced by the
    nearest that are not.
    """
    bounds = []
    for axis in (0, 1):
        lines = hole.any(1 - axis).nonzero()
        first, last, size = int(lines.min()), int(lines.max()) + 1, hole.shape[axis]
        cut = (0, size) if reach is None else (max(0, first - reach), min(size, last + reach))
        bounds.append((min(cut[0], first - margin), max(cut[1], last + margin)))
    # Numpy's padding reflects again and again where the margin is larger than the image.
    places = [_mirrored(start, end, size) for (start, end), size in zip(bounds, hole.shape, strict=True)]
    rows, columns = (torch.from_numpy(place) for place, _ in places)
    own = torch.from_numpy(places[0][1])[:, None] & torch.from_numpy(places[1][1])
    cut_hole = hole[rows][:, columns] & own
    source = image if bool(own.all()) else nearest_filled(image, hole)
    return Canvas(torch.where(own[..., None], image[rows][:, columns], source[rows][:, columns]), cut_hole, own)


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
