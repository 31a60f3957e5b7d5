"""A file is replaced whole or left as it was."""

import errno
import os
from pathlib import Path

import pytest

from ride.atomic import replacing, write_bytes
from ride.errors import OutputError


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_it_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    for data in (b"one", b"two"):
        write_bytes(path, data)
        assert path.read_bytes() == data
        assert names(tmp_path) == ["a.bin"]


def test_the_temporary_file_lies_beside_and_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"x")
        assert not (tmp_path / "a.png").exists()
    assert names(tmp_path) == ["a.png"]


def test_permissions_follow_the_umask(tmp_path):
    write_bytes(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    write_bytes(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_full_disk_is_an_output_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot write .*a: No space left on device"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_missing_directory_and_a_directory_in_the_way_are_output_errors(tmp_path):
    with pytest.raises(OutputError, match="No such file or directory"):
        write_bytes(tmp_path / "missing" / "a", b"x")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="taken"):
        write_bytes(tmp_path / "taken", b"x")
    assert names(tmp_path) == ["taken"]


def test_what_lies_in_a_directory_that_cannot_be_read_is_written(tmp_path, monkeypatch):
    opened = os.open

    def refusing(path, flags, *args):
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, flags, *args)

    monkeypatch.setattr(os, "open", refusing)
    write_bytes(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_directory_that_cannot_be_written_is_an_output_error(tmp_path, monkeypatch):
    def refuse(path, exist_ok=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # Where permissions say so root writes nevertheless.
    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        write_bytes(tmp_path / "a", b"x")
