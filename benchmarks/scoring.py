"""Scoring images of growing size: microseconds a pixel, over the bare matrix products of a tile of 64 x 64.

    python benchmarks/scoring.py [--largest 4096] [--json results.json]

An image of the smallest size is a batch of as many as the next size has pixels, so that each takes a while.
"""

from collections.abc import Iterator
from typing import Any

import torch

import floors
from ride.evaluation.bands import log_prob_maps
from ride.models.ride import RIDE
from timing import medians, options, record


def measure(model: RIDE, sizes: list[int], threads: int, rounds: int) -> Iterator[dict[str, Any]]:
    """One result a size; those of one round are measured in turn."""
    torch.set_num_threads(threads)
    config, most = model.config, max(1, 512 // sizes[0]) ** 2
    batches = {size: torch.rand(max(threads, most * sizes[0] ** 2 // size**2), size, size) for size in sizes}
    predicted = model.neighborhood.predicted_shape(64, 64)

    def products() -> floors.Products:
        return floors.together(
            floors.slstm_forward(16, *predicted, model.neighborhood.size, config.hidden, config.layers),
            floors.head(16 * predicted[0] * predicted[1], config.hidden, 32, 32, 4, gradient=False, of_x=False),
        )

    runs = {str(size): lambda images=images: log_prob_maps(model, images) for size, images in batches.items()}
    times = medians({**runs, "floor": floors.in_threads(products, threads)}, rounds)
    least = 1e6 * times["floor"] / (16 * predicted[0] * predicted[1] * threads)
    for size, images in batches.items():
        rows, columns = model.neighborhood.predicted_shape(size, size)
        microseconds = 1e6 * times[str(size)] / (len(images) * rows * columns)
        yield {
            "size": size,
            "images": len(images),
            "threads": threads,
            "microseconds_per_pixel": microseconds,
            "over_floor": microseconds / least,
        }


def main() -> None:
    """Measure and print one line a size."""
    parser = options(__doc__, rounds=2)
    parser.add_argument("--largest", type=int, default=4096, help="side of the largest image")
    chosen = parser.parse_args()
    torch.manual_seed(0)
    model = RIDE()
    model.fit_whitening([torch.rand(4, 64, 64)])
    sizes = [size for size in (64, 256, 1024, 4096, 8192) if size <= chosen.largest]

    def results() -> Iterator[dict[str, Any]]:
        for threads in chosen.threads:
            yield from measure(model, sizes, threads, chosen.rounds)

    record(results(), chosen.json)


if __name__ == "__main__":
    main()
