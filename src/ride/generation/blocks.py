"""The overlapping blocks of a hole, the window around each, and which of them can be updated at once.

A block is updated from what lies in its window, and only its own pixels change. So blocks whose windows do not contain
each other's pixels do not interact: updating them together is updating them one after another.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ride.models.neighborhood import Neighborhood

BLOCK, STRIDE = 5, 3
"""Pixels a side of a block, and from one block to the next."""
MARGIN = 7
"""Pixels of a window on each side of its block: 19 x 19 in all (section 3.4)."""
OVERHANG = BLOCK - 1
"""Pixels of the last block that may lie beyond the hole."""


def margin_of(neighborhood: Neighborhood) -> int:
    """Pixels of a window on each side: all pixels whose neighborhood has pixels of the block are predicted there."""
    return max(MARGIN, 2 * neighborhood.radius)


@dataclass(frozen=True)
class Blocks:
    """The blocks of a hole in an image of `width` columns, class by class.

    Args:
        corners: flat index of the first pixel of each window.
        updated: the pixels of each window that are missing and in its block.
        counted: the predicted pixels of each window that are the image's own.
        classes: how many blocks each class has; the blocks of a class can be updated at once.
        margin: pixels of a window on each side of its block.
        width: columns of the image.
    """

    corners: Int[Tensor, " n"]
    updated: Bool[Tensor, "n side side"]
    counted: Bool[Tensor, "n rows columns"]
    classes: list[int]
    margin: int
    width: int

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self.corners)

    @property
    def side(self) -> int:
        """Rows and columns of a window."""
        return BLOCK + 2 * self.margin

    def windows(self, images: Float[Tensor, "K H W M"], chosen: slice) -> Float[Tensor, "K n side side M"]:
        """The windows of some blocks in each image."""
        return images.flatten(1, 2)[:, self._places(chosen, 0)]

    def put(self, images: Float[Tensor, "K H W M"], chosen: slice, windows: Float[Tensor, "K n side side M"]) -> None:
        """Write the blocks of some windows back into the images, in place; blocks of one class only."""
        inner = slice(self.margin, self.margin + BLOCK)
        images.flatten(1, 2)[:, self._places(chosen, self.margin)] = windows[:, :, inner, inner]

    def _places(self, chosen: slice, edge: int) -> Int[Tensor, "n s s"]:
        """Flat index of the pixels of windows, without `edge` pixels on each side."""
        line = torch.arange(edge, self.side - edge, device=self.corners.device)
        return self.corners[chosen, None, None] + line[:, None] * self.width + line


def blocks_of(hole: Bool[Tensor, "H W"], own: Bool[Tensor, "H W"], neighborhood: Neighborhood) -> Blocks:
    """The blocks that have missing pixels; every missing pixel is in one, most are in several.

    The image needs `margin_of(neighborhood) + OVERHANG` pixels on each side of the hole.
    """
    margin, radius = margin_of(neighborhood), neighborhood.radius
    # A window reaches margin + BLOCK - 1 pixels from a pixel of its block.
    period = (margin + BLOCK - 1) // STRIDE + 1
    starts = []
    for axis in (0, 1):
        lines = hole.any(1 - axis).nonzero()
        first, extent = int(lines.min()), int(lines.max() - lines.min()) + 1
        count = math.ceil(max(0, extent - BLOCK) / STRIDE) + 1
        starts.append([first + STRIDE * k for k in range(count)])
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, top in enumerate(starts[0]):
        for j, left in enumerate(starts[1]):
            if hole[top : top + BLOCK, left : left + BLOCK].any():
                groups.setdefault((i % period, j % period), []).append((top - margin, left - margin))
    side = BLOCK + 2 * margin
    inner = torch.zeros(side, side, dtype=torch.bool)
    inner[margin : margin + BLOCK, margin : margin + BLOCK] = True
    updated, counted, corners = [], [], []
    for top, left in (corner for _, group in sorted(groups.items()) for corner in group):
        part = (slice(top, top + side), slice(left, left + side))
        updated.append(hole[part].cpu() & inner)
        counted.append(own[part].cpu()[radius:, radius : side - radius])
        corners.append(top * hole.shape[1] + left)
    device = hole.device
    return Blocks(
        torch.tensor(corners, device=device),
        torch.stack(updated).to(device),
        torch.stack(counted).to(device),
        [len(group) for _, group in sorted(groups.items())],
        margin,
        hole.shape[1],
    )
