"""Another process that is at work in a directory."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHER = """
import sys
from pathlib import Path
from ride.locks import lock
held = lock(Path(sys.argv[1]))
print("in", flush=True)
sys.stdin.read()
"""


@contextmanager
def at_work_in(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Let a process hold the lock of a directory until the end of the block, or until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        try:
            yield other
        finally:
            other.kill()
            other.wait()
