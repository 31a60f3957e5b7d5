"""Work that a visitor has started: it reports, waits for its turn, and can be stopped."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition, Event, Lock

import torch

from ride.errors import ConfigError, RideError

BEAT = 0.2
"""Seconds between two looks at a job: no browser needs more."""


class Stopped(Exception):
    """Somebody has stopped the job, or its time is up; the message says which."""


@dataclass(frozen=True)
class View:
    """What a visitor sees of a job: a line of HTML, figures as HTML, and whether something went wrong."""

    said: str
    figures: str = ""
    wrong: bool = False
    value: object = None


class Job:
    """One piece of work. It calls `tell` or `check` often; both end it where nobody wants it any more."""

    def __init__(self, seconds: float, work: "Callable[[Job], View]") -> None:
        self.seconds = seconds
        self._work: Callable[[Job], View] | None = work
        self._until: float | None = None
        self._stop, self._changed = Event(), Condition()
        self._view: View | None = None
        self._ended = False

    def check(self) -> None:
        """Raise `Stopped` if the job is to end."""
        if self._stop.is_set():
            raise Stopped("Stopped.")
        if self._until is not None and time.monotonic() > self._until:
            raise Stopped(f"Stopped after {self.seconds / 60:g} minutes, the most that the page gives to one job.")

    def tell(self, view: View) -> None:
        """Show this; only the last view counts."""
        self.check()
        self.show(view)

    def cancel(self) -> bool:
        """Ask the job to end; it does so at its next `check`, or at once if its turn has not come.

        Returns: whether it was at work when it was asked.
        """
        with self._changed:
            at_work = not self._ended and self._work is None
            self._stop.set()
            if self._work:
                # What it would have worked on is not kept until its place in the line comes.
                self._work = None
                self.show(View("Stopped."), ended=True)
        return at_work

    @property
    def wanted(self) -> bool:
        """Whether it is running or waiting, and nobody has cancelled it."""
        return not self._ended and not self._stop.is_set()

    @property
    def ended(self) -> bool:
        """Whether it computes no more, and never will."""
        return self._ended

    def views(self) -> Iterator[View]:
        """What there is to see, until the job ends. Whoever looks away cancels the job."""
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._view or self._ended)
                    view, self._view, ended = self._view, None, self._ended
                if view:
                    yield view
                if ended:
                    return
                self._stop.wait(BEAT)
        finally:
            self.cancel()

    def run(self, threads: int) -> None:
        """Do the work in this thread, unless it was cancelled, and turn what goes wrong into a view."""
        with self._changed:
            work, self._work = self._work, None
        if not work:
            return
        last: View | None = None
        try:
            # A thread of a pool has its own number of torch's threads.
            torch.set_num_threads(threads)
            self._until = time.monotonic() + self.seconds
            self.check()
            last = work(self)
        except Stopped as stopped:
            last = View(str(stopped))
        except RideError as error:
            last = View(sentence(str(error)), wrong=True)
        except MemoryError:
            last = View("There is not enough memory for this: take a smaller image.", wrong=True)
        except Exception:
            logging.getLogger("ride.app").exception("a job failed")
            last = View("Something went wrong here: the terminal of ride app has the details.", wrong=True)
        finally:
            self.show(last, ended=True)

    def show(self, view: View | None, ended: bool = False) -> None:
        """Show this, wanted or not."""
        with self._changed:
            # Figures stay until there are new ones.
            if view and self._view and not view.figures:
                view = View(view.said, self._view.figures, view.wrong, view.value)
            self._view, self._ended = view, ended
            self._changed.notify_all()


class Jobs:
    """The jobs of one page: so many at once, so many in line, one for each owner."""

    def __init__(self, at_once: int, waiting: int, seconds: float) -> None:
        self._most, self._seconds = at_once + waiting, seconds
        self._pool = ThreadPoolExecutor(at_once, "ride-job")
        self._threads = torch.get_num_threads()
        self._lock = Lock()
        self._of: dict[str, Job] = {}

    def start(self, owner: str, work: Callable[[Job], View]) -> Job:
        """Begin work as soon as there is a turn; what the owner had running is stopped.

        Raises:
            ConfigError: too many jobs are in line.
        """
        with self._lock:
            self._of = {other: job for other, job in self._of.items() if job.wanted}
            if owner in self._of:
                self._of.pop(owner).cancel()
            if len(self._of) >= self._most:
                raise ConfigError(f"{self._most} jobs are running or in line here: try again in a few minutes")
            job = self._of[owner] = Job(self._seconds, work)
            job.show(View("Waiting for a turn."))
            self._pool.submit(job.run, self._threads)
        return job

    def cancel(self, owner: str) -> bool:
        """Stop what this owner has started; whether it still computes for a moment."""
        with self._lock:
            job = self._of.pop(owner, None)
        return job is not None and job.cancel()

    def close(self) -> None:
        """Stop everything."""
        with self._lock:
            for job in self._of.values():
                job.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)


def sentence(text: str) -> str:
    """With a capital at its beginning and a full stop at its end."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
