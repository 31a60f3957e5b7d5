"""The processes that share one piece of work, as `torch.distributed` knows them; a process alone is rank 0 of 1.

Where no process group was initialised nothing here does or costs anything, so that callers need not ask. All processes
of a group make the same calls in the same order. What they tell each other is numbers and JSON, never a pickle.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from ride.errors import RankError, RideError

Items = TypeVar("Items", Tensor, Sequence[Any])


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if _grouped() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return dist.get_rank() if _grouped() else 0


def main() -> bool:
    """Whether this is rank 0, which writes files and speaks for all."""
    return rank() == 0


def share(items: Items) -> Items:
    """The part of items (or of the rows of a tensor) that is for this rank.

    Parts are contiguous, in the order of ranks, and differ by one item at most: there may be none.
    """
    first, last = (len(items) * number // count() for number in (rank(), rank() + 1))
    return items[first:last]


def dealt(items: Items) -> Items:
    """Each rank's items where they are dealt out one by one, so that long and short work mix."""
    return items[rank() :: count()]


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one type and device by their sums over all ranks: equal bit for bit on each of them."""
    if not _grouped():
        return
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    with _lost():
        dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.detach().copy_(part.view_as(tensor))


def total(*numbers: int | float) -> list[float]:
    """The sum over all ranks of each number, in double precision."""
    if not _grouped():
        return [float(number) for number in numbers]
    sums = torch.tensor(numbers, dtype=torch.float64, device=_device())
    add_up([sums])
    return sums.tolist()


def gather(value: Any) -> list[Any]:
    """What each rank gave, which is anything that JSON can hold, in the order of ranks."""
    if not _grouped():
        return [value]
    data = json.dumps(value).encode()
    sizes = [int(size) for size in total(*(len(data) if k == rank() else 0 for k in range(count())))]
    own = _bytes(data.ljust(max(sizes)))
    found = [torch.empty_like(own) for _ in sizes]
    with _lost():
        dist.all_gather(found, own)
    return [json.loads(_data(padded[:size])) for padded, size in zip(found, sizes, strict=True)]


def from_main(make: Callable[[], bytes]) -> bytes:
    """What `make` returns on rank 0, where alone it is called; an error that it raises there is raised on all ranks.

    Raises:
        RideError: of the type and with the message that it had on rank 0.
    """
    if not _grouped():
        return make()
    data, failed = b"", None
    if main():
        try:
            data = make()
        except RideError as error:
            failed = error
    size, name, message = gather([len(data), type(failed).__name__ if failed else "", str(failed or "")])[0]
    if failed:
        raise failed
    if name:
        raise _kinds().get(name, RideError)(message)
    if not size:
        return b""
    sent = _bytes(data if main() else bytes(size))
    with _lost():
        dist.broadcast(sent, src=0)
    return _data(sent)


def _kinds() -> dict[str, type[RideError]]:
    """All errors raised on purpose by their names."""
    kinds: list[type[RideError]] = [RideError]
    for kind in kinds:
        # It grows by the kinds of what was found.
        kinds += kind.__subclasses__()
    return {kind.__name__: kind for kind in kinds}


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()


def _device() -> torch.device:
    """Where the group can add up small things: the processor unless it knows the accelerator alone."""
    config = dist.get_backend_config()
    return torch.device("cpu" if "cpu" in config else "cuda")


def _bytes(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).to(_device())


def _data(sent: Tensor) -> bytes:
    return sent.cpu().numpy().tobytes()


@contextmanager
def _lost() -> Iterator[None]:
    """Say in one line what went wrong between the processes."""
    try:
        yield
    except RuntimeError as error:
        why = (str(error).splitlines() or [""])[0]
        if "onnection" in why:
            why = "one has ended, killed perhaps for want of memory"
        raise RankError(f"the processes of this run have lost each other: {why}") from error
