"""Files that are written whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ride.errors import OutputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`, of the same suffix, that becomes `path` when the block ends well.

    Whatever ends the block otherwise, an interrupt included, removes the temporary file and leaves `path`
    as it was. Raises `OutputError` where the disk is full or the directory is missing or cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        _flush(temporary)
        temporary.replace(target)
        # The new name is on disk only once the directory is; not every directory that can be written can be read.
        with suppress(OSError):
            _flush(target.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all; raises `OutputError`, see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _flush(path: Path) -> None:
    """Wait until the file or directory is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
