"""Equation (6) pixel by pixel: the slow, obviously right twin of the wavefront."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

LARGEST_MEMORY = 1e30
"""Memory units end here at the latest. The forget gates of equation (6) sum freely, so that memory may double with
every cell and overflow on a large image, after which inf - inf is NaN; tanh(c * o) has long been 1 or -1 by then."""


class Form(NamedTuple):
    """Which spatial LSTM: whether it is extended (section 3.3), and at what size its memory units end.

    A unit that is at its end passes no gradient on to its neighbors.
    """

    extended: bool = False
    largest: float = LARGEST_MEMORY


PRINTED = Form()
"""As in the paper."""


def cell(
    inputs: Float[Tensor, "P K"],
    c_left: Float[Tensor, "P N"],
    c_up: Float[Tensor, "P N"],
    weight: Float[Tensor, "G K"],
    bias: Float[Tensor, " G"],
    largest: float = LARGEST_MEMORY,
) -> tuple[Float[Tensor, "P N"], Float[Tensor, "P N"]]:
    """One update of equation (6); `inputs` are x, h_left, h_up (extended: then c_left, c_up) side by side."""
    hidden = c_left.shape[-1]
    pre = torch.nn.functional.linear(inputs, weight, bias)
    g = pre[:, :hidden].tanh()
    o, i, f_c, f_r = pre[:, hidden:].sigmoid().chunk(4, dim=-1)
    c = (g * i + c_left * f_c + c_up * f_r).clamp(-largest, largest)
    return (c * o).tanh(), c


def spatial_lstm(
    x: Float[Tensor, "B H W D"],
    weight: Float[Tensor, "G K"],
    bias: Float[Tensor, " G"],
    form: Form = PRINTED,
) -> Float[Tensor, "B H W N"]:
    """Hidden units of equation (6) for a batch of grids, one pixel after another in raster order."""
    batch, height, width, _ = x.shape
    hidden = bias.numel() // 5
    zero = x.new_zeros(batch, hidden)
    h_above, c_above = [zero] * width, [zero] * width
    rows = []
    for i in range(height):
        h_left, c_left = zero, zero
        for j in range(width):
            inputs = [x[:, i, j], h_left, h_above[j]]
            if form.extended:
                inputs += [c_left, c_above[j]]
            h_left, c_left = cell(torch.cat(inputs, dim=-1), c_left, c_above[j], weight, bias, form.largest)
            h_above[j], c_above[j] = h_left, c_left
        rows.append(torch.stack(h_above, dim=1))
    return torch.stack(rows, dim=1)
