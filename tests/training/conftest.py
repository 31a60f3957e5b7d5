"""Small correlated images, small models, short runs of both kinds, and the reading of what a run leaves behind."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ride.data import Picture
from ride.models.files import load, load_card
from ride.models.ride import RIDE, RIDEConfig
from ride.training import FitConfig, Stage

ADAM = FitConfig(
    stages=(Stage(patch=8, steps=4, rate=1e-2, rate_end=2e-3), Stage(patch=10, steps=3, rate=2e-3, head_iterations=8)),
    batch=3,
    warmup=2,
    whitening_pixels=300,
    head_pixels=300,
    head_valid_pixels=100,
    valid_tile=12,
)
"""Like the default: fresh crops with fresh noise, falling rates, L-BFGS at the end."""
SGD = FitConfig(
    stages=(
        Stage(patch=6, steps=None, rate=0.2, head_iterations=7),
        Stage(patch=8, steps=None, rate=0.1, head_iterations=7),
    ),
    optimizer="sgd",
    batch=6,
    warmup=0,
    clip=None,
    crops="tiles",
    noise="fixed",
    whitening_pixels=300,
    head_pixels=300,
    head_valid_pixels=0,
    valid_tile=12,
    stop_when_worse=True,
)
"""Like the paper's: tiles, noise drawn once, epochs, L-BFGS after every stage."""


def growing(config: FitConfig) -> FitConfig:
    """The same with another layer in the last stage, and no end before it."""
    stages = (*config.stages[:-1], replace(config.stages[-1], add_layer=True))
    return replace(config, stages=stages, stop_when_worse=False)


def correlated(count: int = 3, shape: tuple[int, ...] = (13, 17), seed: int = 0) -> np.ndarray:
    """Images [B, H, W(, M)] of uint8 in which each pixel is like the ones to the left and above, but for leaps."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(count, *shape)) * np.exp(1.5 * draw.normal(size=(count, *shape)))
    for axis in (1, 2):
        values = np.moveaxis(values, axis, 0)
        for k in range(1, len(values)):
            values[k] = 0.9 * values[k - 1] + 0.44 * values[k]
        values = np.moveaxis(values, 0, axis)
    return (128 + 20 * values).clip(0, 255).astype(np.uint8)


def pictures(count: int = 3, shape: tuple[int, ...] = (13, 17), seed: int = 0) -> list[Picture]:
    """The same, with names."""
    return [Picture(f"{seed}-{k}.png", image, 256) for k, image in enumerate(correlated(count, shape, seed))]


def model_of(layers: int = 1, **settings: Any) -> RIDE:
    """A small model, always with the same parameters."""
    torch.manual_seed(1)
    return RIDE(RIDEConfig(layers=layers, **{"hidden": 3, "components": 2, "scales": 2, "features": 2, **settings}))


CLOSED = -60.0
"""An eta whose component no pixel uses."""


def closed(model: RIDE, count: int) -> RIDE:
    """The model with the gates of so many components closed: no pixel uses them."""
    with torch.no_grad():
        model.head.eta[:count] = CLOSED
    return model


def model_for(config: FitConfig, layers: int) -> RIDE:
    """A small model for such a run: with closed components where the run is to put some to work."""
    return closed(model_of(layers, components=5), 3) if config.revive else model_of(layers)


def log_of(directory: Path) -> list[dict[str, Any]]:
    """The lines of the log but for the time, each strict JSON."""

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    lines = (directory / "log.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line, parse_constant=refuse) for line in lines]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def same(one: RIDE, other: RIDE) -> bool:
    """Whether two models are equal bit for bit."""
    a, b = one.state_dict(), other.state_dict()
    return one.config == other.config and a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def left(directory: Path, model: RIDE) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What a run has left, its log and its card, after a look that file and model agree."""
    assert same(load(directory), model)
    return log_of(directory), load_card(directory)
