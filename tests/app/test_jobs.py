"""Jobs report, wait for their turn, end when nobody wants them, and know nothing of each other."""

import threading
import weakref
from collections.abc import Iterator

import pytest

from ride.app.jobs import Job, Jobs, View
from ride.errors import ConfigError, DataError

SECONDS = 30.0


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs(at_once=1, waiting=2, seconds=SECONDS)
    yield made
    made.close()


class Endless:
    """Works until it is stopped."""

    def __init__(self) -> None:
        self.begun, self.over, self.steps = threading.Event(), threading.Event(), 0

    def __call__(self, job: Job) -> View:
        self.begun.set()
        try:
            while True:
                self.steps += 1
                job.tell(View(f"step {self.steps}", "figures" if self.steps == 1 else ""))
        finally:
            self.over.set()


def last(job: Job) -> View:
    return list(job.views())[-1]


def test_a_job_ends_with_what_it_returns(jobs: Jobs):
    view = last(jobs.start("a", lambda job: View("done", "<figure>", value=7)))
    assert view == View("done", "<figure>", value=7)


def test_figures_that_nobody_has_seen_yet_stay():
    job = Job(SECONDS, lambda job: View("done"))
    job.tell(View("one", "figures", value=3))
    job.tell(View("two"))
    seen = next(job.views())
    assert (seen.said, seen.figures) == ("two", "figures")


def test_a_cancelled_job_computes_no_more(jobs: Jobs):
    work = Endless()
    job = jobs.start("a", work)
    assert work.begun.wait(SECONDS)
    assert jobs.cancel("a")
    assert work.over.wait(SECONDS)
    assert last(job).said == "Stopped."
    assert job.ended
    assert not jobs.cancel("a")


def test_a_job_that_nobody_watches_any_more_ends(jobs: Jobs):
    work = Endless()
    views = jobs.start("a", work).views()
    next(views)
    views.close()  # type: ignore[attr-defined]
    assert work.over.wait(SECONDS)


def test_a_new_job_of_an_owner_takes_the_place_of_the_old(jobs: Jobs):
    old, new = Endless(), Endless()
    jobs.start("a", old)
    assert old.begun.wait(SECONDS)
    jobs.start("a", new)
    assert old.over.wait(SECONDS)
    assert new.begun.wait(SECONDS)
    jobs.cancel("a")


def test_owners_do_not_stop_each_other(jobs: Jobs):
    first = Endless()
    jobs.start("a", first)
    assert first.begun.wait(SECONDS)
    second = jobs.start("b", lambda job: View("second"))
    assert next(second.views()).said == "Waiting for a turn."
    jobs.cancel("b")
    assert not first.over.is_set()
    third = jobs.start("c", lambda job: View("third"))
    jobs.cancel("a")
    assert last(third).said == "third"
    assert last(second).said == "Stopped."


def test_a_job_that_waits_ends_at_once(jobs: Jobs):
    first = Endless()
    jobs.start("a", first)
    assert first.begun.wait(SECONDS)
    work = Endless()
    kept = weakref.ref(work)
    waiting = [jobs.start("b", work) for _ in range(5)]
    del work
    assert not jobs.cancel("b")
    # Its views end while the first job still has the only turn, and what it would have done is forgotten.
    assert [last(job).said for job in waiting] == ["Stopped."] * 5
    assert kept() is None
    assert not first.over.is_set()
    after = jobs.start("b", lambda job: View("after"))
    jobs.cancel("a")
    assert last(after).said == "after"


def test_the_line_is_bounded(jobs: Jobs):
    work = Endless()
    for owner in "abc":
        jobs.start(owner, work)
    with pytest.raises(ConfigError, match="3 jobs are running or in line"):
        jobs.start("d", work)
    jobs.cancel("b")
    jobs.start("d", work)


def test_time_is_bounded():
    jobs = Jobs(at_once=1, waiting=0, seconds=0.0)
    assert last(jobs.start("a", Endless())).said.startswith("Stopped after 0 minutes")
    jobs.close()


def test_close_stops_all(jobs: Jobs):
    work = Endless()
    jobs.start("a", work)
    assert work.begun.wait(SECONDS)
    jobs.close()
    assert work.over.wait(SECONDS)


def test_what_goes_wrong_is_a_sentence(jobs: Jobs, caplog: pytest.LogCaptureFixture):
    def bad(job: Job) -> View:
        raise DataError("a.png has no pixels")

    def broken(job: Job) -> View:
        raise ZeroDivisionError("secret")

    assert last(jobs.start("a", bad)) == View("A.png has no pixels.", wrong=True)
    view = last(jobs.start("a", broken))
    assert view.wrong
    assert "secret" not in view.said
    assert "secret" in caplog.text
