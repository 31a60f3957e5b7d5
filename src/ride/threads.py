"""Work on many images or pixels divided over threads of the processor.

Torch divides single operations over its threads, which then wait for each other at every one; parts that have nothing
to do with each other need not.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

_part = threading.local()
"""In the thread of a part: `stop`, the event that asks all parts to end."""


class _Stopped(Exception):
    """Another part has failed, or the whole was interrupted."""


def parts(rows: Tensor, least: int = 1) -> int:
    """Into how many parts `spread` divides rows: one for each of torch's threads, if each gets at least `least`.

    There is one where the rows are not on the processor, and within a part.
    """
    if rows.device.type != "cpu" or getattr(_part, "stop", None):
        return 1
    return max(1, min(torch.get_num_threads(), len(rows) // least))


def spread(work: Callable[..., Result], *data: Tensor, least: int = 1) -> list[Result]:
    """What `work` returns for contiguous parts of the rows of the data, in their order, see `parts`.

    One part runs in this thread; several run in a thread each, with its share of torch's threads, and share whatever
    `work` uses. Where one fails, or this thread is interrupted, the others end at their next `check`.
    """
    count = parts(data[0], least)
    if count == 1:
        return [work(*data)]
    rows, threads, stop = len(data[0]), torch.get_num_threads(), threading.Event()
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def part(k: int) -> Result:
        _part.stop = stop
        torch.set_num_threads(max(1, threads // count))
        try:
            with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
                return work(*(some[rows * k // count : rows * (k + 1) // count] for some in data))
        finally:
            _part.stop = None

    futures = [_pool(count).submit(part, k) for k in range(count)]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        stop.set()
        wait(futures)
        # Threads that are yet to come take their number from the last that any thread was given.
        torch.set_num_threads(threads)
    for future in futures:
        if (error := future.exception()) and not isinstance(error, _Stopped):
            raise error
    return [future.result() for future in futures]


@contextmanager
def alone(small: bool) -> Iterator[None]:
    """One thread for operations that are so small that several would only wait for each other."""
    threads = torch.get_num_threads()
    if small:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def check() -> None:
    """End a part whose result nobody waits for any more; to be called now and then in long work."""
    stop = getattr(_part, "stop", None)
    if stop and stop.is_set():
        raise _Stopped


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "ride")


if hasattr(os, "register_at_fork"):
    # Threads do not come along into a forked process.
    os.register_at_fork(after_in_child=_pool.cache_clear)
