"""What the forward pass of the wavefront leaves behind for its gradient."""

from dataclasses import dataclass

from torch import Tensor

from ride.models.slstm.diagonals import Diagonals
from ride.models.slstm.workspace import Workspace

State = tuple[Tensor, Tensor]
"""Hidden and memory units [W, B, N] of the row above a grid."""


@dataclass(frozen=True)
class Activations:
    """Gates [P, B, 5N], recurrent inputs [P, B, 2N] (extended: 4N), c and h [P, B, N], in diagonal order.

    The recurrent inputs are needed for a gradient only, and None from a pass that leaves none.
    """

    gates: Tensor
    recurrent: Tensor | None
    c: Tensor
    h: Tensor

    def release(self, space: Workspace) -> None:
        """Give back everything but h, which belongs to the caller."""
        space.give("gates", self.gates)
        if self.recurrent is not None:
            space.give("recurrent", self.recurrent)
        space.give("c", self.c)


@dataclass(frozen=True)
class Tape:
    """For each diagonal its gates [rows, B, 5N], recurrent inputs [rows, B, 2N or 4N], c and h [rows, B, N].

    Diagonals may lie in the same memory where that is read no more; c and h of the one before always are.
    """

    gates: tuple[Tensor, ...]
    recurrent: tuple[Tensor, ...]
    c: tuple[Tensor, ...]
    h: tuple[Tensor, ...]


def slabs(tensor: Tensor, grid: Diagonals, rows: int = 1) -> tuple[Tensor, ...]:
    """Views of the diagonals, `rows` rows of the tensor a cell, made in one call: slicing each takes longer."""
    return tensor.split_with_sizes([rows * slab.rows for slab in grid.slabs])
