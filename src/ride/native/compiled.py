"""The compiled library, if there is one, and its functions by name and precision."""

import ctypes
import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch

SWITCH = "RIDE_NATIVE"
"""Set this variable of the environment to 0 to do without the compiled kernels."""

_REALS = {torch.float32: ctypes.c_float, torch.float64: ctypes.c_double}
_TYPES = {"p": ctypes.c_void_p, "n": ctypes.c_long}


def available(dtype: torch.dtype) -> bool:
    """Whether there are kernels for numbers of this type: they were built, and are not switched off."""
    return dtype in _REALS and _library() is not None


@cache
def kernel(name: str, arguments: str, dtype: torch.dtype) -> Callable[..., None]:
    """The function `name` for numbers of a type for which there are kernels.

    `arguments` has a letter for each: `p` a pointer (`data_ptr()` or None), `n` a size, `r` a number of type `dtype`.
    """
    function = getattr(_library(), f"{name}_{str(dtype).removeprefix('torch.')}")
    function.restype = None
    function.argtypes = [_TYPES.get(letter, _REALS[dtype]) for letter in arguments]
    call: Callable[..., None] = function
    return call


@cache
def _library() -> ctypes.CDLL | None:
    found = None if os.environ.get(SWITCH) == "0" else find_spec("ride.native._kernels")
    if found is None or found.origin is None:
        return None
    try:
        return ctypes.CDLL(found.origin)
    except OSError:  # built for another machine
        return None
