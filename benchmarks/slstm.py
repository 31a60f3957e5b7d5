"""Spatial LSTM, forward and backward on 50 patches of 22 x 22, over the time of its bare matrix products.

python benchmarks/slstm.py [--json results.json]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ride.models.slstm import SpatialLSTM, reference
from ride.models.slstm.diagonals import diagonals
from timing import medians

BATCH, HEIGHT, WIDTH, INPUTS = 50, 20, 18, 12


def floor(hidden: int, layers: int) -> list[tuple[Tensor, ...]]:
    """Operands of every product of forward and backward pass, layer by layer."""
    cells = BATCH * HEIGHT * WIDTH
    operands: list[tuple[Tensor, ...]] = []
    for layer in range(layers):
        inputs = hidden if layer else INPUTS
        operands.append(
            (
                torch.randn(cells, inputs),
                torch.randn(cells, 2 * hidden),
                torch.randn(cells, 5 * hidden),
                torch.randn(5 * hidden, inputs),
                torch.randn(5 * hidden, 2 * hidden),
                torch.empty(cells, 2 * hidden),
                torch.empty(cells, inputs),
            )
        )
    return operands


def run_floor(operands: list[tuple[Tensor, ...]], sizes: list[int]) -> None:
    """The products alone: inputs, recurrence, its gradient, weights' and inputs' gradients."""
    for x, recurrent, gates, w_x, w_h, d_recurrent, d_x in operands:
        torch.mm(x, w_x.t(), out=gates)
        for r, g in zip(recurrent.split(sizes), gates.split(sizes), strict=True):
            torch.mm(r, w_h.t(), out=g)
        for g, d in zip(gates.split(sizes), d_recurrent.split(sizes), strict=True):
            torch.mm(g, w_h, out=d)
        torch.mm(gates.t(), x)
        torch.mm(gates.t(), recurrent)
        if x.shape[1] != INPUTS:
            torch.mm(gates, w_x, out=d_x)


def measure(hidden: int, layers: int, rounds: int, slow: bool) -> dict[str, float]:
    """Ratio of the wavefront to its floor, and of the pixel-by-pixel equation to the wavefront."""
    grid = diagonals(HEIGHT, WIDTH)
    sizes = [(slab.stop - slab.start) * BATCH for slab in grid.slabs]
    stack = [SpatialLSTM(hidden if layer else INPUTS, hidden) for layer in range(layers)]
    x = torch.randn(HEIGHT * WIDTH, BATCH, INPUTS)
    grad = torch.randn(HEIGHT * WIDTH, BATCH, hidden)
    operands = floor(hidden, layers)

    def wavefront() -> None:
        h = x
        for layer in stack:
            h = layer.diagonal(h, grid)
        h.backward(grad)

    contestants: dict[str, Callable[[], object]] = {
        "floor": lambda: run_floor(operands, sizes),
        "wavefront": wavefront,
    }
    if slow:
        raster = torch.randn(BATCH, HEIGHT, WIDTH, INPUTS)

        def pixel_by_pixel() -> None:
            h = raster
            for layer in stack:
                h = reference.spatial_lstm(h, layer.weight, layer.bias)
            h.sum().backward()

        contestants["pixel by pixel"] = pixel_by_pixel
    times = medians(contestants, rounds)
    pixels = BATCH * HEIGHT * WIDTH
    result = {
        "hidden": hidden,
        "layers": layers,
        "over_floor": times["wavefront"] / times["floor"],
        "microseconds_per_pixel": 1e6 * times["wavefront"] / pixels,
    }
    if slow:
        result["pixel_by_pixel_over_wavefront"] = times["pixel by pixel"] / times["wavefront"]
    return result


def main() -> None:
    """Measure and print one line a configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--slow", action="store_true", help="time the pixel-by-pixel equation too")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = []
    for hidden, layers in ((64, 1), (64, 3), (128, 1), (128, 3)):
        results.append(measure(hidden, layers, options.rounds, options.slow))
        print(", ".join(f"{name} {value:.4g}" for name, value in results[-1].items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
