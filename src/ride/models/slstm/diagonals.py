"""The anti-diagonals of a grid: what may be computed at once when the image is given."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor


class Slab(NamedTuple):
    """Cells i + j = t of the grid, and where their predecessors lie in the slab before.

    `left` and `up` are pairs (rows of this slab, rows of the slab before), row counting from the top of the slab.
    """

    start: int
    stop: int
    left: tuple[slice, slice]
    up: tuple[slice, slice]
    first_row: bool
    first_column: bool

    @property
    def rows(self) -> int:
        """How many cells there are, in as many rows of the grid."""
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Diagonals:
    """Order of the cells of a [H, W] grid by t = i + j, top to bottom within a diagonal.

    The indices lie on the CPU; `on` lends them elsewhere, copied once: a copy a call would stop a GPU every time.
    """

    slabs: tuple[Slab, ...]
    order: Int64[Tensor, " P"]
    inverse: Int64[Tensor, " P"]
    last_row: Int64[Tensor, " W"]

    def on(self, device: torch.device) -> "Indices":
        """The indices on a device."""
        return _on(self, device)


class Indices(NamedTuple):
    """The indices of `Diagonals` on some device."""

    order: Int64[Tensor, " P"]
    inverse: Int64[Tensor, " P"]
    last_row: Int64[Tensor, " W"]


@lru_cache(maxsize=64)
def _on(grid: Diagonals, device: torch.device) -> Indices:
    return Indices(*(index.to(device) for index in (grid.order, grid.inverse, grid.last_row)))


@lru_cache(maxsize=64)
def diagonals(height: int, width: int) -> Diagonals:
    """Return the H + W - 1 slabs of a grid and the permutations to and from raster order."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    order = torch.argsort(((row + column) * height + row).flatten())
    inverse = torch.argsort(order)
    slabs = []
    start = 0
    for t in range(height + width - 1):
        top, bottom = max(0, t - width + 1), min(t, height - 1)
        top_before = max(0, t - width)
        count = bottom - top + 1
        lefts = min(bottom, t - 1) - top + 1
        skip = 1 if top == 0 else 0
        slabs.append(
            Slab(
                start,
                start + count,
                (slice(0, lefts), slice(top - top_before, top - top_before + lefts)),
                (slice(skip, count), slice(0, count - skip)),
                first_row=top == 0,
                first_column=bottom == t,
            )
        )
        start += count
    return Diagonals(tuple(slabs), order, inverse, inverse[-width:].clone())
