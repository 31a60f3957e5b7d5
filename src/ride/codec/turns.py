"""The 8 flips and transposes under which a tile may be coded, in the order of `ride.models.ensemble`."""

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
TURNS = 8
ROWS, COLUMNS, TRANSPOSED = 1, 2, 4
"""Bits of a turn: the order of the rows is reversed, and that of the columns, after rows and columns change places."""


def turned(tile: Levels, turn: int) -> Levels:
    """The tile as it is coded."""
    if turn & TRANSPOSED:
        tile = tile.T
    return np.ascontiguousarray(_flipped(tile, turn))


def turned_back(tile: Levels, turn: int) -> Levels:
    """The inverse of `turned`."""
    tile = _flipped(tile, turn)
    return np.ascontiguousarray(tile.T if turn & TRANSPOSED else tile)


def turned_size(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """Rows and columns of the tile as it is coded."""
    return (size[1], size[0]) if turn & TRANSPOSED else size


def _flipped(tile: Levels, turn: int) -> Levels:
    return tile[:: -1 if turn & ROWS else 1, :: -1 if turn & COLUMNS else 1]
