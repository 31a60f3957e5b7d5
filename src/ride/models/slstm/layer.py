"""The spatial LSTM as a module."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ride.errors import ConfigError
from ride.models.slstm import gpu, native, reference, wavefront
from ride.models.slstm.diagonals import Diagonals, diagonals
from ride.models.slstm.reference import LARGEST_MEMORY, Form
from ride.models.slstm.workspace import Workspace


class SpatialLSTM(nn.Module):
    """Spatial LSTM, equation (6): each cell reads x and the states of its left and upper neighbors.

    `weight` is [5N, D + 2N] (extended: [5N, D + 4N], memory units are inputs too, section 3.3) and `bias` [5N]; rows
    in the order g, o, i, f_c, f_r, columns x, h_left, h_up (, c_left, c_up). The state outside the grid is 0. Memory
    units end at `largest`: as printed the equation lets them grow without end.

    On a GPU with Triton installed the fused kernels run (`slstm/gpu.py`), unless `fused` is set to False.

    Raises:
        ConfigError: a size or `largest` is not positive.
    """

    def __init__(self, in_features: int, hidden: int, extended: bool = False, largest: float = LARGEST_MEMORY) -> None:
        super().__init__()
        if not 0 < largest <= LARGEST_MEMORY:
            raise ConfigError(f"memory units must end between 0 and {LARGEST_MEMORY:g}, not at {largest:g}")
        if in_features < 1 or hidden < 1:
            raise ConfigError(
                f"a spatial LSTM needs positive sizes, not {in_features} inputs and {hidden} hidden units"
            )
        self.in_features, self.hidden, self.form = in_features, hidden, Form(extended, largest)
        recurrent = (4 if extended else 2) * hidden
        self.weight = nn.Parameter(torch.empty(5 * hidden, in_features + recurrent))
        self.bias = nn.Parameter(torch.zeros(5 * hidden))
        self.fused = True
        self.workspace = Workspace()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights uniformly from [-0.08, 0.08] and set the biases to 0, as the authors' program does."""
        nn.init.uniform_(self.weight, -0.08, 0.08)
        nn.init.zeros_(self.bias)

    def set_forget_bias(self, value: float) -> None:
        """Start with forget gates that are open (positive) or closed (negative) on their own."""
        with torch.no_grad():
            self.bias[3 * self.hidden :] = value

    def forward(self, x: Float[Tensor, "B H W D"]) -> Float[Tensor, "B H W N"]:
        """Hidden units of every cell of a batch of grids."""
        if x.shape[-1] != self.in_features:
            raise ConfigError(f"this spatial LSTM reads {self.in_features} inputs a cell, not {x.shape[-1]}")
        batch, height, width, _ = x.shape
        if x.numel() == 0:
            return x.new_zeros(batch, height, width, self.hidden)
        grid = diagonals(height, width)
        h = self.diagonal(to_diagonals(x, grid), grid)
        return from_diagonals(h, grid, height)

    def diagonal(self, x: Float[Tensor, "P B D"], grid: Diagonals) -> Float[Tensor, "P B N"]:
        """Hidden units where the cells already lie in diagonal order, as between stacked layers."""
        if not torch.is_grad_enabled():
            return self.continued(x, grid, None)[0]
        return wavefront.Wavefront.apply(x, self.weight, self.bias, grid, self.form, self.workspace, self._passes(x))

    @torch.no_grad()
    def continued(
        self, x: Float[Tensor, "P B D"], grid: Diagonals, state: wavefront.State | None
    ) -> tuple[Float[Tensor, "P B N"], wavefront.State]:
        """Hidden units below a row of given state, and the state of the last row; no gradient."""
        return self._passes(x).score(x, self.weight, self.bias, grid, self.form, self.workspace, state)

    def _passes(self, x: Tensor) -> wavefront.Passes:
        return gpu.PASSES if self.fused and gpu.usable(x.device, x.dtype) else wavefront.PASSES

    def step(
        self,
        x: Float[Tensor, "P D"],
        h_left: Float[Tensor, "P N"],
        h_up: Float[Tensor, "P N"],
        c_left: Float[Tensor, "P N"],
        c_up: Float[Tensor, "P N"],
        out: wavefront.State | None = None,
    ) -> tuple[Float[Tensor, "P N"], Float[Tensor, "P N"]]:
        """One update of equation (6) for cells whose neighbors' states are given: (h, c).

        With `out`, contiguous arrays, they are written there; no gradient.
        """
        inputs = torch.cat([x, h_left, h_up, c_left, c_up] if self.form.extended else [x, h_left, h_up], dim=-1)
        if out is not None and native.usable(x):
            native.cell(torch.addmm(self.bias, inputs, self.weight.t()), c_left, c_up, *out, self.form.largest)
            return out
        units = reference.cell(inputs, c_left, c_up, self.weight, self.bias, self.form.largest)
        if out is None:
            return units
        for place, value in zip(out, units, strict=True):
            place.copy_(value)
        return out

    def extra_repr(self) -> str:
        """The sizes, as printed by `repr`."""
        return f"{self.in_features}, {self.hidden}, {self.form}"


def to_diagonals(x: Float[Tensor, "B H W D"], grid: Diagonals) -> Float[Tensor, "P B D"]:
    """Reorder cells from raster to diagonal order."""
    return x.permute(1, 2, 0, 3).flatten(0, 1)[grid.on(x.device).order]


def from_diagonals(h: Float[Tensor, "P B N"], grid: Diagonals, height: int) -> Float[Tensor, "B H W N"]:
    """Reorder cells from diagonal to raster order."""
    return h[grid.on(h.device).inverse].unflatten(0, (height, -1)).permute(2, 0, 1, 3)
