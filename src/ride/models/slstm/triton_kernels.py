"""Equation (6) in Triton: one launch for all cells of a diagonal, forward and backward.

A program owns BLOCK_M cells (pairs of row and image) and BLOCK_N hidden units with their five gates. It reads the
states of the left and upper neighbors straight from the slab before, whose rows are those of this slab shifted, so
that nothing is gathered; it multiplies them with its columns of the weights and goes on to c and h in registers.

Rows count cells and images together, cell * B + image, over the whole grid: `start` is the first row of the slab,
`rows` how many it has. Products are accumulated in the type of the gates; their operands have the type of the
weights, which is where bfloat16 enters. This module is imported only where Triton is installed and needed.
"""

from typing import no_type_check

import triton
import triton.language as tl
from triton.runtime.jit import JITFunction


@triton.jit
@no_type_check
def _sigmoid(x):
    # The exponential of a negative number never overflows.
    e = tl.exp(-tl.abs(x))
    return tl.where(x < 0, e, 1.0) / (1.0 + e)


@triton.jit
@no_type_check
def _tanh(x):
    # Near 0 exponentials cancel, and a quotient of polynomials (Padé, of order 7 over 6) is good to 3e-17.
    size = tl.abs(x)
    small = tl.minimum(size, 0.5)
    q = small * small
    above = small * (135135.0 + q * (17325.0 + q * (378.0 + q)))
    below = 135135.0 + q * (62370.0 + q * (3150.0 + q * 28.0))
    e = tl.exp(-2.0 * size)
    value = tl.where(size < 0.5, above / below, (1.0 - e) / (1.0 + e))
    return tl.where(x < 0, -value, value)


INTERPRETED = tl.constexpr(not isinstance(_tanh, JITFunction))


@triton.jit
@no_type_check
def _dot(a, b, total, PRECISION: tl.constexpr):
    """`total` + a b, with a rounded to the type of b."""
    a = a.to(b.dtype)
    if INTERPRETED:
        # The interpreter multiplies the bits of bfloat16 as if they were integers.
        a, b = a.to(total.dtype), b.to(total.dtype)
    return tl.dot(a, b, total, input_precision=PRECISION, out_dtype=total.dtype)


@triton.jit
@no_type_check
def _tile(matrix, rows, columns, stride, inside):
    """Entries of a matrix [., stride]; 0 where not inside."""
    return tl.load(matrix + rows.to(tl.int64)[:, None] * stride + columns[None, :], mask=inside, other=0.0)


@triton.jit
@no_type_check
def _gates(a, weight, k, n, N: tl.constexpr, inside, g, o, i, f_c, f_r, PRECISION: tl.constexpr):
    """Add the part of inputs a [BLOCK_M, BLOCK_K], rows k of the weights, to the five pre-activations."""
    g = _dot(a, _tile(weight, k, n, 5 * N, inside), g, PRECISION)
    o = _dot(a, _tile(weight, k, N + n, 5 * N, inside), o, PRECISION)
    i = _dot(a, _tile(weight, k, 2 * N + n, 5 * N, inside), i, PRECISION)
    f_c = _dot(a, _tile(weight, k, 3 * N + n, 5 * N, inside), f_c, PRECISION)
    f_r = _dot(a, _tile(weight, k, 4 * N + n, 5 * N, inside), f_r, PRECISION)
    return g, o, i, f_c, f_r


@triton.jit(do_not_specialize=["start", "rows", "left", "lefts", "skip", "above", "batch"])
@no_type_check
def forward_diagonal(
    gates,
    recurrent,
    h,
    c,
    weight,
    above_h,
    above_c,
    start,
    rows,
    left,
    lefts,
    skip,
    above,
    batch,
    largest,
    N: tl.constexpr,
    EXTENDED: tl.constexpr,
    KEEP: tl.constexpr,
    CONTINUED: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One diagonal of equation (6).

    Args:
        gates: [P B, 5N], x W_x + b on entry, the activations of the gates on exit where KEEP.
        recurrent: [P B, 2N or 4N], to be filled with the neighbors' units where KEEP.
        h, c: [P B, N], read in the slab before and written in this one.
        weight: W_h transposed, [2N or 4N, 5N].
        above_h, above_c: [W B, N], the state above the grid where CONTINUED.
        left: row of the left neighbor of the slab's first row; the upper one lies `batch` before it.
        lefts: rows with a left neighbor, the first ones.
        skip: rows without an upper neighbor, the first ones.
        above: row of the state above the slab's first row.
        largest: where memory units end.
    """
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    n = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside, has_left, has_above = m < rows, m < lefts, m < skip
    has_up = inside & (m >= skip)
    row, left_row, up_row, above_row = start + m, left + m, left - batch + m, above + m
    unit = n < N
    mine = inside[:, None] & unit[None, :]
    g = _tile(gates, row, n, 5 * N, mine)
    o = _tile(gates, row, N + n, 5 * N, mine)
    i = _tile(gates, row, 2 * N + n, 5 * N, mine)
    f_c = _tile(gates, row, 3 * N + n, 5 * N, mine)
    f_r = _tile(gates, row, 4 * N + n, 5 * N, mine)
    R: tl.constexpr = (4 if EXTENDED else 2) * N
    # The programs of one block of cells read the same neighbors; the first keeps them for the weights' gradient.
    keeper = inside & (tl.program_id(1) == 0)
    for k_0 in range(0, N, BLOCK_K):
        k = k_0 + tl.arange(0, BLOCK_K)
        known = (k < N)[None, :]
        inside_w = (k < N)[:, None] & unit[None, :]
        keeping = keeper[:, None] & known
        a = _tile(h, left_row, k, N, has_left[:, None] & known)
        g, o, i, f_c, f_r = _gates(a, weight, k, n, N, inside_w, g, o, i, f_c, f_r, PRECISION)
        if KEEP:
            tl.store(recurrent + row.to(tl.int64)[:, None] * R + k[None, :], a, mask=keeping)
        a = _tile(h, up_row, k, N, has_up[:, None] & known)
        if CONTINUED:
            a += _tile(above_h, above_row, k, N, has_above[:, None] & known)
        g, o, i, f_c, f_r = _gates(a, weight, N + k, n, N, inside_w, g, o, i, f_c, f_r, PRECISION)
        if KEEP:
            tl.store(recurrent + row.to(tl.int64)[:, None] * R + (N + k)[None, :], a, mask=keeping)
        if EXTENDED:
            a = _tile(c, left_row, k, N, has_left[:, None] & known)
            g, o, i, f_c, f_r = _gates(a, weight, 2 * N + k, n, N, inside_w, g, o, i, f_c, f_r, PRECISION)
            if KEEP:
                tl.store(recurrent + row.to(tl.int64)[:, None] * R + (2 * N + k)[None, :], a, mask=keeping)
            a = _tile(c, up_row, k, N, has_up[:, None] & known)
            if CONTINUED:
                a += _tile(above_c, above_row, k, N, has_above[:, None] & known)
            g, o, i, f_c, f_r = _gates(a, weight, 3 * N + k, n, N, inside_w, g, o, i, f_c, f_r, PRECISION)
            if KEEP:
                tl.store(recurrent + row.to(tl.int64)[:, None] * R + (3 * N + k)[None, :], a, mask=keeping)
    g, o, i, f_c, f_r = _tanh(g), _sigmoid(o), _sigmoid(i), _sigmoid(f_c), _sigmoid(f_r)
    c_left = _tile(c, left_row, n, N, has_left[:, None] & unit[None, :])
    c_up = _tile(c, up_row, n, N, has_up[:, None] & unit[None, :])
    if CONTINUED:
        c_up += _tile(above_c, above_row, n, N, has_above[:, None] & unit[None, :])
    memory = g * i + c_left * f_c + c_up * f_r
    # Unlike a minimum, this lets a NaN through.
    memory = tl.where(memory > largest, largest, tl.where(memory < -largest, -largest, memory))
    place = row.to(tl.int64)[:, None] * N + n[None, :]
    tl.store(c + place, memory, mask=mine)
    tl.store(h + place, _tanh(memory * o), mask=mine)
    if KEEP:
        place = row.to(tl.int64)[:, None] * (5 * N) + n[None, :]
        tl.store(gates + place, g, mask=mine)
        tl.store(gates + place + N, o, mask=mine)
        tl.store(gates + place + 2 * N, i, mask=mine)
        tl.store(gates + place + 3 * N, f_c, mask=mine)
        tl.store(gates + place + 4 * N, f_r, mask=mine)


@triton.jit(
    do_not_specialize=["start", "rows", "left", "lefts", "skip", "ahead", "carry", "no_rights", "downs", "batch"]
)
@no_type_check
def backward_diagonal(
    gates,
    h,
    c,
    grad,
    weight,
    carry_in,
    carry_out,
    start,
    rows,
    left,
    lefts,
    skip,
    ahead,
    carry,
    no_rights,
    downs,
    batch,
    largest,
    N: tl.constexpr,
    EXTENDED: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """The gradient of one diagonal, given that of the next.

    Args:
        gates: [P B, 5N], the gradients of the pre-activations in the next slab; in this one the activations on
            entry, replaced by such gradients.
        h, c, grad: [P B, N], the states and the gradient of h from outside.
        weight: W_h, [5N, 2N or 4N].
        carry_in, carry_out: [., 2N], what the memory of a cell sends to its left and to its upper neighbor, by rows
            of the next slab and of this one.
        ahead, carry: row of the right neighbor of the slab's first row in the grid and in `carry_in`; the lower one
            lies `batch` after it.
        no_rights: rows without a right neighbor, the first ones.
        downs: rows with a lower neighbor, the first ones.
        largest: where memory units end; those that do pass nothing on.
    """
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    n = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    unit = n < N
    inside, has_down = m < rows, m < downs
    has_right = inside & (m >= no_rights)
    row, right_row, down_row = start + m, ahead + m, ahead + batch + m
    mine = inside[:, None] & unit[None, :]
    R: tl.constexpr = (4 if EXTENDED else 2) * N
    d_h = _tile(grad, row, n, N, mine)
    d_c = _tile(carry_in, carry + m, n, 2 * N, has_right[:, None] & unit[None, :])
    d_c += _tile(carry_in, carry + batch + m, N + n, 2 * N, has_down[:, None] & unit[None, :])
    for k_0 in range(0, 5 * N, BLOCK_K):
        k = k_0 + tl.arange(0, BLOCK_K)
        known = (k < 5 * N)[None, :]
        inside_w = (k < 5 * N)[:, None] & unit[None, :]
        right = _tile(gates, right_row, k, 5 * N, has_right[:, None] & known)
        down = _tile(gates, down_row, k, 5 * N, has_down[:, None] & known)
        d_h = _dot(right, _tile(weight, k, n, R, inside_w), d_h, PRECISION)
        d_h = _dot(down, _tile(weight, k, N + n, R, inside_w), d_h, PRECISION)
        if EXTENDED:
            d_c = _dot(right, _tile(weight, k, 2 * N + n, R, inside_w), d_c, PRECISION)
            d_c = _dot(down, _tile(weight, k, 3 * N + n, R, inside_w), d_c, PRECISION)
    g = _tile(gates, row, n, 5 * N, mine)
    o = _tile(gates, row, N + n, 5 * N, mine)
    i = _tile(gates, row, 2 * N + n, 5 * N, mine)
    f_c = _tile(gates, row, 3 * N + n, 5 * N, mine)
    f_r = _tile(gates, row, 4 * N + n, 5 * N, mine)
    memory = _tile(c, row, n, N, mine)
    c_left = _tile(c, left + m, n, N, (m < lefts)[:, None] & unit[None, :])
    c_up = _tile(c, left - batch + m, n, N, (inside & (m >= skip))[:, None] & unit[None, :])
    units = _tile(h, row, n, N, mine)
    d_z = d_h * (1.0 - units * units)
    d_c = tl.where(tl.abs(memory) < largest, d_c + d_z * o, 0.0)
    place = row.to(tl.int64)[:, None] * (5 * N) + n[None, :]
    tl.store(gates + place, d_c * i * (1.0 - g * g), mask=mine)
    tl.store(gates + place + N, d_z * memory * (o * (1.0 - o)), mask=mine)
    tl.store(gates + place + 2 * N, d_c * g * (i * (1.0 - i)), mask=mine)
    tl.store(gates + place + 3 * N, d_c * c_left * (f_c * (1.0 - f_c)), mask=mine)
    tl.store(gates + place + 4 * N, d_c * c_up * (f_r * (1.0 - f_r)), mask=mine)
    place = m.to(tl.int64)[:, None] * (2 * N) + n[None, :]
    tl.store(carry_out + place, d_c * f_c, mask=mine)
    tl.store(carry_out + place + N, d_c * f_r, mask=mine)
