"""Compressed files as arguments."""

from pathlib import Path

from ride.errors import CodecError


def read_compressed(path: Path) -> bytes:
    """The bytes of a file; raises `CodecError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CodecError(f"cannot read {path}: {error.strerror}") from error
