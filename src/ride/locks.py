"""Directories that one process works in at a time."""

import os
import weakref
from pathlib import Path

from ride.errors import BusyError, OutputError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked.
    fcntl = None  # type: ignore[assignment]


class Lock:
    """Keeps other processes out of a directory for as long as this object, or this process, lives.

    It is the directory itself that is locked: nothing lies in it that would have to be cleared away after a crash.
    """

    def __init__(self, descriptor: int) -> None:
        self.release = weakref.finalize(self, os.close, descriptor)
        """Let others in."""


_held: "weakref.WeakValueDictionary[Path, Lock]" = weakref.WeakValueDictionary()
"""The locks of this process, which does not keep itself out."""


def lock(directory: Path) -> Lock | None:
    """The lock of a directory; None where files cannot be locked, and then others are not kept out.

    Raises:
        BusyError: another process is at work there.
        OutputError: the directory cannot be opened.
    """
    if fcntl is None:
        return None
    path = directory.resolve()
    held = _held.get(path)
    if held is not None and held.release.alive:
        return held
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"cannot open the directory {directory}: {error.strerror}") from error
    made = Lock(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        made.release()
        raise BusyError(
            f"another process is at work in {directory}: wait for it, or give another directory"
        ) from error
    except OSError:
        # A file system without locks.
        made.release()
        return None
    _held[path] = made
    return made
