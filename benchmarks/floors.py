"""The bare matrix products (and exponentials) of the kernels, on arrays made beforehand: what cannot be avoided."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ride.models.slstm.diagonals import diagonals
from ride.threads import spread

Products = Callable[[], None]


def product(rows: int, inputs: int, outputs: int) -> Products:
    """A single one."""
    left, right, room = torch.randn(rows, inputs), torch.randn(inputs, outputs), torch.empty(rows, outputs)

    def run() -> None:
        torch.mm(left, right, out=room)

    return run


def slstm(batch: int, height: int, width: int, inputs: int, hidden: int, layers: int) -> Products:
    """Forward and backward pass of stacked spatial LSTMs: inputs, recurrence and its gradient, weights', inputs'.

    The gradient for the inputs of the lowest layer is left out.
    """
    sizes = [(slab.stop - slab.start) * batch for slab in diagonals(height, width).slabs]
    cells = batch * height * width
    operands = []
    for layer in range(layers):
        d = hidden if layer else inputs
        shapes = [(cells, d), (cells, 2 * hidden), (5 * hidden, d), (5 * hidden, 2 * hidden)]
        rooms = [(cells, 5 * hidden), (cells, 2 * hidden), (cells, d)]
        operands.append([torch.randn(shape) for shape in shapes] + [torch.empty(shape) for shape in rooms])

    def run() -> None:
        for number, (x, recurrent, w_x, w_h, gates, d_recurrent, d_x) in enumerate(operands):
            torch.mm(x, w_x.t(), out=gates)
            for r, g in zip(recurrent.split(sizes), gates.split(sizes), strict=True):
                torch.mm(r, w_h.t(), out=g)
            for g, d in zip(gates.split(sizes), d_recurrent.split(sizes), strict=True):
                torch.mm(g, w_h, out=d)
            torch.mm(gates.t(), x)
            torch.mm(gates.t(), recurrent)
            if number:
                torch.mm(gates, w_x, out=d_x)

    return run


def slstm_forward(batch: int, height: int, width: int, inputs: int, hidden: int, layers: int) -> Products:
    """Forward pass alone."""
    sizes = [(slab.stop - slab.start) * batch for slab in diagonals(height, width).slabs]
    cells = batch * height * width
    operands = []
    for layer in range(layers):
        d = hidden if layer else inputs
        shapes = [(cells, d), (cells, 2 * hidden), (d, 5 * hidden), (2 * hidden, 5 * hidden)]
        operands.append([*(torch.randn(shape) for shape in shapes), torch.empty(cells, 5 * hidden)])

    def run() -> None:
        for x, recurrent, w_x, w_h, gates in operands:
            torch.mm(x, w_x, out=gates)
            for r, g in zip(recurrent.split(sizes), gates.split(sizes), strict=True):
                torch.mm(r, w_h, out=g)

    return run


def head(
    pixels: int, inputs: int, components: int, features: int, scales: int, *, gradient: bool, of_x: bool
) -> Products:
    """Value (and gradient, also for the inputs) of a factorised MCGSM of one channel, in chunks that fit the cache.

    With its 2 C S exponentials a pixel, those of gate and posterior.
    """
    chunk = min(pixels, 1024)
    x, stack, weights = (
        torch.randn(chunk, inputs),
        torch.randn(inputs, features + components),
        torch.rand(features, components),
    )
    hidden, q, squares = (
        torch.empty(chunk, features + components),
        torch.empty(chunk, components),
        torch.rand(chunk, features),
    )
    exponents = -50 * torch.rand(chunk, 2 * components * scales)
    powers = torch.empty_like(exponents)
    d_weights, d_stack, d_x, d_squares = (torch.empty_like(part) for part in (weights, stack, x, squares))

    def run() -> None:
        for _ in range(pixels // chunk):
            torch.mm(x, stack, out=hidden)
            torch.mm(squares, weights, out=q)
            torch.exp2(exponents, out=powers)
            if gradient:
                torch.mm(squares.t(), q, out=d_weights)
                torch.mm(q, weights.t(), out=d_squares)
                torch.mm(x.t(), hidden, out=d_stack)
            if of_x:
                torch.mm(hidden, stack.t(), out=d_x)

    return run


def frontier_step(
    cells: Sequence[int], inputs: int, hidden: int, layers: int, head_shapes: Sequence[tuple[int, int]]
) -> Products:
    """The products of drawing in steps of so many cells each: a step of every layer and the MCGSM's gate."""
    shapes = [((hidden if layer else inputs) + 2 * hidden, 5 * hidden) for layer in range(layers)]
    shapes += head_shapes
    rights = [torch.randn(shape) for shape in shapes]
    most = max(cells)
    lefts = [torch.randn(most, a) for a, _ in shapes]
    rooms = [torch.empty(most, b) for _, b in shapes]
    steps: list[tuple[Tensor, Tensor, Tensor]] = [
        (left[:count], right, room[:count])
        for count in cells
        for left, right, room in zip(lefts, rights, rooms, strict=True)
    ]

    def run() -> None:
        for left, right, room in steps:
            torch.mm(left, right, out=room)

    return run


def in_threads(make: Callable[[], Products], threads: int) -> Products:
    """The same in every thread at once, on arrays of its own: shared ones would go from cache to cache."""
    runs, numbers = [make() for _ in range(threads)], torch.arange(threads)

    def run() -> None:
        spread(lambda number: runs[int(number)](), numbers)

    return run


def together(*runs: Products) -> Products:
    """One after another."""

    def run() -> None:
        for each in runs:
            each()

    return run
