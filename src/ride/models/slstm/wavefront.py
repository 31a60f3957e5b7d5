"""Equation (6) diagonal by diagonal, with its gradient written by hand.

Cells lie in the order (diagonal, row, batch, feature), so that everything a diagonal needs is one contiguous slab.
One product serves the inputs of all cells, one product a diagonal the recurrence, and one product the weights'
gradient; between the products of a diagonal stand the steps of `pointwise`, or of `native` where that was built. The
activations of the gates are kept and then overwritten by their gradients, and all large buffers are used again in the
next call.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from ride.models.slstm import native, pointwise
from ride.models.slstm.activations import Activations, State, Tape, slabs
from ride.models.slstm.diagonals import Diagonals
from ride.models.slstm.reference import Form
from ride.models.slstm.workspace import Workspace


class Passes(NamedTuple):
    """One implementation of equation (6): forward, forward where no gradient follows, and backward.

    They take and return what `forward`, `score` and `backward` of this module do.
    """

    forward: Callable[..., Activations]
    score: Callable[..., tuple[Tensor, State]]
    backward: Callable[..., tuple[Tensor | None, Tensor, Tensor]]


def forward(
    x: Float[Tensor, "P B D"],
    weight: Float[Tensor, "G K"],
    bias: Float[Tensor, " G"],
    grid: Diagonals,
    form: Form,
    space: Workspace,
) -> Activations:
    """Run equation (6) over a grid and keep what its gradient needs."""
    (cells, batch, inputs), n = x.shape, bias.numel() // 5
    gates = space.take("gates", (cells, batch, 5 * n), x)
    torch.addmm(bias, x.reshape(-1, inputs), weight[:, :inputs].t(), out=gates.view(-1, 5 * n))
    recurrent = space.take("recurrent", (cells, batch, (4 if form.extended else 2) * n), x)
    c, h = space.take("c", (cells, batch, n), x), x.new_empty(cells, batch, n)
    tape = Tape(*(slabs(part, grid) for part in (gates, recurrent, c, h)))
    steps, w_h = _steps(tape, grid, form, None), weight[:, inputs:].t()
    inputs_of, gates_of = (slabs(part.flatten(0, 1), grid, batch) for part in (recurrent, gates))
    for t in range(len(grid.slabs)):
        steps.gather(t)
        gates_of[t].addmm_(inputs_of[t], w_h)
        steps.activate(t)
    return Activations(gates, recurrent, c, h)


def score(
    x: Float[Tensor, "P B D"],
    weight: Float[Tensor, "G K"],
    bias: Float[Tensor, " G"],
    grid: Diagonals,
    form: Form,
    space: Workspace,
    state: State | None = None,
) -> tuple[Float[Tensor, "P B N"], State]:
    """Run equation (6) over a grid whose row above has the given state (zero where there is none).

    Returns h, and the state of the last row. Of everything else no more is held than a diagonal reads.
    """
    (cells, batch, inputs), n = x.shape, bias.numel() // 5
    rows = [slab.rows for slab in grid.slabs]
    most = max(rows)
    read = space.take("read", (most, batch, inputs + (4 if form.extended else 2) * n), x)
    gates, c = space.take("gates", (most, batch, 5 * n), x), space.take("c", (2, most, batch, n), x)
    h, last_c = x.new_empty(cells, batch, n), x.new_empty(len(grid.last_row), batch, n)
    tape = Tape(
        tuple(gates[:count] for count in rows),
        tuple(read[:count, :, inputs:] for count in rows),
        tuple(c[t % 2, :count] for t, count in enumerate(rows)),
        slabs(h, grid),
    )
    steps, w = _steps(tape, grid, form, state), weight.t()
    for t, (count, x_t) in enumerate(zip(rows, slabs(x, grid), strict=True)):
        read[:count, :, :inputs] = x_t
        steps.gather(t)
        torch.addmm(bias, read[:count].flatten(0, 1), w, out=gates[:count].view(-1, 5 * n))
        steps.activate(t)
        # The last row is the lowest of the last diagonals, of which it has one each.
        if (column := t - len(rows) + len(last_c)) >= 0:
            last_c[column] = tape.c[t][-1]
    for name, part in (("read", read), ("gates", gates), ("c", c)):
        space.give(name, part)
    return h, (h[grid.on(x.device).last_row], last_c)


def _steps(tape: Tape, grid: Diagonals, form: Form, state: State | None) -> pointwise.Steps:
    kind = native.NativeSteps if native.usable(tape.h[0]) else pointwise.PlainSteps
    return kind(tape, grid, form, state)


def backward(
    grad_h: Float[Tensor, "P B N"],
    x: Float[Tensor, "P B D"],
    weight: Float[Tensor, "G K"],
    acts: Activations,
    grid: Diagonals,
    form: Form,
    need_x: bool,
    space: Workspace,
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x, weight and bias; the gates in `acts` are replaced by the gradients of their pre-activations."""
    inputs = x.shape[-1]
    batch = x.shape[1]
    w_h = weight[:, inputs:].contiguous()
    kind = native.NativeGradientSteps if native.usable(x) else pointwise.PlainGradientSteps
    steps = kind(acts, grad_h, grid, form, space)
    gates = slabs(acts.gates.flatten(0, 1), grid, batch)
    for t in range(len(gates) - 1, -1, -1):
        steps.differentiate(t)
        if t:
            torch.mm(gates[t], w_h, out=steps.d_recurrent(t))
    gradients = (*weight_gradients(x, weight, acts, need_x), steps.d_bias())
    steps.release()
    acts.release(space)
    return gradients


def weight_gradients(
    x: Float[Tensor, "P B D"], weight: Float[Tensor, "G K"], acts: Activations, need_x: bool
) -> tuple[Tensor | None, Tensor]:
    """Gradients of x and weight from those of the pre-activations, which have replaced the gates in `acts`."""
    assert acts.recurrent is not None
    inputs = x.shape[-1]
    d_gates = acts.gates.flatten(0, 1)
    d_weight = torch.empty_like(weight)
    torch.mm(d_gates.t(), x.reshape(-1, inputs), out=d_weight[:, :inputs])
    torch.mm(d_gates.t(), acts.recurrent.flatten(0, 1), out=d_weight[:, inputs:])
    d_x = torch.mm(d_gates, weight[:, :inputs]).view_as(x) if need_x else None
    return d_x, d_weight


PASSES = Passes(forward, score, backward)


class Wavefront(torch.autograd.Function):
    """Differentiable door to the passes of an implementation: x [P, B, D], weight, bias to h [P, B, N]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        grid: Diagonals,
        form: Form,
        space: Workspace,
        passes: Passes = PASSES,
    ) -> Tensor:
        """Return h and keep what the gradient needs."""
        x = x.contiguous()
        acts = passes.forward(x, weight, bias, grid, form, space)
        ctx.save_for_backward(x, weight, bias, acts.h)
        # h is held by the saved tensors only: an output kept on ctx would be a reference cycle.
        ctx.kept = (acts.gates, acts.recurrent, acts.c)
        ctx.settings = (grid, form, space, passes)
        return acts.h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None, None, None]:
        """Return the gradients; a second call on a retained graph computes the activations anew."""
        x, weight, bias, h = ctx.saved_tensors
        grid, form, space, passes = ctx.settings
        if ctx.kept is None:
            acts = passes.forward(x, weight, bias, grid, form, space)
        else:
            gates, recurrent, c = ctx.kept
            acts = Activations(gates, recurrent, c, h)
            ctx.kept = None
        grads = passes.backward(grad_h, x, weight, acts, grid, form, ctx.needs_input_grad[0], space)
        return *grads, None, None, None, None
