"""A whole training step on 50 patches of 22 x 22, part by part, over the time of all of its bare matrix products.

python benchmarks/step.py [--json results.json]
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

import floors
from ride.data import Picture
from ride.models.ride import RIDE, RIDEConfig
from ride.threads import spread
from ride.training import Stage
from ride.training.batches import Batches
from ride.training.curriculum import LEAST_PATCHES
from ride.training.gradients import descent
from ride.training.presets import default
from timing import medians, options, record

BATCH, SIDE, PREDICTED = 50, 22, (20, 18)
PIXELS = BATCH * PREDICTED[0] * PREDICTED[1]
AUTHORS = {1: 62.0, 2: 47.0}
"""Microseconds a predicted pixel and threads of a step of the authors' program with one layer of 64, timed before on
an idle machine of two such cores."""


def measure(hidden: int, layers: int, threads: int, rounds: int) -> dict[str, Any]:
    """Seconds of the parts and of the whole, and the ratio to the floor."""
    torch.manual_seed(0)
    noise = np.random.default_rng(0)
    pictures = [Picture(str(k), noise.integers(0, 256, (321, 481), dtype=np.uint8), 256) for k in range(20)]
    config, stage = default(1), Stage(patch=SIDE, steps=1, rate=1e-3, batch=BATCH)
    batches = Batches(pictures, config)
    model = RIDE(RIDEConfig(hidden=hidden, layers=layers))
    model.fit_whitening([batches.draw(0, stage, 0)])
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-4)
    d = model.neighborhood.size
    torch.set_num_threads(threads)
    patches = batches.draw(0, stage, 1)
    with torch.no_grad():
        units, whitened = model.hidden_states(patches)

    def descend(patches: torch.Tensor) -> None:
        descent(parameters, model.mean_log_prob, [patches], 1.0, LEAST_PATCHES)

    def update() -> None:
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    def whole() -> None:
        descend(batches.draw(0, stage, 2))
        update()

    def head(x: torch.Tensor, y: torch.Tensor) -> object:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(model.head.mean_log_prob(x, y), [x, *model.head.parameters()])

    part = BATCH // threads
    predicted = PIXELS // threads

    def products() -> floors.Products:
        return floors.together(
            floors.product(predicted, d, d),
            floors.slstm(part, *PREDICTED, d, hidden, layers),
            floors.head(predicted, hidden, 32, 32, 4, gradient=True, of_x=True),
        )

    contestants: dict[str, Callable[[], object]] = {
        "floor": floors.in_threads(products, threads),
        "whole": whole,
        "crops": lambda: batches.draw(0, stage, 2),
        "neighborhoods": lambda: spread(model.pairs, patches),
        "likelihood": lambda: spread(head, units, whitened),
        "gradient": lambda: descend(patches),
        "update": update,
    }
    descend(patches)
    times = {name: 1e6 * seconds / PIXELS for name, seconds in medians(contestants, rounds).items()}
    result: dict[str, Any] = {
        "hidden": hidden,
        "layers": layers,
        "threads": threads,
        "over_floor": times["whole"] / times["floor"],
        **{f"microseconds_{name}": value for name, value in times.items()},
    }
    if (hidden, layers) == (64, 1) and threads in AUTHORS:
        result["authors_microseconds"] = AUTHORS[threads]
    return result


def main() -> None:
    """Measure and print one line a configuration."""
    chosen = options(__doc__, rounds=11).parse_args()

    def results() -> Iterator[dict[str, Any]]:
        for threads in chosen.threads:
            for hidden, layers in ((64, 1), (128, 3)):
                yield measure(hidden, layers, threads, chosen.rounds)

    record(results(), chosen.json)


if __name__ == "__main__":
    main()
