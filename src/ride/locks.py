"""Directories that one process works in at a time."""

import os
import weakref
from pathlib import Path

from ride.errors import ConfigError, OutputError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked.
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"
"""The file of a directory by which its process is known."""


class Lock:
    """Keeps other processes out of a directory for as long as this object, or this process, lives.

    A process does not keep itself out. Nothing is left behind that would have to be cleared away after a crash.

    Raises:
        ConfigError: another process is at work there.
        OutputError: the directory cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        try:
            file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"cannot write {directory / LOCK}: {error.strerror}") from error
        self._close = weakref.finalize(self, os.close, file)
        if fcntl is None:
            return
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            self._close()
            raise ConfigError(
                f"another process is at work in {directory}: wait for it, or give another directory"
            ) from error
        except OSError:
            # A file system without locks: go on as if there was no other process.
            return

    def release(self) -> None:
        """Let others in."""
        self._close()
