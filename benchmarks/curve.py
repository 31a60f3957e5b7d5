"""Log-likelihood against time for ways to fit one MCGSM, 32 components on 9 x 5 pixels of dead leaves, from one start.

    python benchmarks/curve.py [--seconds 40] [--json results.json]

The pixels that are fitted are those that are scored: this is about optimisation, not about generalisation.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from ride.data import DeadLeaves, seeded
from ride.models.mcgsm import MCGSM
from ride.models.ride import RIDE, RIDEConfig
from ride.training.batches import Batches
from ride.training.features import single_pixels
from ride.training.head import HeadState, fit_head
from ride.training.presets import default

PIXELS, IMAGES, BATCH = 100_000, 20, 4_800


def pixels() -> tuple[MCGSM, Tensor, Tensor]:
    """An MCGSM as it begins, and whitened neighborhoods and pixels."""
    torch.manual_seed(0)
    model = RIDE(RIDEConfig(layers=0, neighborhood=9))
    batches = Batches(DeadLeaves(IMAGES)[:], default(0))
    model.fit_whitening(single_pixels(model, batches, PIXELS, "whitening"))
    with torch.no_grad():
        pairs = [model.hidden_states(crops) for crops in single_pixels(model, batches, PIXELS, "curve")]
    x, y = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return model.head, x, y


def lbfgs(head: MCGSM, x: Tensor, y: Tensor, seconds: float) -> Iterator[tuple[float, float]]:
    """The fine-tuning of the head, looked at every few iterations."""
    points: list[tuple[float, float]] = []
    begun = time.perf_counter()

    def look(state: HeadState) -> None:
        points.append((time.perf_counter() - begun, state.rate))
        state.done = state.done or points[-1][0] > seconds

    fit_head(head, (x, y), None, 10**6, after_look=look)
    yield from points


def equations(head: MCGSM, x: Tensor, y: Tensor, seconds: float) -> Iterator[tuple[float, float]]:
    """The same, differentiating the equations as they are written."""

    def slow(self: MCGSM, x: Tensor, y: Tensor) -> Tensor:
        return self(x).log_prob(y).mean()

    with mock.patch.object(MCGSM, "mean_log_prob", slow):
        yield from lbfgs(head, x, y, seconds)


def adam(head: MCGSM, x: Tensor, y: Tensor, seconds: float) -> Iterator[tuple[float, float]]:
    """Adam on batches, its rate falling from 0.03 to 10^-4 along half a cosine of the time; scoring is not counted."""
    optimizer = torch.optim.Adam(head.parameters())
    spent, shown, number = 0.0, -1.0, 0
    while spent < seconds:
        begun = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 + 0.03 * 0.5 * (1 + float(torch.cos(torch.tensor(3.14159 * spent / seconds))))
        chosen = torch.randint(len(x), (BATCH,), generator=seeded("curve", number))
        optimizer.zero_grad()
        (-head.mean_log_prob(x[chosen], y[chosen])).backward()
        optimizer.step()
        number += 1
        spent += time.perf_counter() - begun
        if spent - shown > seconds / 40 or spent >= seconds:
            shown = spent
            with torch.no_grad():
                yield spent, float(head.mean_log_prob(x, y))


WAYS: dict[str, Callable[..., Iterator[tuple[float, float]]]] = {
    "L-BFGS": lbfgs,
    "L-BFGS, equations as written": equations,
    "Adam on batches": adam,
}


def main() -> None:
    """Fit in every way and write the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="for each way")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    start, x, y = pixels()
    results: list[dict[str, Any]] = []
    for name, way in WAYS.items():
        points = list(way(copy.deepcopy(start), x, y, chosen.seconds))
        results.append({"way": name, "pixels": PIXELS, "points": points})
        print(f"{name}: {points[-1][1]:.4f} nat/px after {points[-1][0]:.1f} s", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
