"""The demonstration: what this library is for, in a few minutes on a small machine."""

import json
import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ride.atomic import write_bytes
from ride.data import Picture, dequantize, open_pictures, seeded
from ride.errors import ConfigError
from ride.evaluation import Histogram, Rate, evaluate, gain
from ride.experiments.image_files import write_image
from ride.experiments.pictures import Panel, draw
from ride.models.files import load, save
from ride.models.neighborhood import Neighborhood
from ride.models.ride import RIDE, RIDEConfig
from ride.progress import Bars, Progress
from ride.training import FitConfig, Stage, fit

BUNDLED = "bsds300"
MCGSM = RIDEConfig(layers=0, neighborhood=9)
MCGSM_FIT = FitConfig(stages=(Stage(patch=16, steps=0, rate=0.0, head_iterations=100),), head_pixels=200_000)
SPATIAL = RIDEConfig(layers=1, hidden=32)
SPATIAL_FIT = FitConfig(
    stages=(
        Stage(patch=16, steps=400, rate=1e-2, rate_end=3e-3),
        Stage(patch=24, steps=500, rate=3e-3, rate_end=1e-4),
    ),
)
TRAINING, TEST = 40, 10
"""Images of dead leaves to train and to test on."""
SIDE, TEXTURE = 128, 256
"""Sides of the samples of dead leaves, and of that of the bundled model, in pixels."""


@dataclass(frozen=True)
class Demonstration:
    """What came out: rates on dead leaves from the weakest to the strongest model, and on a photograph."""

    dead_leaves: tuple[Rate, ...]
    gain: tuple[float, float | None]
    photograph: Rate
    seconds: float
    written: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, for one JSON object."""
        return {
            "dead_leaves": [rate.to_json() for rate in self.dead_leaves],
            "ride_over_mcgsm_bits": self.gain[0],
            "ride_over_mcgsm_stderr_bits": self.gain[1],
            "photograph": self.photograph.to_json(),
            "seconds": self.seconds,
            "written": [str(path) for path in self.written],
        }


def demonstrate(out: Path, *, seed: int, device: torch.device, bars: Bars) -> Demonstration:
    """Train two models on dead leaves and compare them, then use the bundled one on a photograph.

    Writes pictures, both models and `results.json` into the folder `out`, which is there.

    Raises:
        ConfigError: scikit-image, which brings the photograph, or matplotlib is not installed.
        ModelError: the bundled model is missing.
        OutputError: a file cannot be written.
    """
    begun = time.monotonic()
    photograph, bundled = _photograph(), load(BUNDLED).to(device)
    leaves = open_pictures("deadleaves", seed=seed, limit=TRAINING + TEST)
    training, test = [leaves[k] for k in range(TRAINING)], [leaves[TRAINING + k] for k in range(TEST)]

    mcgsm = _fitted(MCGSM, MCGSM_FIT, training, seed, device, bars("1/4 fitting an MCGSM to dead leaves"))
    spatial = _fitted(SPATIAL, SPATIAL_FIT, training, seed, device, bars("2/4 fitting RIDE to dead leaves"))
    rates = _rates({"MCGSM": mcgsm, "RIDE": spatial}, training, test, seed, bars("3/4 scoring"))
    maps: list[Tensor] = []
    rate = evaluate(
        bundled, [photograph], seed=seed, name=BUNDLED, each=lambda name, image, values: maps.append(values)
    )

    pictures = {
        "deadleaves.png": dequantize(test[0], seeded(seed, 0))[:SIDE, :SIDE],
        "deadleaves-mcgsm.png": _sample(mcgsm, SIDE, seed),
        "deadleaves-ride.png": _sample(spatial, SIDE, seed),
        "photograph.png": dequantize(photograph, seeded(seed, 0)),
    }
    with bars("4/4 drawing") as progress:
        pictures["sample.png"] = _sample(bundled, TEXTURE, seed, progress)
    for name, image in pictures.items():
        write_image(out / name, image)
    shown = [Panel(title, pictures[name]) for name, title in _titles(rates, rate).items()]
    bits = Panel("log-likelihood of each pixel", maps[0] / math.log(2), bits=True)
    draw(out / "photograph-bits.png", [[bits]])
    draw(out / "demo.png", [shown[:3], [shown[3], bits, shown[4]]])
    for name, model in (("mcgsm", mcgsm), ("ride", spatial)):
        save(model, out / f"deadleaves-{name}.safetensors", {"made": "by ride demo, on dead leaves", "seed": seed})

    written = [*pictures, "photograph-bits.png", "demo.png", "deadleaves-mcgsm.safetensors"]
    written += ["deadleaves-ride.safetensors", "results.json"]
    result = Demonstration(
        tuple(rates),
        gain(rates[-1], rates[-2]),
        rate,
        time.monotonic() - begun,
        tuple(out / name for name in written),
    )
    write_bytes(out / "results.json", json.dumps(result.to_json(), indent=1).encode())
    return result


def _photograph() -> Picture:
    try:
        from skimage import data
    except ImportError as error:
        raise ConfigError(
            "the photograph of the demo comes with scikit-image: pip install 'ride-density[demo]'"
        ) from error
    return Picture("camera", np.asarray(data.camera()), 256)


def _fitted(
    config: RIDEConfig,
    recipe: FitConfig,
    pictures: Sequence[Picture],
    seed: int,
    device: torch.device,
    bar: AbstractContextManager[Progress | None],
) -> RIDE:
    torch.manual_seed(seed)
    model = RIDE(config).to(device)
    with bar as progress:
        fit(model, pictures, config=replace(recipe, seed=seed), progress=progress)
    return model.eval()


def _rates(
    models: dict[str, RIDE],
    training: Sequence[Picture],
    test: Sequence[Picture],
    seed: int,
    bar: AbstractContextManager[Progress | None],
) -> list[Rate]:
    """Rates of the factorial baseline and of the models, in their order."""
    histogram = Histogram.fit(training, seed=seed, neighborhood=Neighborhood(SPATIAL.neighborhood))
    rates = [evaluate(histogram, test, seed=seed, name=f"histogram, {histogram.bins} bins")]
    with bar as progress:
        for name, model in models.items():
            rates.append(evaluate(model, test, seed=seed, name=name, progress=progress))
    return rates


def _sample(model: RIDE, side: int, seed: int, progress: Progress | None = None) -> Tensor:
    return model.sample(side, side, seed=seed, progress=progress)[0]


def _titles(dead_leaves: Sequence[Rate], photograph: Rate) -> dict[str, str]:
    """The pictures of the figure in their order, and what stands above them."""
    _, mcgsm, spatial = (f"{rate.bits_per_pixel:.2f} bit/px" for rate in dead_leaves)
    return {
        "deadleaves.png": "dead leaves",
        "deadleaves-mcgsm.png": f"drawn from an MCGSM, {mcgsm}",
        "deadleaves-ride.png": f"drawn from RIDE, {spatial}",
        "photograph.png": f"photograph, {photograph.bits_per_pixel:.2f} bit/px",
        "sample.png": "drawn from the bundled model",
    }
