"""Equation (6) between its matrix products, one diagonal at a time, in torch operations on any device."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ride.models.slstm.activations import Activations, State, Tape, slabs
from ride.models.slstm.diagonals import Diagonals, Slab
from ride.models.slstm.reference import LARGEST_MEMORY, Form
from ride.models.slstm.workspace import Workspace

UNBOUNDED_DIAGONALS = 96
"""From a state of zero, |c| < 2^(t + 1) on diagonal t: below `LARGEST_MEMORY` for this many diagonals."""


@runtime_checkable
class Steps(Protocol):
    """The forward pass between its products."""

    def gather(self, t: int) -> None:
        """Lay the neighbors' units beside each other in the recurrent inputs of diagonal t."""

    def activate(self, t: int) -> None:
        """Turn the pre-activations of diagonal t into gates, and write its c and h."""


@runtime_checkable
class GradientSteps(Protocol):
    """The backward pass between its products."""

    def differentiate(self, t: int) -> None:
        """Replace the gates of diagonal t by the gradients of their pre-activations, once t + 1 is done."""

    def d_recurrent(self, t: int) -> Float[Tensor, "P K"]:
        """Room for the gradients of the recurrent inputs of diagonal t, which the product of its gates' yields."""

    def d_bias(self) -> Float[Tensor, " G"]:
        """Sum of the gates' gradients over all cells."""

    def release(self) -> None:
        """Give back the buffers."""


class PlainSteps:
    """`Steps` in torch operations."""

    def __init__(self, tape: Tape, grid: Diagonals, form: Form, state: State | None) -> None:
        self.tape, self.grid, self.form, self.state = tape, grid, form, state
        self.n = tape.h[0].shape[-1]

    def gather(self, t: int) -> None:
        """See `Steps`."""
        above, before = self.state or (None, None), max(0, t - 1)
        for number, units in enumerate((self.tape.h, self.tape.c) if self.form.extended else (self.tape.h,)):
            inputs = self.tape.recurrent[t][..., 2 * self.n * number : 2 * self.n * (number + 1)]
            _gather(inputs, units[before], self.grid.slabs[t], t, above[number])

    def activate(self, t: int) -> None:
        """See `Steps`."""
        slab, n, gates, c = self.grid.slabs[t], self.n, self.tape.gates[t], self.tape.c[t]
        before = self.tape.c[t - 1] if t else c[:0]
        g = gates[..., :n].tanh_()
        o, i, f_c, f_r = gates[..., n:].sigmoid_().split(n, dim=-1)
        torch.mul(g, i, out=c)
        c[slab.left[0]].addcmul_(before[slab.left[1]], f_c[slab.left[0]])
        c[slab.up[0]].addcmul_(before[slab.up[1]], f_r[slab.up[0]])
        if self.state and slab.first_row:
            c[0].addcmul_(self.state[1][t], f_r[0])
        largest = self.form.largest
        if self.state or t >= UNBOUNDED_DIAGONALS or largest < LARGEST_MEMORY:
            c.clamp_(-largest, largest)
        torch.mul(c, o, out=self.tape.h[t]).tanh_()


class PlainGradientSteps:
    """`GradientSteps` in torch operations."""

    def __init__(self, acts: Activations, grad_h: Tensor, grid: Diagonals, form: Form, space: Workspace) -> None:
        assert acts.recurrent is not None
        self.acts, self.grid, self.form, self.space = acts, grid, form, space
        self.n, self.batch, inputs = acts.h.shape[-1], acts.h.shape[1], acts.recurrent.shape[-1]
        self.gates, self.c, self.h, self.grad_h = (slabs(part, grid) for part in (acts.gates, acts.c, acts.h, grad_h))
        room = max(slab.rows for slab in grid.slabs) * self.batch
        n = self.n
        self.rooms = space.take("rooms", (room, 8 * n + inputs), grad_h)
        sizes = [room * n] * 3 + [room * 5 * n, room * inputs]
        parts = [part.view(room, -1) for part in self.rooms.view(-1).split(sizes)]
        self._d_h, self._d_c, self._d_gates, self._d_recurrent = parts[0], parts[1:3], parts[3], parts[4]

    def _cells(self, t: int) -> int:
        return self.grid.slabs[t].rows * self.batch

    def d_recurrent(self, t: int) -> Tensor:
        """See `GradientSteps`."""
        return self._d_recurrent[: self._cells(t)]

    def _of(self, room: Tensor, t: int) -> Tensor:
        return room[: self._cells(t)].view(-1, self.batch, room.shape[1])

    def differentiate(self, t: int) -> None:
        """See `GradientSteps`."""
        n, slab, a = self.n, self.grid.slabs[t], self.gates[t]
        d_h, d_c = self._of(self._d_h, t).copy_(self.grad_h[t]), self._of(self._d_c[t % 2], t)
        if t + 1 == len(self.grid.slabs):
            d_c.zero_()
        else:
            after, d_r = self.grid.slabs[t + 1], self._of(self._d_recurrent, t + 1)
            for number, into in enumerate((d_h, d_c) if self.form.extended else (d_h,)):
                first = 2 * n * number
                into[after.left[1]] += d_r[after.left[0], :, first : first + n]
                into[after.up[1]] += d_r[after.up[0], :, first + n : first + 2 * n]
        g, o, i, f_c, f_r = a.split(n, dim=-1)
        d_z = torch.ops.aten.tanh_backward.grad_input(d_h, self.h[t], grad_input=d_h)
        d_c.addcmul_(d_z, o)
        if self.form.largest < LARGEST_MEMORY:
            d_c.masked_fill_(self.c[t].abs() >= self.form.largest, 0)
        d_a = self._of(self._d_gates, t)
        torch.mul(d_c, i, out=d_a[..., :n])
        torch.mul(d_z, self.c[t], out=d_a[..., n : 2 * n])
        torch.mul(d_c, g, out=d_a[..., 2 * n : 3 * n])
        d_forget = d_a[..., 3 * n :]
        if t:
            c_before = self.c[t - 1]
            d_c_before = self._of(self._d_c[(t - 1) % 2], t - 1).zero_()
            (left, left_before), (up, up_before) = slab.left, slab.up
            if slab.first_column:
                d_forget[-1, :, :n].zero_()
            if slab.first_row:
                d_forget[0, :, n:].zero_()
            torch.mul(d_c[left], c_before[left_before], out=d_forget[left, :, :n])
            torch.mul(d_c[up], c_before[up_before], out=d_forget[up, :, n:])
            d_c_before[left_before].addcmul_(d_c[left], f_c[left])
            d_c_before[up_before].addcmul_(d_c[up], f_r[up])
        else:
            d_forget.zero_()
        torch.ops.aten.tanh_backward.grad_input(d_a[..., :n], g, grad_input=g)
        gates = a[..., n:]
        torch.ops.aten.sigmoid_backward.grad_input(d_a[..., n:], gates, grad_input=gates)

    def d_bias(self) -> Tensor:
        """See `GradientSteps`."""
        return self.acts.gates.flatten(0, 1).sum(0)

    def release(self) -> None:
        """See `GradientSteps`."""
        self.space.give("rooms", self.rooms)


def _gather(inputs: Tensor, before: Tensor, slab: Slab, t: int, above: Tensor | None) -> None:
    """Lay the left and upper neighbors' units side by side; outside the grid they are 0 or the row above."""
    n = inputs.shape[-1] // 2
    left, up = inputs[..., :n], inputs[..., n:]
    left[slab.left[0]] = before[slab.left[1]]
    up[slab.up[0]] = before[slab.up[1]]
    if slab.first_column:
        left[-1].zero_()
    if slab.first_row:
        if above is None:
            up[0].zero_()
        else:
            up[0] = above[t]
