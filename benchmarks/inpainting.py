"""Inpainting with all blocks at once that do not interact, over one block after another, and over the plain loop.

    python benchmarks/inpainting.py [--size 71] [--json results.json]

One chain in a hole of the paper's size. One block after another is timed twice: with the frontier's own code, and with
each block drawn pixel after pixel in raster order as the authors' program does. A sweep of the slow ones is enough.
"""

import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch

from frontier import still
from ride.generation import metropolis
from ride.generation.inpainting import inpaint
from ride.models.frontier_reference import fill_raster
from ride.models.ride import RIDE, RIDEConfig
from timing import options, record

AROUND = 40
"""Known pixels on each side of the hole."""
PAPER = 100
"""Sweeps of Figure 4."""


def raster(model: RIDE, images: torch.Tensor, mask: torch.Tensor, u: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """`fill` for one image, pixel after pixel."""
    return fill_raster(model, images, mask[0], u, z)


def measure(size: int, threads: int, rounds: int) -> dict[str, Any]:
    """Seconds of a sweep and the ratios."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    model = still(RIDEConfig()).eval()
    side = size + 2 * AROUND
    image, mask = torch.rand(side, side), torch.zeros(side, side, dtype=torch.bool)
    mask[AROUND : AROUND + size, AROUND : AROUND + size] = True

    def seconds(sweeps: int, batched: bool) -> float:
        """Of a sweep; the beginning, which all have in common, is taken off."""
        marks: list[float] = []

        def listen(done: int, total: int, message: str = "") -> None:
            marks.append(time.perf_counter())

        inpaint(model, image, mask, sweeps, batched=batched, progress=listen)
        return (marks[-1] - marks[0]) / sweeps

    together = seconds(rounds, True)
    result = {"size": size, "threads": threads, "seconds_a_sweep": together, "seconds_100_sweeps": PAPER * together}
    if threads == 1:
        return result
    result["one_block_over_all"] = seconds(1, False) / together
    with mock.patch.object(metropolis, "fill", raster):
        result["one_pixel_over_all"] = seconds(1, False) / together
    return result


def main() -> None:
    """Measure and print one line a configuration."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--size", type=int, default=71, help="rows and columns of the hole")
    chosen = parser.parse_args()

    def results() -> Iterator[dict[str, Any]]:
        for threads in chosen.threads:
            yield measure(chosen.size, threads, chosen.rounds)

    record(results(), chosen.json)


if __name__ == "__main__":
    main()
