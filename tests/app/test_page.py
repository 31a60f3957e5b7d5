"""What a click does before its job has a turn, and what the job says first."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from tests.app.conftest import missing
from tests.app.test_work import PICTURE, Listening, sent, square

from ride.app.jobs import Job, View
from ride.app.limits import Limits
from ride.errors import DataError

if TYPE_CHECKING:
    from ride.app.parts import Desk

pytestmark = pytest.mark.skipif("gradio" in missing(), reason="the page is made by gradio")


class Read(Exception):
    """The model is read now."""


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator["Desk"]:
    """That of a page; a model that is read raises `Read`."""
    from ride.app import parts

    def read(name: str) -> None:
        raise Read

    monkeypatch.setattr(parts, "load", read)
    made = parts.Desk.of(Limits())
    yield made
    made.close()


def work_of(desk: "Desk", tab: str, model: str) -> Callable[[Job], View]:
    """What a click on the button of a tab prepares."""
    from ride.app.page import filled, scored

    if tab == "likelihood":
        return scored(desk, PICTURE, model)
    return filled(desk, PICTURE, sent(square()), model, 3, 1, 0, None)


@pytest.mark.parametrize("tab", ["inpaint", "likelihood"])
def test_a_click_is_answered_before_the_model_is_read(desk: "Desk", tab: str):
    work, job = work_of(desk, tab, "bsds300"), Listening()
    with pytest.raises(Read):
        work(job)
    assert [view.said for view in job.told] == ["Reading the model bsds300"]


@pytest.mark.parametrize("tab", ["inpaint", "likelihood"])
def test_a_model_that_is_not_here_starts_no_job(desk: "Desk", tab: str):
    with pytest.raises(DataError, match="there is no model /etc/passwd here"):
        work_of(desk, tab, "/etc/passwd")
