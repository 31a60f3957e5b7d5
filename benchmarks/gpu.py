"""RIDE on a GPU: the fused kernels against the plain wavefront, and over the bare matrix products.

    python benchmarks/gpu.py [--json results.json] [--data BSDS300/images/test]

First the kernels are held against float64 on the GPU itself. Then follow the pixels per second of training and of
scoring, for the spatial LSTMs alone and for the whole model, each as a fraction of what the products alone would
allow at the measured rate of a large product; what TF32 and bfloat16 do to the rate of the bundled model; and the
time of the paper's schedule, extrapolated from measured steps.
"""

import argparse
import copy
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gpu_schedule import schedule
from ride.data import DeadLeaves, open_pictures
from ride.evaluation import evaluate
from ride.evaluation.rates import gain
from ride.models.files import load
from ride.models.ride import RIDE, RIDEConfig
from ride.models.slstm import SpatialLSTM, gpu
from ride.models.slstm.diagonals import diagonals
from timing import medians

SIZES = ((64, 1), (128, 3), (256, 3), (512, 3))
PATCH, TILE = 22, 64
MODES = {"float32": "highest", "tf32": "high", "bf16": "medium"}
"""What the products are made in, and torch's name for it."""
TOLERANCE = {"float32": 1e-4, "tf32": 2e-2, "bf16": 1e-1}
"""Relative errors that float64 may find in the weights' gradient before something must be wrong."""


def under(mode: str, run: Callable[[], object]) -> Callable[[], object]:
    """`run` with products in this precision."""

    def wrapped() -> object:
        torch.set_float32_matmul_precision(MODES[mode])
        return run()

    return wrapped


def plain(model: RIDE) -> RIDE:
    """A copy that runs the wavefront in PyTorch."""
    twin = copy.deepcopy(model)
    for layer in twin.stack:
        layer.fused = False
    return twin


def product_rates(rounds: int, device: torch.device, side: int) -> dict[str, float]:
    """Operations a second of a large matrix product on random numbers, in each precision."""
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    low = a.bfloat16(), b.bfloat16()
    runs = {mode: under(mode, partial(torch.mm, *(low if mode == "bf16" else (a, b)))) for mode in MODES}
    return {mode: 2 * side**3 / seconds for mode, seconds in medians(runs, rounds, torch.cuda.synchronize).items()}


def errors(hidden: int, extended: bool, device: torch.device) -> dict[str, float]:
    """Relative errors of the kernels' gradient in each precision, by the plain wavefront in float64."""
    layer = SpatialLSTM(12, hidden, extended).to(device)
    exact = copy.deepcopy(layer).double()
    x = torch.randn(7, 19, 23, 12, device=device)
    into = torch.randn(7, 19, 23, hidden, device=device)
    expected = torch.autograd.grad((exact(x.double()) * into).sum(), exact.weight)[0]
    found = {}
    for mode in MODES:
        under(mode, lambda: None)()
        gradient = torch.autograd.grad((layer(x) * into).sum(), layer.weight)[0]
        found[mode] = float((gradient - expected).norm() / expected.norm())
    return found


def operations(model: RIDE, training: bool) -> int:
    """Additions and multiplications a pixel in the products of the spatial LSTMs."""
    total = 0
    for number, layer in enumerate(model.stack):
        n, d = layer.hidden, layer.in_features
        forward = 2 * 5 * n * (d + 2 * n)
        # Of the recurrence, of the weights, and of the inputs where they have a gradient.
        backward = 2 * 5 * n * 2 * n + forward + (2 * 5 * n * d if number else 0)
        total += forward + (backward if training else 0)
    return total


def stack_run(model: RIDE, batch: int, side: int, training: bool) -> Callable[[], object]:
    """The spatial LSTMs alone on inputs that are there."""
    height, width = model.neighborhood.predicted_shape(side, side)
    grid, like = diagonals(height, width), model.whitening.mean_out
    x = torch.randn(height * width, batch, model.neighborhood.size, device=like.device)
    grad = torch.randn(height * width, batch, model.config.hidden, device=like.device)
    parameters = list(model.layers.parameters())

    def run() -> object:
        with torch.set_grad_enabled(training):
            h = x
            for layer in model.stack:
                h = layer.diagonal(h, grid)
            return torch.autograd.grad(h, parameters, grad) if training else h

    return run


def model_run(model: RIDE, batch: int, side: int, training: bool) -> Callable[[], object]:
    """The whole model: the gradient of the mean log-likelihood, or that of every pixel."""
    images = torch.rand(batch, side, side, device=model.whitening.mean_out.device)
    parameters = list(model.parameters())

    def run() -> object:
        with torch.set_grad_enabled(training):
            if training:
                return torch.autograd.grad(model.mean_log_prob(images), parameters)
            return model.log_prob(images)

    return run


def captured(run: Callable[[], object]) -> Callable[[], object]:
    """`run` as a CUDA graph; what it allocates stays with the graph, so that the model must serve nothing else."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()

    def replay(kept: object = run) -> None:
        # The graph reads and writes what `run` holds, which must not be freed before it.
        graph.replay()

    return replay


def measure(
    model: RIDE, batch: int, side: int, training: bool, rates: dict[str, float], rounds: int, graphs: bool
) -> dict[str, Any]:
    """Pixels per second of every contestant, and the fraction of the measured rate that their products reach."""
    slow = plain(model)
    runs: dict[str, Callable[[], object]] = {}
    modes: dict[str, str] = {}
    for part, make in (("LSTMs", stack_run), ("model", model_run)):
        for mode in MODES:
            if mode != "bf16":
                runs[f"{part} plain {mode}"] = under(mode, make(slow, batch, side, training))
            runs[f"{part} fused {mode}"] = under(mode, make(model, batch, side, training))
            modes[f"{part} plain {mode}"] = modes[f"{part} fused {mode}"] = mode
    height, width = model.neighborhood.predicted_shape(side, side)
    pixels = batch * height * width
    times = medians(runs, rounds, torch.cuda.synchronize)
    # Last: a failed capture must not spoil the others.
    failed = {}
    for mode in MODES if graphs else ():
        name = f"LSTMs graph {mode}"
        try:
            under(mode, lambda: None)()
            graph = captured(stack_run(copy.deepcopy(model), batch, side, training))
            times |= medians({name: graph}, rounds, torch.cuda.synchronize)
            modes[name] = mode
        except RuntimeError as error:
            failed[name] = str(error).splitlines()[0]
            break
    work = operations(model, training)
    return {
        "hidden": model.config.hidden,
        "layers": model.config.layers,
        "what": "training" if training else "scoring",
        "batch": batch,
        "side": side,
        "pixels_per_second": {name: pixels / seconds for name, seconds in times.items()},
        "fraction_of_products": {
            name: work * pixels / seconds / rates[modes[name]]
            for name, seconds in times.items()
            if name.startswith("LSTMs")
        },
        "fused_over_plain": times["model plain float32"] / times["model fused float32"],
        "failed": failed,
    }


def precision_effect(name: str, data: str | None, device: torch.device, count: int = 20) -> dict[str, Any]:
    """Rates of a model with products in each precision, and what they differ from float64 by, image by image."""
    model = load(name).to(device)
    pictures = open_pictures(data) if data else DeadLeaves(count=count)
    score = partial(evaluate, pictures=pictures, tile=TILE)
    exact = score(model=copy.deepcopy(model).double())
    found: dict[str, Any] = {"data": data or "dead leaves", "float64": exact.bits_per_pixel}
    for mode in MODES:
        rate = under(mode, lambda: score(model=model))()
        difference, error = gain(rate, exact)  # type: ignore[arg-type]
        found[mode] = {"bits_per_pixel": rate.bits_per_pixel, "gain": difference, "stderr": error}  # type: ignore[attr-defined]
    return found


def new_model(hidden: int, layers: int, device: torch.device) -> RIDE:
    """A model that was not trained, but forgets: without, its memory would grow over a tile."""
    model = RIDE(RIDEConfig(hidden=hidden, layers=layers))
    for layer in model.stack:
        layer.set_forget_bias(-1)
    return model.to(device)


def size(text: str) -> tuple[int, int]:
    """Hidden units and layers, from what is written as 128x3."""
    hidden, layers = map(int, text.split("x"))
    return hidden, layers


def show(found: dict[str, Any]) -> None:
    """One line a contestant."""
    print(f"{found['what']}, {found['hidden']} x {found['layers']}, {found['batch']} of {found['side']}²:", flush=True)
    for name, speed in found["pixels_per_second"].items():
        fraction = found["fraction_of_products"].get(name)
        print(f"  {name:20} {speed / 1e6:9.2f} Mpx/s" + (f"  {fraction:6.1%} of its products" if fraction else ""))
    for name, reason in found["failed"].items():
        print(f"  {name:20} failed: {reason}")


def main() -> None:
    """Check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=size, nargs="+", default=SIZES, help="of models, such as 64x1 128x3")
    parser.add_argument("--batch", type=int, nargs="+", default=[50, 400], help="patches of a training step")
    parser.add_argument("--tiles", type=int, default=64, help="tiles scored at once")
    parser.add_argument("--no-graphs", dest="graphs", action="store_false", help="do without CUDA graphs")
    parser.add_argument("--data", help="pictures for the effect of the precision on the bundled model's rate")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py needs a GPU that PyTorch can use, and there is none here")
    device = torch.device("cuda", torch.cuda.current_device())
    if not gpu.usable(device, torch.float32):
        sys.exit("benchmarks/gpu.py needs Triton (pip install '.[gpu]') and a GPU of compute capability 8.0 or more")
    torch.manual_seed(0)
    found: dict[str, Any] = {"gpu": torch.cuda.get_device_name(device), "torch": torch.__version__}
    print(f"{found['gpu']}, PyTorch {found['torch']}")
    found["errors"] = {
        f"{hidden} units{', extended' * extended}": errors(hidden, extended, device)
        for hidden, extended in ((64, False), (64, True), (20, False), (512, False))
    }
    print("relative errors of the weights' gradient, by float64:", json.dumps(found["errors"]))
    wrong = [
        f"{size} in {mode}: {error:.1e}"
        for size, by_mode in found["errors"].items()
        for mode, error in by_mode.items()
        if not error <= TOLERANCE[mode]
    ]
    if wrong:
        sys.exit(f"the kernels are wrong on this GPU ({'; '.join(wrong)}): set `fused = False` on the layers")
    rates = found["product_rates"] = product_rates(options.rounds, device, 8192)
    print("products:", ", ".join(f"{mode} {rate / 1e12:.1f} TFLOP/s" for mode, rate in rates.items()))
    found["speed"] = []
    for hidden, layers in options.sizes:
        model = new_model(hidden, layers, device)
        plans = [(batch, PATCH, True) for batch in options.batch] + [(options.tiles, TILE, False)]
        for batch, side, training in plans:
            found["speed"].append(measure(model, batch, side, training, rates, options.rounds, options.graphs))
            show(found["speed"][-1])
    found["precision"] = precision_effect("bsds300", options.data, device)
    print("rate of the bundled model:", json.dumps(found["precision"]))
    found["schedule"] = []
    for hidden, layers in options.sizes:
        for mode in MODES:
            torch.set_float32_matmul_precision(MODES[mode])
            hours = schedule(new_model(hidden, layers, device), options.rounds)
            found["schedule"].append({"hidden": hidden, "layers": layers, "mode": mode} | hours)
            name = f"paper's schedule, {hidden} x {layers}, {mode}"
            print(f"{name}: {hours['hours']:.2f} h, extrapolated from {options.rounds} steps a stage", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
