"""Equation (6) between its matrix products, one diagonal at a time, in compiled loops that touch each number once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ride.models.slstm.activations import Activations, State, Tape, slabs
from ride.models.slstm.diagonals import Diagonals, Slab
from ride.models.slstm.reference import Form
from ride.models.slstm.workspace import Workspace
from ride.native import available, kernel

# As in native/slstm.h.
FORWARD, GATHER, BACKWARD = "ppppppr" + "n" * 5, "pppp" + "n" * 6, "p" * 11 + "r" + "n" * 10


def usable(tensor: Tensor) -> bool:
    """Whether there are kernels for a tensor of this type on this device."""
    return tensor.device.type == "cpu" and available(tensor.dtype)


def cell(gates: Tensor, c_left: Tensor, c_up: Tensor, h: Tensor, c: Tensor, largest: float) -> None:
    """Equation (6) for single cells: pre-activations [P, 5N] become gates, and h and c [P, N] are written."""
    cells, n = h.shape
    arrays = (part.data_ptr() for part in (gates, c_left, c_up))
    forward = kernel("slstm_forward", FORWARD, h.dtype)
    forward(*arrays, None, c.data_ptr(), h.data_ptr(), largest, 1, cells, n, 1, 0)


def _inside(slab: Slab) -> tuple[int, int]:
    """How many rows have a left neighbor, and how many have no upper one."""
    return slab.left[0].stop, slab.up[0].start


def _neighbors(units: Sequence[Tensor], t: int, slab: Slab) -> tuple[int, int]:
    """Addresses of the units of the left neighbors and of the upper neighbors of diagonal t."""
    before = units[max(0, t - 1)]
    up = before.data_ptr()
    return up + slab.left[1].start * before.stride(0) * before.element_size(), up


class NativeSteps:
    """`Steps` in compiled loops."""

    def __init__(self, tape: Tape, grid: Diagonals, form: Form, state: State | None) -> None:
        self.tape, self.grid, self.largest = tape, grid, form.largest
        self.batch, self.n = tape.h[0].shape[1:]
        self.stride = tape.recurrent[0].stride(1)
        self.units = (tape.h, tape.c) if form.extended else (tape.h,)
        self.state = None if state is None else tuple(part.contiguous() for part in state)
        self._gather = kernel("slstm_gather", GATHER, tape.h[0].dtype)
        self._forward = kernel("slstm_forward", FORWARD, tape.h[0].dtype)

    def _above(self, number: int, t: int) -> int | None:
        """Address of the units above the first row of diagonal t; None where they are 0."""
        if self.state is None or not self.grid.slabs[t].first_row:
            return None
        return self.state[number][t].data_ptr()

    def gather(self, t: int) -> None:
        """See `Steps`."""
        slab, inputs = self.grid.slabs[t], self.tape.recurrent[t]
        for number, units in enumerate(self.units):
            to = inputs.data_ptr() + 2 * number * self.n * inputs.element_size()
            sizes = (slab.rows, self.batch, self.n, self.stride, *_inside(slab))
            self._gather(to, *_neighbors(units, t, slab), self._above(number, t), *sizes)

    def activate(self, t: int) -> None:
        """See `Steps`."""
        tape, slab = self.tape, self.grid.slabs[t]
        self._forward(
            tape.gates[t].data_ptr(),
            *_neighbors(tape.c, t, slab),
            self._above(1, t),
            tape.c[t].data_ptr(),
            tape.h[t].data_ptr(),
            self.largest,
            slab.rows,
            self.batch,
            self.n,
            *_inside(slab),
        )


class NativeGradientSteps:
    """`GradientSteps` in compiled loops."""

    def __init__(self, acts: Activations, grad_h: Tensor, grid: Diagonals, form: Form, space: Workspace) -> None:
        assert acts.recurrent is not None
        self.grid, self.space, self.dtype, self.largest = grid, space, grad_h.dtype, form.largest
        self.batch, self.n = acts.h.shape[1:]
        self.stride = acts.recurrent.shape[-1]
        parts = (acts.gates, acts.c, acts.h, grad_h.contiguous())
        self.gates, self.c, self.h, self.grad_h = (slabs(part, grid) for part in parts)
        cells = max(slab.rows for slab in grid.slabs) * self.batch
        self.rooms = space.take("rooms", (cells, self.stride + 4 * self.n), grad_h)
        rooms = self.rooms.view(-1).split([cells * self.stride, cells * 2 * self.n, cells * 2 * self.n])
        self._d_recurrent, self._d_memory = rooms[0].view(cells, self.stride), rooms[1:]
        self._room = grad_h.new_empty(7 * self.n)
        self._d_bias = torch.zeros(5 * self.n, dtype=torch.float64)
        self._backward = kernel("slstm_backward", BACKWARD, self.dtype)

    def d_recurrent(self, t: int) -> Tensor:
        """See `GradientSteps`."""
        return self._d_recurrent[: self.grid.slabs[t].rows * self.batch]

    def differentiate(self, t: int) -> None:
        """See `GradientSteps`."""
        slab, others = self.grid.slabs[t], self.grid.slabs[t + 1 : t + 2]
        self._backward(
            self.gates[t].data_ptr(),
            self.c[t].data_ptr(),
            *_neighbors(self.c, t, slab),
            self.h[t].data_ptr(),
            self.grad_h[t].data_ptr(),
            self._d_recurrent.data_ptr(),
            self._d_memory[(t + 1) % 2].data_ptr(),
            self._d_memory[t % 2].data_ptr(),
            self._room.data_ptr(),
            self._d_bias.data_ptr(),
            self.largest,
            slab.rows,
            self.batch,
            self.n,
            self.stride,
            *_inside(slab),
            *next(((after.rows, after.left[1].start, *_inside(after)) for after in others), (0, 0, 0, 0)),
        )

    def d_bias(self) -> Tensor:
        """See `GradientSteps`."""
        return self._d_bias.to(self.dtype)

    def release(self) -> None:
        """See `GradientSteps`."""
        self.space.give("rooms", self.rooms)
