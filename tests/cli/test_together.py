"""Several processes that torchrun starts do what one does, and speak with one voice."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Ran, complaint
from tests.pairs import SECONDS, ended, environment, start

from ride.cli.main import _run
from ride.models.files import load

SMALL = ("--hidden", "3", "--components", "2", "--scales", "2", "--features", "2", "--patch", "10", "--threads", "1")


def together(*words: object) -> tuple[list[int], str, str]:
    """Statuses and words of two processes, each of which is told to `ride WORDS`."""
    return ended(start(["-m", "ride", *map(str, words)]))


def story(directory: Path) -> list[float]:
    """The rates of the log."""
    return [json.loads(line)["nats_per_pixel"] for line in (directory / "log.jsonl").read_text().splitlines()]


def test_torchrun_trains_what_one_process_trains(ride, photos: Path, tmp_path: Path):
    words = ("train", photos, *SMALL, "--length", "0.01", "--valid", "1")
    runner = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    done = subprocess.run(
        [*runner, "-m", "ride", *map(str, words), "--out", str(tmp_path / "two")],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout.count("wrote")) == (0, 1), done.stderr
    assert ride(*words, "--out", tmp_path / "one").status == 0
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        "checkpoint.safetensors",
        "log.jsonl",
        "model.safetensors",
        "run.json",
    ]
    # SOAP divides rounding by rounding where a matrix has no gradient; `tests/training/test_ranks.py` is strict.
    assert story(tmp_path / "two") == pytest.approx(story(tmp_path / "one"), abs=0.03)
    assert load(tmp_path / "two").config == load(tmp_path / "one").config


def test_two_processes_print_the_same_rates_as_one(ride, model: Path, photos: Path, tmp_path: Path):
    words = ("evaluate", model, photos, "--json", "--threads", "1", "--maps")
    statuses, out, err = together(*words, tmp_path / "two")
    assert (statuses, err) == ([0, 0], "")
    one, two = json.loads(ride(*words, tmp_path / "one").out), json.loads(out)
    names = ["0000-a.png", "0001-b.png", "0002-c.png"]
    assert two.pop("written") == [str(tmp_path / "two" / name) for name in names]
    assert one.pop("written") == [str(tmp_path / "one" / name) for name in names]
    assert two == one
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == names


def test_an_error_of_one_process_is_one_line_of_all(model: Path, photos: Path):
    np.save(photos / "b2.npy", np.full((2, 12), 7, dtype=np.uint8))
    shutil.copy(photos / "a.png", photos / "d.png")
    # a, b, b2, c, d: the third is one of rank 0, which the other does not look at.
    statuses, out, err = together("evaluate", model, photos, "--threads", "1")
    assert statuses == [1, 1]
    assert "b2.npy" in complaint(Ran(1, out, err))


def test_what_one_process_does_alone_is_refused(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ride.cli.main.started_together", lambda: True)
    said = "ride: error: ride sample works in one process: start it without torchrun"
    assert _run(["sample", str(model), "--out", str(tmp_path / "a.png")]) == (2, said)
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGTERM, "ride: interrupted: a checkpoint is kept in {out}; the same command goes on from it"),
        pytest.param(
            signal.SIGKILL,
            "ride: error: the processes of this run have lost each other: one has ended, killed",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_one_process_that_ends_ends_all(number: signal.Signals, said: str, photos: Path, tmp_path: Path):
    out = tmp_path / "run"
    processes = start(["-m", "ride", "train", str(photos), *SMALL, "--out", str(out), "--length", "10"])
    until = time.monotonic() + SECONDS
    while not (out / "log.jsonl").exists() and processes[0].poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    processes[1].send_signal(number)
    statuses, words, err = ended(processes)
    assert all(statuses)
    assert words == ""
    assert err.startswith(said.format(out=out))
    assert err.count("\n") == 1
    # Nothing half-written is left.
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.safetensors", "log.jsonl", "run.json"]
