"""Work on many images or pixels divided over threads of the processor.

Torch divides single operations over its threads, which then wait for each other at every one; parts that have nothing
to do with each other need not.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


def spread(work: Callable[..., Result], *data: Tensor, least: int = 1) -> list[Result]:
    """What `work` returns for contiguous parts of the rows of the data, in their order.

    There is a part for each of torch's threads, if that leaves each at least `least` rows, and one otherwise or where
    the data are not on the processor. With one part `work` runs in this thread; with several each runs in one of its
    own, with its share of torch's threads, and they share whatever `work` uses.
    """
    rows, threads = len(data[0]), torch.get_num_threads()
    count = min(threads, rows // least) if data[0].device.type == "cpu" else 1
    if count <= 1:
        return [work(*data)]
    gradients = torch.is_grad_enabled()

    def part(k: int) -> Result:
        # Both are of a thread alone.
        torch.set_num_threads(max(1, threads // count))
        with torch.set_grad_enabled(gradients):
            return work(*(some[rows * k // count : rows * (k + 1) // count] for some in data))

    return list(_pool(count).map(part, range(count)))


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "ride")
