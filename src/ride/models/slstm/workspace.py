"""Large buffers used again from call to call: fresh memory costs more to touch than the arithmetic on it."""

import math

import torch
from torch import Tensor


class Workspace:
    """Flat buffers by name, lent by `take` and given back by `give`, to several threads at once.

    A buffer that is not given back (a graph dropped without its backward pass) is simply replaced by a new one. Copies
    and pickles of a workspace are empty.
    """

    def __init__(self) -> None:
        self._free: dict[str, list[Tensor]] = {}

    def __reduce__(self) -> tuple[type["Workspace"], tuple[()]]:
        return Workspace, ()

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """An uninitialised tensor of this shape, of the type and device of `like`."""
        size = math.prod(shape)
        try:
            flat = self._free[name].pop()
        except (KeyError, IndexError):
            flat = like.new_empty(0)
        # Memory of the inference mode cannot be written outside of it.
        foreign = flat.is_inference() and not torch.is_inference_mode_enabled()
        if foreign or flat.numel() < size or flat.dtype != like.dtype or flat.device != like.device:
            flat = torch.empty(size, dtype=like.dtype, device=like.device)
        return flat[:size].view(shape)

    def give(self, name: str, tensor: Tensor) -> None:
        """Return a tensor that `take` lent and nobody reads any more."""
        flat = tensor.view(-1)
        base = flat._base if flat._base is not None else flat
        self._free.setdefault(name, []).append(base)
