"""Directories that one process works in at a time."""

from pathlib import Path

import pytest
from tests.at_work import at_work_in

from ride.errors import BusyError, OutputError
from ride.locks import lock


def test_another_process_is_kept_out_until_the_first_ends(tmp_path: Path):
    with at_work_in(tmp_path) as other:
        with pytest.raises(BusyError, match="another process is at work"):
            lock(tmp_path)
        other.kill()
        other.wait()
    held = lock(tmp_path)
    assert held is not None
    assert not list(tmp_path.iterdir())


def test_a_process_does_not_keep_itself_out(tmp_path: Path):
    first = lock(tmp_path)
    assert first is not None
    assert lock(tmp_path) is first
    first.release()
    assert lock(tmp_path) is not first


def test_a_directory_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(OutputError, match="missing"):
        lock(tmp_path / "missing")
