"""Peak memory of a process, each measured in a process of its own, over that of the same process without the work.

python benchmarks/memory.py [--json results.json]
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from ride.evaluation.bands import log_prob_maps
from ride.models.mcgsm import MCGSM
from ride.models.ride import RIDE, RIDEConfig
from ride.models.slstm import SpatialLSTM
from ride.models.slstm.diagonals import diagonals
from ride.training.head import fit_head
from timing import record

BATCH, SIDE = 200, 40


def slstm(hidden: int, layers: int) -> Callable[[], float]:
    """Forward and backward pass; returns the numbers held per hidden unit, pixel and layer that a byte stands for."""
    grid = diagonals(SIDE, SIDE)
    stack = [SpatialLSTM(hidden if layer else 12, hidden) for layer in range(layers)]
    x, grad = torch.randn(SIDE * SIDE, BATCH, 12), torch.randn(1).expand(SIDE * SIDE, BATCH, hidden)

    def run() -> float:
        h = x
        for layer in stack:
            h = layer.diagonal(h, grid)
        h.backward(grad)
        return 1 / (4 * SIDE * SIDE * BATCH * hidden * layers)

    return run


def lbfgs() -> Callable[[], float]:
    """Ten iterations on 10^6 pixels of 40 inputs, these included; returns a GiB a byte."""
    model = MCGSM(40)

    def run() -> float:
        fit_head(model, (torch.randn(1_000_000, 40), torch.randn(1_000_000, 1)), None, 10)
        return 2.0**-30

    return run


def scoring() -> Callable[[], float]:
    """An image of 1024 x 4096 under a model of 3 layers of 128, itself included; returns a GiB a byte."""
    model = RIDE(RIDEConfig(hidden=128, layers=3))
    model.fit_whitening([torch.rand(4, 64, 64)])

    def run() -> float:
        log_prob_maps(model, torch.rand(1, 1024, 4096))
        return 2.0**-30

    return run


CASES: dict[str, tuple[str, Callable[[], Callable[[], float]]]] = {
    "slstm-64-1": ("values per hidden unit, pixel and layer", lambda: slstm(64, 1)),
    "slstm-128-3": ("values per hidden unit, pixel and layer", lambda: slstm(128, 3)),
    "lbfgs": ("GiB, L-BFGS on 10^6 pixels of 40 inputs", lbfgs),
    "scoring": ("GiB, scoring 1024 x 4096 pixels, 3 layers of 128", scoring),
}


def peak() -> int:
    """Bytes of this process at their most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure every case in a process of its own, or one in this."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--case", choices=CASES, help="one case, in this process")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    if chosen.case:
        torch.set_num_threads(1)
        run = CASES[chosen.case][1]()
        before = peak()
        unit = run()
        print(json.dumps((peak() - before) * unit))
        return

    def results() -> Iterator[dict[str, Any]]:
        for name, (unit, _) in CASES.items():
            told = subprocess.run(
                [sys.executable, __file__, "--case", name], capture_output=True, text=True, check=True
            )
            yield {"case": name, "unit": unit, "memory": float(told.stdout)}

    record(results(), chosen.json)


if __name__ == "__main__":
    main()
