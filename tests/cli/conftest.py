"""A tiny model, a few images, and two ways of running the command."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ride.cli.main import main
from ride.models.files import save
from ride.models.ride import RIDE, RIDEConfig


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def ride(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `ride` within this process."""

    def run(*words: object) -> Ran:
        status = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ran(status, out, err)

    return run


def typed(*words: object) -> list[str]:
    """What a person types, for this installation."""
    return [sys.executable, "-m", "ride", *map(str, words)]


def run_apart(*words: object) -> Ran:
    """Run `ride` as a person does, in a process of its own."""
    done = subprocess.run(typed(*words), capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def shape_of(path: Path) -> tuple[int, int]:
    """Rows and columns of a picture."""
    with Image.open(path) as image:
        return image.height, image.width


def complaint(ran: Ran) -> str:
    """The one line of an error, and nothing else anywhere."""
    assert ran.status == 1
    assert ran.out == ""
    assert ran.err.startswith("ride: error: ")
    assert ran.err.count("\n") == 1
    return ran.err


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file."""
    torch.manual_seed(0)
    tiny = RIDE(RIDEConfig(hidden=3, components=2, scales=2, features=2))
    tiny.fit_whitening([torch.rand(2, 12, 12)])
    path = tmp_path / "tiny.safetensors"
    save(tiny, path, {"made": "at random"})
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three small images of different sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, shape in (("a.png", (12, 14)), ("b.png", (16, 11)), ("c.png", (14, 14))):
        Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    return folder
