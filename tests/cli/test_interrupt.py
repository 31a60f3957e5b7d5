"""An interrupt is one line that says what is kept, and the same command goes on from there."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import run_apart, typed

from ride.cli import deadleaves

SECONDS = 60.0
"""How long a busy machine may take to come so far."""


@pytest.fixture
def _heeding_interrupts():
    """A process started from one that ignores interrupts, as in the background, would ignore them too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heeding_interrupts")
def test_training_is_interrupted_and_goes_on(tmp_path: Path):
    draw = np.random.default_rng(0)
    for number in range(2):
        Image.fromarray(draw.integers(0, 256, (24, 24), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    out = tmp_path / "run"
    small = ("--hidden", 4, "--components", 2, "--scales", 1, "--features", 2, "--patch", 12, "--length", 0.05)
    words = ("train", tmp_path, "--out", out, *small, "--valid", 0, "--threads", 1)
    process = subprocess.Popen(typed(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + SECONDS
    # The first line of the log comes in the middle of the first stage.
    while not (out / "log.jsonl").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert said == ""
    kept = f"a checkpoint is kept in {out}; the same command goes on from it"
    assert complained == f"ride: interrupted: {kept}\n"
    assert (out / "checkpoint.safetensors").exists()

    done = run_apart(*words)
    assert (done.status, done.err) == (0, "")
    assert f"wrote {out / 'model.safetensors'}" in done.out
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint.safetensors",
        "log.jsonl",
        "model.safetensors",
        "run.json",
    ]


def interrupting(after: int, work):
    """A function that works so many times and is then interrupted."""
    left = after

    def once(*arguments, **options):
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        return work(*arguments, **options)

    return once


def test_dead_leaves_are_interrupted_and_go_on(ride, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = ("deadleaves", tmp_path / "leaves", "--count", "3", "--size", "8")
    with monkeypatch.context() as patched:
        patched.setattr(deadleaves, "replacing", interrupting(2, deadleaves.replacing))
        ran = ride(*words)
    assert (ran.status, ran.out) == (130, "")
    kept = f"2 of 3 images are in {tmp_path / 'leaves'}; the same command goes on"
    assert ran.err == f"ride: interrupted: {kept}\n"
    assert "wrote 1 image of" in ride(*words).out
    assert len(list((tmp_path / "leaves").glob("*.png"))) == 3


def test_other_commands_say_that_nothing_is_kept(ride, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ride.data.sources.readers", interrupting(0, print))
    ran = ride("evaluate", model, photos)
    assert (ran.status, ran.out) == (130, "")
    assert ran.err == "ride: interrupted: nothing was written; the same command starts again\n"


def test_an_interrupt_while_arguments_are_read_has_no_command_to_ask(ride, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ride.cli.main._parse", interrupting(0, print))
    ran = ride("train")
    assert (ran.status, ran.err) == (130, "ride: interrupted: nothing was written\n")
