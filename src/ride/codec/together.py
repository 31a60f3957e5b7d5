"""Tiles of one image or of many, coded together: in rounds that bound the memory, divided over threads."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from ride.errors import RideError
from ride.progress import Progress
from ride.threads import parts, spread

TOGETHER = 2**19
"""Pixels of the tiles that a thread codes at once."""
NARROW = 256
"""A tile of fewer columns counts as if it had so many, for its rows have states."""


@runtime_checkable
class Sized(Protocol):
    """A tile in whatever form."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""


Job = TypeVar("Job", bound=Sized)
Result = TypeVar("Result")
Model = TypeVar("Model")
Work = Callable[[list[Job], Progress | None], list[Result]]
"""What is done to a group of tiles; its progress may be in any unit."""


def in_rounds(jobs: Iterable[Job], work: Work[Job, Result], progress: Progress | None) -> Iterator[tuple[Job, Result]]:
    """Each tile with what `work` returns for it, in order.

    Tiles are taken from `jobs` as they are needed, for each thread as many as it codes at once. `progress` is called
    with the pixels that are coded and those of all tiles taken so far, and may be called from another thread.

    Raises:
        RideError: `jobs` or `work` raised it; what came before from `jobs` is done first.
    """
    done = 0
    for taken, failure in _rounds(jobs):
        if taken:
            tally = Tally(progress, done, done + sum(map(_pixels, taken)))
            yield from zip(taken, _divided(taken, work, tally), strict=True)
            done = tally.total
        if failure:
            raise failure


class Tally:
    """Adds up what the threads of a round have done.

    Args:
        progress: is told.
        before: the pixels of the rounds before.
        total: those of this round included.
    """

    def __init__(self, progress: Progress | None, before: int, total: int) -> None:
        self.progress, self.before, self.total = progress, before, total
        self._done: dict[int, int] = {}
        self._lock = threading.Lock()

    def part(self, number: int, pixels: int) -> Progress | None:
        """The progress of a group of so many pixels, in any unit, as a part of the whole."""
        if self.progress is None:
            return None

        def tell(done: int, total: int, message: str = "") -> None:
            with self._lock:
                self._done[number] = pixels * done // total
                if self.progress:
                    self.progress(self.before + sum(self._done.values()), self.total)

        return tell


def _rounds(jobs: Iterable[Job]) -> Iterator[tuple[list[Job], RideError | None]]:
    """What is coded at once, and what went wrong after that."""
    room = TOGETHER * _threads()
    taken: list[Job] = []
    cost = 0
    try:
        for job in jobs:
            if taken and cost + _cost(job) > room:
                yield taken, None
                taken, cost = [], 0
            taken.append(job)
            cost += _cost(job)
    except RideError as error:
        yield taken, error
        return
    yield taken, None


def _divided(jobs: Sequence[Job], work: Work[Job, Result], tally: Tally) -> list[Result]:
    """Work on consecutive groups of about the same cost, one for each thread."""
    count = min(_threads(), len(jobs))
    whole = sum(map(_cost, jobs))
    groups: list[list[Job]] = [[] for _ in range(count)]
    before = 0
    for job in jobs:
        groups[min((before + _cost(job) // 2) * count // whole, count - 1)].append(job)
        before += _cost(job)
    groups = [group for group in groups if group]

    def part(numbers: Tensor) -> list[Result]:
        results = []
        for number in numbers.tolist():
            tell = tally.part(number, sum(map(_pixels, groups[number])))
            results += work(groups[number], tell)
            if tell:
                tell(1, 1)
        return results

    return [result for results in spread(part, torch.arange(len(groups))) for result in results]


def grouped(models: Sequence[Model]) -> list[tuple[Model, list[int]]]:
    """Each of these objects once, with the places where it stands."""
    groups: dict[int, tuple[Model, list[int]]] = {}
    for place, model in enumerate(models):
        groups.setdefault(id(model), (model, []))[1].append(place)
    return list(groups.values())


def _threads() -> int:
    """How many there are to divide work over."""
    return parts(torch.empty(torch.get_num_threads()))


def _pixels(job: Sized) -> int:
    return job.size[0] * job.size[1]


def _cost(job: Sized) -> int:
    return job.size[0] * max(job.size[1], NARROW)
