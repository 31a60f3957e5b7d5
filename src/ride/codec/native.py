"""The steps of an integer model between its matrix products, in compiled loops: to the bit what `states` does."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ride.native import available, kernel

# As in native/codec.h.
GATHER, CELLS, WEIGHTS, INTERVALS = "ppppnnn", "p" * 8 + "r" * 5 + "nnn", "pppnnn", "p" * 13 + "r" + "n" * 6


def usable() -> bool:
    """Whether the kernels were built and are not switched off."""
    return available(torch.float64)


def gather(*arguments: Any) -> None:
    """Lay hidden units side by side."""
    _call("codec_gather", GATHER, arguments)


def cells(*arguments: Any) -> None:
    """From the sums of a layer to its memory and hidden units."""
    _call("codec_cells", CELLS, arguments)


def weights(*arguments: Any) -> None:
    """From logits to weights and their sums."""
    _call("codec_weights", WEIGHTS, arguments)


def intervals(*arguments: Any) -> None:
    """The intervals of symbols, or of those that hold points."""
    _call("codec_intervals", INTERVALS, arguments)


def _call(name: str, kinds: str, arguments: tuple[Any, ...]) -> None:
    kernel(name, kinds, torch.float64)(*(_address(one) if isinstance(one, np.ndarray) else one for one in arguments))


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
