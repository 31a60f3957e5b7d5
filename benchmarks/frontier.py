"""Drawing one image along the frontier, over drawing it pixel by pixel and over its bare matrix products.

    python benchmarks/frontier.py [--size 256] [--batch 1] [--json results.json]

Pixel by pixel is timed twice: with the frontier's own code visiting one pixel a step, and as the plain loop
that the tests compare with.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from ride.models.frontier import fill
from ride.models.frontier_reference import fill_raster
from ride.models.ride import RIDE, RIDEConfig
from timing import medians


def still(config: RIDEConfig) -> RIDE:
    """A model that was not trained, but forgets: without, its memory would grow over a large image."""
    model = RIDE(config)
    model.fit_whitening([torch.rand(4, 64, 64)])
    for name, bias in model.layers.named_parameters():
        if name.endswith("bias"):
            bias.data[3 * config.hidden :] = -1
    return model


def products(model: RIDE, size: int, batch: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Operands of the products of every step: (left, right, room for the result)."""
    config, slope = model.config, model.neighborhood.radius + 1
    assert config.features is not None
    inputs = model.neighborhood.size
    shapes = []
    for _ in range(config.layers):
        shapes.append((inputs + 2 * config.hidden, 5 * config.hidden))
        inputs = config.hidden
    shapes.append((inputs, config.features + config.components))
    shapes.append((config.features, config.components * config.scales))
    operands = []
    for t in range(size + slope * (size - 1)):
        rows = min(size - 1, t // slope) - max(0, -((size - 1 - t) // slope)) + 1
        for a, b in shapes:
            operands.append((rows * batch, a, b))
    lefts = {shape[:2]: torch.randn(shape[:2]) for shape in operands}
    rights = {(a, b): torch.randn(a, b) for a, b in shapes}
    rooms = {(p, b): torch.empty(p, b) for p, _, b in operands}
    return [(lefts[p, a], rights[a, b], rooms[p, b]) for p, a, b in operands]


def measure(size: int, batch: int, rounds: int) -> dict[str, float]:
    """Seconds of one image (or batch) in every way, and the ratios."""
    torch.manual_seed(0)
    model = still(RIDEConfig())
    radius = model.neighborhood.radius
    images = torch.rand(batch, size + radius, size + 2 * radius, 1)
    u, z = torch.rand(batch, size, size), torch.randn(batch, size, size, 1)
    operands = products(model, size, batch)

    def run_products() -> None:
        for left, right, room in operands:
            torch.mm(left, right, out=room)

    times = medians({"frontier": lambda: fill(model, images, None, u, z), "products": run_products}, rounds)
    slow = {
        "one_pixel_a_step": lambda: fill(model, images, None, u, z, slope=size),
        "plain_loop": lambda: fill_raster(model, images, None, u, z),
    }
    for name, run in slow.items():
        start = time.perf_counter()
        run()
        times[name] = time.perf_counter() - start
    return {
        **{f"seconds_{name}": value for name, value in times.items()},
        "frontier_over_products": times["frontier"] / times["products"],
        "one_pixel_a_step_over_frontier": times["one_pixel_a_step"] / times["frontier"],
        "plain_loop_over_frontier": times["plain_loop"] / times["frontier"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="rows and columns of the image")
    parser.add_argument("--batch", type=int, default=1, help="images drawn at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result = {"size": options.size, "batch": options.batch, "threads": options.threads}
    result |= measure(options.size, options.batch, options.rounds)
    for name, value in result.items():
        print(f"{name} {value:.4g}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
