"""Spatial LSTM, forward and backward on 50 patches of 22 x 22, over the time of its bare matrix products.

    python benchmarks/slstm.py [--json results.json]

With several threads the patches are divided over them, as in training, and so are the patches of the products.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import floors
from ride.models.slstm import SpatialLSTM, native, reference
from ride.models.slstm.diagonals import diagonals
from ride.threads import spread
from timing import medians, options, record

BATCH, HEIGHT, WIDTH, INPUTS = 50, 20, 18, 12


def passes(stack: list[SpatialLSTM]) -> Callable[[Tensor, Tensor], object]:
    """Forward and backward pass for patches x [B, P, D] with gradients [B, P, N]."""
    grid = diagonals(HEIGHT, WIDTH)
    parameters = [parameter for layer in stack for parameter in layer.parameters()]

    def run(x: Tensor, grad: Tensor) -> object:
        h = x.transpose(0, 1).contiguous()
        for layer in stack:
            h = layer.diagonal(h, grid)
        return torch.autograd.grad(h, parameters, grad.transpose(0, 1))

    return run


def measure(hidden: int, layers: int, threads: int, rounds: int, slow: bool) -> dict[str, Any]:
    """Ratios of one configuration."""
    stack = [SpatialLSTM(hidden if layer else INPUTS, hidden) for layer in range(layers)]
    x, grad = torch.randn(BATCH, HEIGHT * WIDTH, INPUTS), torch.randn(BATCH, HEIGHT * WIDTH, hidden)
    run, usable = passes(stack), native.usable

    def products() -> floors.Products:
        return floors.slstm(BATCH // threads, HEIGHT, WIDTH, INPUTS, hidden, layers)

    def in_torch() -> None:
        native.usable = lambda tensor: False
        spread(run, x, grad)
        native.usable = usable

    contestants: dict[str, Callable[[], object]] = {
        "floor": floors.in_threads(products, threads),
        "compiled": lambda: spread(run, x, grad),
        "torch": in_torch,
    }
    if threads > 1:

        def alone() -> None:
            torch.set_num_threads(1)
            run(x, grad)
            torch.set_num_threads(threads)

        contestants["one thread"] = alone
    if slow:
        raster = torch.randn(BATCH, HEIGHT, WIDTH, INPUTS)

        def pixel_by_pixel() -> None:
            h = raster
            for layer in stack:
                h = reference.spatial_lstm(h, layer.weight, layer.bias)
            h.sum().backward()

        contestants["pixel by pixel"] = pixel_by_pixel
    torch.set_num_threads(threads)
    times = medians(contestants, rounds)
    result = {
        "hidden": hidden,
        "layers": layers,
        "threads": threads,
        "compiled": native.usable(x),
        "over_floor": times["compiled"] / times["floor"],
        "torch_over_floor": times["torch"] / times["floor"],
        "microseconds_per_pixel": 1e6 * times["compiled"] / (BATCH * HEIGHT * WIDTH),
    }
    if threads > 1:
        result["times_one_thread"] = times["one thread"] / times["compiled"]
    if slow:
        result["pixel_by_pixel_over_wavefront"] = times["pixel by pixel"] / times["compiled"]
    return result


def main() -> None:
    """Measure and print one line a configuration."""
    parser = options(__doc__, rounds=15)
    parser.add_argument("--slow", action="store_true", help="time the pixel-by-pixel equation too")
    chosen = parser.parse_args()

    def results() -> Iterator[dict[str, Any]]:
        for threads in chosen.threads:
            for hidden, layers in ((64, 1), (64, 3), (128, 1), (128, 3)):
                yield measure(hidden, layers, threads, chosen.rounds, chosen.slow)

    record(results(), chosen.json)


if __name__ == "__main__":
    main()
