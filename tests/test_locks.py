"""Directories that one process works in at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from ride.errors import ConfigError, OutputError
from ride.locks import Lock

OTHER = """
import sys
from pathlib import Path
from ride.locks import Lock
lock = Lock(Path(sys.argv[1]))
print("in", flush=True)
sys.stdin.read()
"""


def test_another_process_is_kept_out_until_the_first_ends(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        with pytest.raises(ConfigError, match="another process is at work"):
            Lock(tmp_path)
        other.kill()
        other.wait()
    Lock(tmp_path).release()


def test_a_process_does_not_keep_itself_out(tmp_path: Path):
    first, second = Lock(tmp_path), Lock(tmp_path)
    second.release()
    first.release()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(OutputError, match="missing"):
        Lock(tmp_path / "missing")
