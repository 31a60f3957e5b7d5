"""How long the paper's schedule would take, from a few of its steps."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from ride.models.ride import RIDE
from ride.training import presets

IMAGES, HEIGHT, WIDTH = 180, 321, 481
"""The training images of BSDS300 that are not held out."""
HEAD_PIXELS = 1_000_000


def seconds(run: Callable[[], object], rounds: int) -> float:
    """Median of the time of a run that ends by giving a number to Python."""
    times = []
    for number in range(rounds + 1):
        start = time.perf_counter()
        run()
        if number:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def schedule(model: RIDE, rounds: int, head_pixels: int = HEAD_PIXELS) -> dict[str, Any]:
    """Hours of `presets.paper` on BSDS300 for a model trained with all its layers at once.

    Measured: gradient steps at every size of patch, and one value and gradient of the MCGSM for L-BFGS, of which an
    iteration is taken to need one. Not counted: reading patches, and what is scored between the stages.
    """
    config = presets.paper(len(model.stack))
    device = model.whitening.mean_out.device
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=config.momentum)
    total, steps_of = 0.0, {}
    for stage in config.stages:
        batch = config.batch_of(stage)
        images = torch.rand(batch, stage.patch, stage.patch, device=device)

        def step(images: torch.Tensor = images) -> float:
            optimizer.zero_grad()
            objective = model.mean_log_prob(images)
            (-objective).backward()
            optimizer.step()
            return float(objective.detach())

        patches = IMAGES * (HEIGHT // stage.patch) * (WIDTH // stage.patch) * (1 + config.mirror) * (1 + config.flip)
        steps = int(patches * stage.epochs) // batch
        each = seconds(step, rounds)
        total += steps * each
        steps_of[stage.patch] = {"steps": steps, "milliseconds": round(1e3 * each, 3)}
    h = torch.randn(head_pixels, model.config.hidden, device=device)
    y = torch.randn(head_pixels, model.config.channels, device=device)
    parameters = list(model.head.parameters())

    def gradient() -> float:
        value = model.head.mean_log_prob(h, y)
        return float(torch.autograd.grad(value, parameters)[0].sum())

    iterations = sum(stage.head_iterations for stage in config.stages)
    head = seconds(gradient, rounds)
    total += iterations * head
    measured = {"patches": steps_of, "head": {"iterations": iterations, "milliseconds": round(1e3 * head, 3)}}
    return {"hours": total / 3600, "extrapolated": True, "measured": measured}
