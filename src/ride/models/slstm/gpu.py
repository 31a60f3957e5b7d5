"""Equation (6) on a GPU: the passes of the wavefront with one fused Triton kernel a diagonal.

The products for the inputs of all cells and for the weights' gradient stay with PyTorch. How exactly numbers of
float32 are multiplied follows PyTorch's own switch, `torch.set_float32_matmul_precision`: "highest" (its default) in
float32, "high" in TF32, "medium" in bfloat16; sums are kept in float32 either way.
"""

from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from types import ModuleType
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ride.models.slstm.activations import Activations, State
from ride.models.slstm.diagonals import Diagonals, Slab
from ride.models.slstm.reference import Form
from ride.models.slstm.wavefront import Passes, weight_gradients
from ride.models.slstm.workspace import Workspace

Precision = Literal["float32", "tf32", "bf16"]


class Tiles(NamedTuple):
    """Cells and hidden units of one program, terms of a product that it takes at once, and its warps and stages."""

    m: int
    n: int
    k: int
    warps: int
    stages: int


class Place(NamedTuple):
    """Where a slab lies in rows of cells and images, and where its neighbors lie; the kernels' words."""

    start: int
    rows: int
    left: int
    lefts: int
    skip: int
    ahead: int
    carry: int
    no_rights: int
    downs: int


def usable(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernels take such tensors: float32 on a GPU of NVIDIA's since Ampere, and Triton is there."""
    return device.type == "cuda" and dtype == torch.float32 and _installed() and _supported(device)


@lru_cache
def _installed() -> bool:
    return find_spec("triton") is not None


@lru_cache
def _supported(device: torch.device) -> bool:
    return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)


@lru_cache
def _processors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1


def _kernels() -> ModuleType:
    """The kernels, imported when they are first needed: Triton is optional and slow to import."""
    from ride.models.slstm import triton_kernels

    return triton_kernels


def precision() -> Precision:
    """How PyTorch was told to multiply numbers of float32 on a GPU."""
    try:
        named = torch.get_float32_matmul_precision()
    except RuntimeError:
        # The newer switches were used, one a backend, and PyTorch refuses to put them in the older words.
        return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "float32"
    choices: dict[str, Precision] = {"highest": "float32", "high": "tf32", "medium": "bf16"}
    return choices[named]


def tiles(rows: int, hidden: int, mode: Precision, extended: bool, backward: bool, device: torch.device) -> Tiles:
    """The largest tiles for a diagonal of so many cells that still give every multiprocessor one.

    The operands under way fit in 96 KB of shared memory, which the smaller GPUs have too; the tests hold that.
    """
    n = 32 if (backward or mode == "bf16") and hidden > 16 else 16
    across = -(-hidden // n)
    # The extended cell has twice as many operands under way.
    sizes = (32,) if extended and not backward else (64, 32)
    m = next((m for m in sizes if -(-rows // m) * across >= _processors(device)), 16)
    return Tiles(m, n, 32, 8 if m * n == 2048 else 4, 2)


@lru_cache(maxsize=64)
def _places(grid: Diagonals, batch: int) -> tuple[Place, ...]:
    places = []
    before: Slab | None = None
    for slab, after in pairwise((*grid.slabs, None)):
        assert slab is not None
        count = slab.rows
        # Of the first diagonal nothing, of the last no cell comes before or after another.
        left = before.start + slab.left[1].start if before else 0
        lefts = slab.left[0].stop if before else 0
        skip = 1 if slab.first_row else 0
        # Where the next slab starts a row lower, the first cell has no right neighbor.
        shift = after.left[1].start if after else count
        ahead = after.start if after else 0
        downs = after.up[1].stop if after else 0
        numbers = (slab.start, count, left, lefts, skip, ahead - shift, -shift, shift, downs)
        places.append(Place(*(number * batch for number in numbers)))
        before = slab
    return tuple(places)


def _operands(weight: Tensor, mode: Precision) -> Tensor:
    """The recurrent weights as the kernels read them."""
    return weight.to(torch.bfloat16 if mode == "bf16" else weight.dtype).contiguous()


def forward(
    x: Float[Tensor, "P B D"],
    weight: Float[Tensor, "G K"],
    bias: Float[Tensor, " G"],
    grid: Diagonals,
    form: Form,
    space: Workspace,
    state: State | None = None,
    keep: bool = True,
) -> Activations:
    """Run equation (6) over a grid whose row above has the given state (zero where there is none).

    Without `keep` nothing is left for a gradient: the gates in the result are of no use.
    """
    cells, batch, inputs = x.shape
    n = bias.numel() // 5
    gates = space.take("gates", (cells, batch, 5 * n), x)
    torch.addmm(bias, x.reshape(-1, inputs), weight[:, :inputs].t(), out=gates.view(-1, 5 * n))
    recurrent = space.take("recurrent", (cells, batch, weight.shape[1] - inputs), x) if keep else None
    c, h = space.take("c", (cells, batch, n), x), x.new_empty(cells, batch, n)
    mode = precision()
    w_h = _operands(weight[:, inputs:].t(), mode)
    above_h, above_c = (part.contiguous() for part in state) if state else (h, c)
    places = _places(grid, batch)
    tile = tiles(max(place.rows for place in places), n, mode, form.extended, False, x.device)
    kernel = _kernels().forward_diagonal
    with torch.cuda.device_of(x):
        for t, place in enumerate(places):
            kernel[-(-place.rows // tile.m), -(-n // tile.n)](
                gates,
                gates if recurrent is None else recurrent,
                h,
                c,
                w_h,
                above_h,
                above_c,
                *place[:5],
                t * batch,
                batch,
                form.largest,
                N=n,
                EXTENDED=form.extended,
                KEEP=keep,
                CONTINUED=state is not None,
                PRECISION="tf32" if mode == "tf32" else "ieee",
                BLOCK_M=tile.m,
                BLOCK_N=tile.n,
                BLOCK_K=tile.k,
                num_warps=tile.warps,
                num_stages=tile.stages,
            )
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
    """`forward` where no gradient will be asked for: h, and the state of the last row."""
    acts = forward(x, weight, bias, grid, form, space, state, keep=False)
    last_row = grid.on(x.device).last_row
    last = (acts.h[last_row], acts.c[last_row])
    acts.release(space)
    return acts.h, last


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
    (_, batch, inputs), n = x.shape, acts.h.shape[-1]
    grad_h = grad_h.contiguous()
    mode = precision()
    w_h = _operands(weight[:, inputs:], mode)
    places = _places(grid, batch)
    room = max(place.rows for place in places)
    rooms = space.take("rooms", (2, room, 2 * n), x)
    carries = rooms.unbind()
    tile = tiles(room, n, mode, form.extended, True, x.device)
    kernel = _kernels().backward_diagonal
    with torch.cuda.device_of(x):
        for t in range(len(places) - 1, -1, -1):
            place = places[t]
            kernel[-(-place.rows // tile.m), -(-n // tile.n)](
                acts.gates,
                acts.h,
                acts.c,
                grad_h,
                w_h,
                carries[(t + 1) % 2],
                carries[t % 2],
                *place,
                batch,
                form.largest,
                N=n,
                EXTENDED=form.extended,
                PRECISION="tf32" if mode == "tf32" else "ieee",
                BLOCK_M=tile.m,
                BLOCK_N=tile.n,
                BLOCK_K=tile.k,
                num_warps=tile.warps,
                num_stages=tile.stages,
            )
    gradients = (*weight_gradients(x, weight, acts, need_x), acts.gates.flatten(0, 1).sum(0))
    space.give("rooms", rooms)
    acts.release(space)
    return gradients


PASSES = Passes(forward, score, backward)
