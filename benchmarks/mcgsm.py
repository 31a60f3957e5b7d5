"""MCGSM, value and gradient, over the time of its matrix products and exponentials; L-BFGS over its gradients.

    python benchmarks/mcgsm.py [--json results.json]

Parameters are spread as training leaves them: most of the exponentials underflow.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import mock

import torch

import floors
from ride.models.mcgsm import MCGSM, native
from ride.threads import spread
from ride.training import head
from ride.training.gradients import descent
from timing import medians, options, record

SIZES = ((32, 32, 12), (32, 32, 40), (32, 32, 64), (128, 48, 40))
"""Components, features, inputs: of RIDE's smallest, of the paper's MCGSMs on 9 x 5 pixels, of RIDE's head."""
AUTHORS = {(32, 32, 40): {1: 17.0, 2: 9.2}, (128, 48, 40): {1: 80.0, 2: 41.0}}
"""Microseconds a sample and threads of the authors' C++ toolbox, timed before on an idle machine of two such cores."""
SCALES = 4
LBFGS_PIXELS, ITERATIONS = 100_000, 20


def trained(components: int, features: int, inputs: int) -> MCGSM:
    """Parameters as widely spread as after training."""
    torch.manual_seed(0)
    model = MCGSM(inputs, 1, components, SCALES, features)
    with torch.no_grad():
        model.alpha.uniform_(-4, 4)
        model.eta.normal_(std=3)
        model.beta.uniform_(0.1, 1)
        model.b.normal_(std=3 * max(1, inputs) ** -0.5)
    return model


def measure(components: int, features: int, inputs: int, threads: int, pixels: int, rounds: int) -> dict[str, Any]:
    """Times over the floor, and microseconds a pixel."""
    model = trained(components, features, inputs)
    x, y = torch.randn(pixels, inputs), torch.randn(pixels, 1)
    parameters, usable = list(model.parameters()), native.usable
    sizes = (inputs, components, features, SCALES)
    torch.set_num_threads(threads)

    def gradient(*data: torch.Tensor) -> object:
        return torch.autograd.grad(model.mean_log_prob(*data), parameters)

    def with_inputs(x: torch.Tensor, y: torch.Tensor) -> object:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(model.mean_log_prob(x, y), [x, *parameters])

    def in_torch() -> None:
        native.usable = lambda a: False
        spread(with_inputs, x, y)
        native.usable = usable

    contestants: dict[str, Callable[[], object]] = {
        "gradient": lambda: spread(gradient, x, y),
        "with inputs": lambda: spread(with_inputs, x, y),
        "in torch": in_torch,
    }
    for name, of_x in (("floor", False), ("floor with inputs", True)):
        make = partial(floors.head, pixels // threads, *sizes, gradient=True, of_x=of_x)
        contestants[name] = floors.in_threads(make, threads)
    times = medians(contestants, rounds)
    microseconds = {name: 1e6 * seconds / pixels for name, seconds in times.items()}
    result = {
        "components": components,
        "features": features,
        "inputs": inputs,
        "threads": threads,
        "over_floor": times["gradient"] / times["floor"],
        "with_inputs_over_floor": times["with inputs"] / times["floor with inputs"],
        "torch_over_floor": times["in torch"] / times["floor with inputs"],
        "microseconds": microseconds["gradient"],
        "microseconds_with_inputs": microseconds["with inputs"],
    }
    authors = AUTHORS.get((components, features, inputs), {}).get(threads)
    if authors:
        result["authors_microseconds"] = authors
    return result


def overhead(threads: int, rounds: int) -> dict[str, Any]:
    """The part of L-BFGS that is neither value nor gradient."""
    model = trained(32, 32, 40)
    start = [parameter.detach().clone() for parameter in model.parameters()]
    x, y = torch.randn(LBFGS_PIXELS, 40), torch.randn(LBFGS_PIXELS, 1)
    torch.set_num_threads(threads)
    parameters = list(model.parameters())

    def gradients() -> None:
        for _ in range(evaluations):
            descent(parameters, model.mean_log_prob, [x, y], 1.0, head.LEAST_PIXELS)

    def reset() -> None:
        with torch.no_grad():
            for parameter, value in zip(parameters, start, strict=True):
                parameter.copy_(value)

    def fit() -> None:
        reset()
        head.fit_head(model, (x, y), None, ITERATIONS)

    with mock.patch.object(head, "descent", wraps=head.descent) as counted:
        fit()
    evaluations = counted.call_count
    reset()
    times = medians({"fit": fit, "gradients": gradients}, rounds)
    return {
        "lbfgs_pixels": LBFGS_PIXELS,
        "threads": threads,
        "iterations": ITERATIONS,
        "evaluations": evaluations,
        "lbfgs_overhead": 1 - times["gradients"] / times["fit"],
    }


def main() -> None:
    """Measure and print one line a configuration."""
    parser = options(__doc__, rounds=15)
    parser.add_argument("--pixels", type=int, default=2**17)
    chosen = parser.parse_args()

    def results() -> Iterator[dict[str, Any]]:
        for threads in chosen.threads:
            for sizes in SIZES:
                yield measure(*sizes, threads, chosen.pixels, chosen.rounds)
            yield overhead(threads, 5)

    record(results(), chosen.json)


if __name__ == "__main__":
    main()
