"""MCGSM, value and gradient, over the time of its bare matrix products.

    python benchmarks/mcgsm.py [--json results.json]

"Trained" parameters are spread as training leaves them: most of the exponentials underflow.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ride.models.mcgsm import MCGSM
from timing import medians

COMPONENTS, SCALES, FEATURES = 32, 4, 32
FLOOR_CHUNK = 1024


def floor(x: Tensor) -> tuple[Callable[[], None], Callable[[], None]]:
    """The products of value and parameters' gradients chunk by chunk; and the products of the inputs' gradient too."""
    inputs = x.shape[1]
    stack = torch.randn(FEATURES + COMPONENTS, inputs)
    weights = torch.rand(COMPONENTS, FEATURES)
    hidden, q = torch.empty(FEATURES + COMPONENTS, FLOOR_CHUNK), torch.empty(COMPONENTS, FLOOR_CHUNK)
    squares = hidden[:FEATURES]
    d_stack, d_weights = torch.empty_like(stack), torch.empty_like(weights)
    d_x = torch.empty_like(x)

    def parameters() -> None:
        for part in x.split(FLOOR_CHUNK):
            torch.mm(stack, part.t(), out=hidden)
            torch.mm(weights, squares, out=q)
            torch.mm(q, squares.t(), out=d_weights)
            torch.mm(weights.t(), q, out=squares)
            torch.mm(hidden, part, out=d_stack)

    def everything() -> None:
        parameters()
        for part in d_x.split(FLOOR_CHUNK):
            torch.mm(hidden.t(), stack, out=part)

    return parameters, everything


def trained(model: MCGSM) -> MCGSM:
    """Parameters as widely spread as after training."""
    with torch.no_grad():
        model.alpha.uniform_(-4, 4)
        model.eta.normal_(std=3)
        model.beta.uniform_(0.1, 1)
        model.b.normal_(std=3 * max(1, model.inputs) ** -0.5)
    return model


def measure(inputs: int, pixels: int, rounds: int, sharp: bool, slow: bool) -> dict[str, float]:
    """Times over the floor, and microseconds a pixel."""
    model = MCGSM(inputs, 1, COMPONENTS, SCALES, FEATURES)
    if sharp:
        trained(model)
    x, y = torch.randn(pixels, inputs), torch.randn(pixels, 1)
    x_wanted = x.clone().requires_grad_()
    floor_parameters, floor_everything = floor(x)
    parameters = list(model.parameters())

    def value() -> None:
        with torch.no_grad():
            model.mean_log_prob(x, y)

    contestants: dict[str, Callable[[], object]] = {
        "floor": floor_parameters,
        "floor with inputs": floor_everything,
        "value": value,
        "gradient": lambda: torch.autograd.grad(model.mean_log_prob(x, y), parameters),
        "with inputs": lambda: torch.autograd.grad(model.mean_log_prob(x_wanted, y), [x_wanted, *parameters]),
    }
    if slow:
        contestants["equations"] = lambda: torch.autograd.grad(
            model(x_wanted).log_prob(y).mean(), [x_wanted, *parameters]
        )
    times = medians(contestants, rounds)
    result = {
        "inputs": inputs,
        "trained": float(sharp),
        "over_floor": times["gradient"] / times["floor"],
        "with_inputs_over_floor": times["with inputs"] / times["floor with inputs"],
    }
    if slow:
        result["equations_over_with_inputs"] = times["equations"] / times["with inputs"]
    return result | {f"microseconds_{name}".replace(" ", "_"): 1e6 * t / pixels for name, t in times.items()}


def main() -> None:
    """Measure and print one line a configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pixels", type=int, default=16 * FLOOR_CHUNK)
    parser.add_argument("--inputs", type=int, nargs="+", default=[12, 22, 40, 64, 128])
    parser.add_argument("--slow", action="store_true", help="time autograd through the bare equations too")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pixels = max(1, options.pixels // FLOOR_CHUNK) * FLOOR_CHUNK
    results = []
    for sharp in (False, True):
        for inputs in options.inputs:
            results.append(measure(inputs, pixels, options.rounds, sharp, options.slow))
            print(", ".join(f"{name} {value:.4g}" for name, value in results[-1].items()), flush=True)
    if options.json:
        figures = {"threads": options.threads, "pixels": pixels, "results": results}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
