"""Drawing images along the frontier, over drawing them pixel by pixel and over its bare matrix products.

    python benchmarks/frontier.py [--size 256] [--json results.json]

Pixel by pixel is timed twice, with one thread and one image: with the frontier's own code visiting one pixel a step,
and as the plain loop that the tests compare with. Several images are divided over the threads.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

import floors
from ride.models.frontier import CELLS_FOR_THREADS, fill
from ride.models.frontier_reference import fill_raster
from ride.models.ride import RIDE, RIDEConfig
from ride.threads import alone, spread
from timing import medians, options, record

BATCHES = (1, 64)


def still(config: RIDEConfig) -> RIDE:
    """A model that was not trained, but forgets: without, its memory would grow over a large image."""
    model = RIDE(config)
    model.fit_whitening([torch.rand(4, 64, 64)])
    for name, bias in model.layers.named_parameters():
        if name.endswith("bias"):
            bias.data[3 * config.hidden :] = -1
    return model


def steps(size: int, slope: int) -> list[int]:
    """How many pixels each step has."""
    return [
        min(size - 1, t // slope) - max(0, -((size - 1 - t) // slope)) + 1 for t in range(size + slope * (size - 1))
    ]


def measure(size: int, batch: int, threads: int, rounds: int) -> dict[str, Any]:
    """Seconds of an image and the ratios."""
    torch.manual_seed(0)
    model = still(RIDEConfig())
    config, radius = model.config, model.neighborhood.radius
    assert config.features is not None
    images = torch.rand(batch, size + radius, size + 2 * radius, 1)
    u, z = torch.rand(batch, size, size, dtype=torch.float64), torch.randn(batch, size, size, 1)
    torch.set_num_threads(threads)
    parts = min(threads, batch)
    gate = [(config.hidden, config.features + config.components), (config.features, config.components * config.scales)]
    counts = steps(size, radius + 1)
    cells = [count * batch // parts for count in counts]
    small = max(cells) < CELLS_FOR_THREADS
    make = partial(floors.frontier_step, cells, model.neighborhood.size, config.hidden, config.layers, gate)
    products = floors.in_threads(make, parts)

    def multiply() -> None:
        with alone(small):
            products()

    def draw(images: torch.Tensor, u: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return fill(model, images, None, u, z)

    contestants: dict[str, Callable[[], object]] = {
        "frontier": lambda: spread(draw, images, u, z),
        "products": multiply,
    }
    times = medians(contestants, rounds)
    result = {
        "size": size,
        "batch": batch,
        "threads": threads,
        "seconds_an_image": times["frontier"] / batch,
        "over_floor": times["frontier"] / times["products"],
        "microseconds_a_step": 1e6 * times["frontier"] / len(counts),
    }
    if batch == threads == 1:
        slow = {
            "one_pixel_a_step": lambda: fill(model, images, None, u, z, slope=size),
            "plain_loop": lambda: fill_raster(model, images, None, u, z),
        }
        for name, run in slow.items():
            start = time.perf_counter()
            run()
            result[f"{name}_over_frontier"] = (time.perf_counter() - start) / times["frontier"]
    return result


def main() -> None:
    """Measure and print one line a configuration."""
    parser = options(__doc__, rounds=3)
    parser.add_argument("--size", type=int, default=256, help="rows and columns of an image")
    chosen = parser.parse_args()

    def results() -> Iterator[dict[str, Any]]:
        for threads in chosen.threads:
            for batch in BATCHES:
                yield measure(chosen.size, batch, threads, chosen.rounds)

    record(results(), chosen.json)


if __name__ == "__main__":
    main()
