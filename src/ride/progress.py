"""How work that takes a while says how far it is, without knowing who looks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Called now and then with the work done, all of it in the same unit, and what is being done."""

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Take note."""


def part_of(progress: Progress | None, number: int, count: int) -> Progress | None:
    """The progress of one of so many parts of about the same length, in its own unit, as that of all."""
    if progress is None:
        return None
    return lambda done, total, message="": progress(number * total + done, count * total, message)


Bars = Callable[[str], AbstractContextManager[Progress | None]]
"""Shows the progress of a part of the work under a title."""


@contextmanager
def silent(title: str) -> Iterator[None]:
    """Bars where nobody looks."""
    yield None
