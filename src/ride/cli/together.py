"""Being one of several processes that torchrun has started for one command."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import timedelta
from types import FrameType
from typing import NoReturn

from ride.errors import RankError

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""How torchrun tells a process who it is."""
PATIENCE = timedelta(days=1)
"""For the slowest process; of one that has died the others hear at once."""
SPOKEN = "ride: who speaks of the end"


def started_together() -> bool:
    """Whether this is one of several processes."""
    return all(os.environ.get(name) for name in VARIABLES) and os.environ["WORLD_SIZE"] != "1"


def is_first() -> bool:
    """Whether this is rank 0, for when the processes have not found each other."""
    return os.environ["RANK"] == "0"


def leave(status: int) -> NoReturn:
    """End this process at once: what PyTorch does at its end waits for the others, or aborts where they are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Together:
    """Rank 0 speaks for all while the work goes well, and the first process that fails when it ends.

    Raises:
        RankError: the processes do not find each other.
    """

    def __init__(self) -> None:
        # Before PyTorch is there: of a process that has ended it would warn the others at length.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")

        import torch
        from torch import distributed as dist
        from torch.distributed.rendezvous import rendezvous

        try:
            self._store, self.rank, count = next(iter(rendezvous("env://", timeout=timedelta(minutes=5))))
            # Words go over gloo, gradients over whatever suits the device they lie on.
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
            dist.init_process_group(backend, store=self._store, rank=self.rank, world_size=count, timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            why = (str(error).splitlines() or [""])[0]
            raise RankError(f"this process does not find the others that torchrun has started: {why}") from error

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let only rank 0 print, and take being told to end for an interrupt, after which nothing is half-written.

        After the block nothing ends this process but itself.
        """
        with ExitStack() as stack:
            signal.signal(signal.SIGTERM, _interrupt)
            # The others will be told to end because this one does; that must not take the last words out of its mouth.
            stack.callback(signal.signal, signal.SIGTERM, signal.SIG_IGN)
            stack.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)
            if self.rank:
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(redirect_stdout(nowhere))
                stack.enter_context(redirect_stderr(nowhere))
            yield

    def speaks(self) -> bool:
        """Whether no other process has said yet why all of them end."""
        try:
            return bool(self._store.add(SPOKEN, 1) == 1)
        except RuntimeError:
            # The store was with a process that is gone, and that had its say.
            return False

    def part(self) -> None:
        """Leave the others when all are done: torchrun ends those that are slower than one that has failed."""
        from torch import distributed as dist

        from ride import ranks

        with suppress(RankError):
            ranks.total(0)
            dist.destroy_process_group()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
