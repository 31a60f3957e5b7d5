"""Equation (6) diagonal by diagonal, with its gradient written by hand.

Cells lie in the order (diagonal, row, batch, feature), so that everything a diagonal needs is one contiguous slab.
One product serves the inputs of all cells, one product a diagonal the recurrence, and one product the weights'
gradient. The activations of the gates are kept and then overwritten by their gradients, and all large buffers are
used again in the next call.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from ride.models.slstm.diagonals import Diagonals, Slab
from ride.models.slstm.reference import LARGEST_MEMORY
from ride.models.slstm.workspace import Workspace

UNBOUNDED_DIAGONALS = 96
"""From a state of zero, |c| < 2^(t + 1) on diagonal t: below `LARGEST_MEMORY` for this many diagonals."""

State = tuple[Tensor, Tensor]
"""Hidden and memory units [W, B, N] of the row above a grid."""


class Activations:
    """What the forward pass leaves behind: gates [P, B, 5N], recurrent inputs [P, B, 2N or 4N], c and h [P, B, N].

    The recurrent inputs are needed for a gradient only, and None from a pass that leaves none.
    """

    def __init__(self, gates: Tensor, recurrent: Tensor | None, c: Tensor, h: Tensor) -> None:
        self.gates, self.recurrent, self.c, self.h = gates, recurrent, c, h

    def release(self, space: Workspace) -> None:
        """Give back everything but h, which belongs to the caller."""
        space.give("gates", self.gates)
        if self.recurrent is not None:
            space.give("recurrent", self.recurrent)
        space.give("c", self.c)


class Passes(NamedTuple):
    """One implementation of equation (6): forward, forward where no gradient follows, and backward.

    They take what `forward` and `backward` of this module take.
    """

    forward: Callable[..., Activations]
    score: Callable[..., Activations]
    backward: Callable[..., tuple[Tensor | None, Tensor, Tensor]]


def _slabs(tensor: Tensor, grid: Diagonals) -> tuple[Tensor, ...]:
    """Views of the slabs, made in one call: slicing once a diagonal costs more than the arithmetic."""
    return tensor.split_with_sizes([slab.stop - slab.start for slab in grid.slabs])


def forward(
    x: Float[Tensor, "P B D"],
    weight: Float[Tensor, "G K"],
    bias: Float[Tensor, " G"],
    grid: Diagonals,
    extended: bool,
    space: Workspace,
    state: State | None = None,
) -> Activations:
    """Run equation (6) over a grid whose row above has the given state (zero where there is none)."""
    cells, batch, inputs = x.shape
    n = bias.numel() // 5
    w_x, w_h = weight[:, :inputs].t(), weight[:, inputs:].t()
    gates = space.take("gates", (cells, batch, 5 * n), x)
    torch.addmm(bias, x.reshape(-1, inputs), w_x, out=gates.view(-1, 5 * n))
    recurrent = space.take("recurrent", (cells, batch, (4 if extended else 2) * n), x)
    c, h = space.take("c", (cells, batch, n), x), x.new_empty(cells, batch, n)
    gate_slabs, recurrent_slabs, c_slabs, h_slabs = (_slabs(a, grid) for a in (gates, recurrent, c, h))
    for t, slab in enumerate(grid.slabs):
        r, a, c_t = recurrent_slabs[t], gate_slabs[t], c_slabs[t]
        h_before, c_before = (h_slabs[t - 1], c_slabs[t - 1]) if t else (h_slabs[0][:0], c_slabs[0][:0])
        _gather(r[..., : 2 * n], h_before, slab, t, state[0] if state else None)
        if extended:
            _gather(r[..., 2 * n :], c_before, slab, t, state[1] if state else None)
        a.flatten(0, 1).addmm_(r.flatten(0, 1), w_h)
        g = a[..., :n].tanh_()
        o, i, f_c, f_r = a[..., n:].sigmoid_().split(n, dim=-1)
        torch.mul(g, i, out=c_t)
        c_t[slab.left[0]].addcmul_(c_before[slab.left[1]], f_c[slab.left[0]])
        c_t[slab.up[0]].addcmul_(c_before[slab.up[1]], f_r[slab.up[0]])
        if state and slab.first_row:
            c_t[0].addcmul_(state[1][t], f_r[0])
        if state or t >= UNBOUNDED_DIAGONALS:
            c_t.clamp_(-LARGEST_MEMORY, LARGEST_MEMORY)
        torch.mul(c_t, o, out=h_slabs[t]).tanh_()
    return Activations(gates, recurrent, c, h)


def _gather(recurrent: Tensor, before: Tensor, slab: Slab, t: int, above: Tensor | None) -> None:
    """Lay the left and upper neighbors' units side by side; outside the grid they are 0 or the row above."""
    n = recurrent.shape[-1] // 2
    left, up = recurrent[..., :n], recurrent[..., n:]
    left[slab.left[0]] = before[slab.left[1]]
    up[slab.up[0]] = before[slab.up[1]]
    if slab.first_column:
        left[-1].zero_()
    if slab.first_row:
        if above is None:
            up[0].zero_()
        else:
            up[0] = above[t]


def backward(
    grad_h: Float[Tensor, "P B N"],
    x: Float[Tensor, "P B D"],
    weight: Float[Tensor, "G K"],
    acts: Activations,
    grid: Diagonals,
    extended: bool,
    need_x: bool,
    space: Workspace,
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x, weight and bias; the gates in `acts` are replaced by the gradients of their pre-activations."""
    inputs, n = x.shape[-1], acts.h.shape[-1]
    batch = x.shape[1]
    w_h = weight[:, inputs:].contiguous()
    room = max(slab.stop - slab.start for slab in grid.slabs) * batch
    rooms = space.take("rooms", (room, 8 * n + w_h.shape[1]), x).view(-1)
    d_h_room, d_c_even, d_c_odd, d_a_room, d_r_room = (
        part.view(room, -1) for part in rooms.split([room * n] * 3 + [5 * room * n, room * w_h.shape[1]])
    )
    d_c_rooms = (d_c_even, d_c_odd)
    gate_slabs, c_slabs, h_slabs, grad_slabs = (_slabs(a, grid) for a in (acts.gates, acts.c, acts.h, grad_h))
    after: Slab | None = None
    d_c_next = d_c_rooms[0][:0].view(0, batch, n)
    d_r = d_r_room
    for t in range(len(grid.slabs) - 1, -1, -1):
        slab = grid.slabs[t]
        count = slab.stop - slab.start
        a, c, h = gate_slabs[t], c_slabs[t], h_slabs[t]
        d_h = d_h_room[: count * batch].view(count, batch, n).copy_(grad_slabs[t])
        d_c = d_c_next
        if after is None:
            d_c = d_c_rooms[t % 2][: count * batch].view(count, batch, n).zero_()
        else:
            d_h[after.left[1]] += d_r[after.left[0], :, :n]
            d_h[after.up[1]] += d_r[after.up[0], :, n : 2 * n]
            if extended:
                d_c[after.left[1]] += d_r[after.left[0], :, 2 * n : 3 * n]
                d_c[after.up[1]] += d_r[after.up[0], :, 3 * n :]
        g, o, i, f_c, f_r = a.split(n, dim=-1)
        d_z = torch.ops.aten.tanh_backward.grad_input(d_h, h, grad_input=d_h)
        d_c.addcmul_(d_z, o)
        d_a = d_a_room[: count * batch].view(count, batch, 5 * n)
        torch.mul(d_c, i, out=d_a[..., :n])
        torch.mul(d_z, c, out=d_a[..., n : 2 * n])
        torch.mul(d_c, g, out=d_a[..., 2 * n : 3 * n])
        d_forget = d_a[..., 3 * n :]
        if t:
            c_before = c_slabs[t - 1]
            before = grid.slabs[t - 1]
            size = (before.stop - before.start) * batch
            d_c_next = d_c_rooms[(t - 1) % 2][:size].view(-1, batch, n).zero_()
            (left, left_before), (up, up_before) = slab.left, slab.up
            if slab.first_column:
                d_forget[-1, :, :n].zero_()
            if slab.first_row:
                d_forget[0, :, n:].zero_()
            torch.mul(d_c[left], c_before[left_before], out=d_forget[left, :, :n])
            torch.mul(d_c[up], c_before[up_before], out=d_forget[up, :, n:])
            d_c_next[left_before].addcmul_(d_c[left], f_c[left])
            d_c_next[up_before].addcmul_(d_c[up], f_r[up])
        else:
            d_forget.zero_()
        torch.ops.aten.tanh_backward.grad_input(d_a[..., :n], g, grad_input=g)
        gates = a[..., n:]
        torch.ops.aten.sigmoid_backward.grad_input(d_a[..., n:], gates, grad_input=gates)
        if t:
            d_r = d_r_room[: count * batch]
            d_r = torch.mm(a.flatten(0, 1), w_h, out=d_r).view(count, batch, -1)
        after = slab
    gradients = weight_gradients(x, weight, acts, need_x)
    space.give("rooms", rooms)
    acts.release(space)
    return gradients


def weight_gradients(
    x: Float[Tensor, "P B D"], weight: Float[Tensor, "G K"], acts: Activations, need_x: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x, weight and bias from those of the pre-activations, which have replaced the gates in `acts`."""
    assert acts.recurrent is not None
    inputs = x.shape[-1]
    d_gates = acts.gates.flatten(0, 1)
    d_weight = torch.empty_like(weight)
    torch.mm(d_gates.t(), x.reshape(-1, inputs), out=d_weight[:, :inputs])
    torch.mm(d_gates.t(), acts.recurrent.flatten(0, 1), out=d_weight[:, inputs:])
    d_x = torch.mm(d_gates, weight[:, :inputs]).view_as(x) if need_x else None
    return d_x, d_weight, d_gates.sum(0)


PASSES = Passes(forward, forward, backward)


class Wavefront(torch.autograd.Function):
    """Differentiable door to the passes of an implementation: x [P, B, D], weight, bias to h [P, B, N]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        grid: Diagonals,
        extended: bool,
        space: Workspace,
        passes: Passes = PASSES,
    ) -> Tensor:
        """Return h and keep what the gradient needs."""
        x = x.contiguous()
        acts = passes.forward(x, weight, bias, grid, extended, space)
        ctx.save_for_backward(x, weight, bias, acts.h)
        # h is held by the saved tensors only: an output kept on ctx would be a reference cycle.
        ctx.kept = (acts.gates, acts.recurrent, acts.c)
        ctx.settings = (grid, extended, space, passes)
        return acts.h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None, None, None]:
        """Return the gradients; a second call on a retained graph computes the activations anew."""
        x, weight, bias, h = ctx.saved_tensors
        grid, extended, space, passes = ctx.settings
        if ctx.kept is None:
            acts = passes.forward(x, weight, bias, grid, extended, space)
        else:
            acts = Activations(*ctx.kept, h)  # type: ignore[call-arg]
            ctx.kept = None
        grads = passes.backward(grad_h, x, weight, acts, grid, extended, ctx.needs_input_grad[0], space)
        return *grads, None, None, None, None
