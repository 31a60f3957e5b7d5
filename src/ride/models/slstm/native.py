"""Equation (6) between its matrix products, one diagonal at a time, in compiled loops that touch each number once."""

import torch
from torch import Tensor

from ride.models.slstm.activations import Activations, State
from ride.models.slstm.diagonals import Diagonals, Slab
from ride.models.slstm.reference import LARGEST_MEMORY
from ride.models.slstm.workspace import Workspace
from ride.native import available, kernel

# As in native/slstm.h.
FORWARD, GATHER, BACKWARD = "ppppppr" + "n" * 5, "pppp" + "n" * 6, "p" * 11 + "n" * 10


def usable(tensor: Tensor) -> bool:
    """Whether there are kernels for a tensor of this type on this device."""
    return tensor.device.type == "cpu" and available(tensor.dtype)


def cell(gates: Tensor, c_left: Tensor, c_up: Tensor, h: Tensor, c: Tensor) -> None:
    """Equation (6) for single cells: pre-activations [P, 5N] become gates, and h and c [P, N] are written."""
    cells, n = h.shape
    arrays = (part.data_ptr() for part in (gates, c_left, c_up))
    forward = kernel("slstm_forward", FORWARD, h.dtype)
    forward(*arrays, None, c.data_ptr(), h.data_ptr(), LARGEST_MEMORY, 1, cells, n, 1, 0)


class _Diagonal:
    """Where diagonals begin in arrays of cells, and how their rows neighbor those of the diagonal before."""

    def __init__(self, acts: Activations, grid: Diagonals) -> None:
        assert acts.recurrent is not None
        self.acts, self.grid, self.recurrent = acts, grid, acts.recurrent
        self.batch, self.n = acts.h.shape[1:]
        self.stride = acts.recurrent.shape[-1]
        self.dtype, self.size = acts.h.dtype, acts.h.element_size()

    def at(self, array: Tensor, t: int, row: int = 0) -> int:
        """Address of a row of diagonal t in an array [P, B, ...]."""
        return array.data_ptr() + (self.grid.slabs[t].start + row) * array.stride(0) * self.size

    def neighbors(self, array: Tensor, t: int) -> tuple[int, int]:
        """Addresses of the left neighbors and of the upper neighbors of diagonal t."""
        return self.at(array, max(0, t - 1), self.grid.slabs[t].left[1].start), self.at(array, max(0, t - 1))


def _rows(slab: Slab) -> int:
    return slab.stop - slab.start


def _inside(slab: Slab) -> tuple[int, int]:
    """How many rows have a left neighbor, and how many have no upper one."""
    return slab.left[0].stop, slab.up[0].start


class NativeSteps(_Diagonal):
    """`Steps` in compiled loops."""

    def __init__(self, acts: Activations, grid: Diagonals, extended: bool, state: State | None) -> None:
        super().__init__(acts, grid)
        self.units = (acts.h, acts.c) if extended else (acts.h,)
        self.state = None if state is None else tuple(part.contiguous() for part in state)
        self._gather = kernel("slstm_gather", GATHER, self.dtype)
        self._forward = kernel("slstm_forward", FORWARD, self.dtype)

    def _above(self, number: int, t: int) -> int | None:
        """Address of the units above the first row of diagonal t; None where they are 0."""
        if self.state is None or not self.grid.slabs[t].first_row:
            return None
        return self.state[number][t].data_ptr()

    def gather(self, t: int) -> None:
        """See `Steps`."""
        slab = self.grid.slabs[t]
        for number, units in enumerate(self.units):
            to = self.at(self.recurrent, t) + 2 * number * self.n * self.size
            sizes = (_rows(slab), self.batch, self.n, self.stride, *_inside(slab))
            self._gather(to, *self.neighbors(units, t), self._above(number, t), *sizes)

    def activate(self, t: int) -> None:
        """See `Steps`."""
        acts, slab = self.acts, self.grid.slabs[t]
        self._forward(
            self.at(acts.gates, t),
            *self.neighbors(acts.c, t),
            self._above(1, t),
            self.at(acts.c, t),
            self.at(acts.h, t),
            LARGEST_MEMORY,
            _rows(slab),
            self.batch,
            self.n,
            *_inside(slab),
        )


class NativeGradientSteps(_Diagonal):
    """`GradientSteps` in compiled loops."""

    def __init__(self, acts: Activations, grad_h: Tensor, grid: Diagonals, extended: bool, space: Workspace) -> None:
        super().__init__(acts, grid)
        self.grad_h, self.space = grad_h.contiguous(), space
        cells = max(_rows(slab) for slab in grid.slabs) * self.batch
        self.rooms = space.take("rooms", (cells, self.stride + 4 * self.n), grad_h)
        parts = self.rooms.view(-1).split([cells * self.stride, cells * 2 * self.n, cells * 2 * self.n])
        self._d_recurrent, self._d_memory = parts[0].view(cells, self.stride), parts[1:]
        self._room = grad_h.new_empty(7 * self.n)
        self._d_bias = torch.zeros(5 * self.n, dtype=torch.float64)
        self._backward = kernel("slstm_backward", BACKWARD, self.dtype)

    def d_recurrent(self, t: int) -> Tensor:
        """See `GradientSteps`."""
        return self._d_recurrent[: _rows(self.grid.slabs[t]) * self.batch]

    def differentiate(self, t: int) -> None:
        """See `GradientSteps`."""
        acts, slabs = self.acts, self.grid.slabs
        after = slabs[t + 1] if t + 1 < len(slabs) else None
        self._backward(
            self.at(acts.gates, t),
            self.at(acts.c, t),
            *self.neighbors(acts.c, t),
            self.at(acts.h, t),
            self.at(self.grad_h, t),
            self._d_recurrent.data_ptr(),
            self._d_memory[(t + 1) % 2].data_ptr(),
            self._d_memory[t % 2].data_ptr(),
            self._room.data_ptr(),
            self._d_bias.data_ptr(),
            _rows(slabs[t]),
            self.batch,
            self.n,
            self.stride,
            *_inside(slabs[t]),
            *((_rows(after), after.left[1].start, *_inside(after)) if after else (0, 0, 0, 0)),
        )

    def d_bias(self) -> Tensor:
        """See `GradientSteps`."""
        return self._d_bias.to(self.dtype)

    def release(self) -> None:
        """See `GradientSteps`."""
        self.space.give("rooms", self.rooms)
