"""Starting two processes that find each other, as torchrun does, without what torchrun says itself."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SECONDS = 120.0
"""How long a busy machine may take for the work of a test."""


def start(words: list[str]) -> list[subprocess.Popen[str]]:
    """Start `python WORDS` as rank 0 and rank 1 of 2."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    return [
        subprocess.Popen(
            [sys.executable, *words],
            env={**environment(), **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def environment() -> dict[str, str]:
    """That of a process which computes with one thread and talks to this machine alone."""
    here = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    return {**os.environ, **here, "OMP_NUM_THREADS": "1"}


def ended(processes: list[subprocess.Popen[str]]) -> tuple[list[int], str, str]:
    """The statuses of processes that have to end, and what they have written together."""
    try:
        texts = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], "".join(t[0] for t in texts), "".join(t[1] for t in texts)
