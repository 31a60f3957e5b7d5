"""What the three tabs have in common: choosing an image, starting a job, watching and stopping it."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ride.app.examples import example, example_names
from ride.app.jobs import Job, Jobs, View, sentence
from ride.app.limits import Limits
from ride.app.show import said
from ride.app.uploads import middle, read_upload
from ride.data import Picture
from ride.errors import DataError, RideError
from ride.models.files import bundled_names, load
from ride.models.ride import RIDE

QUIET = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
"""Of every event: the line of the job says how far it is, `Jobs` bounds what runs, and only the page may call it."""


@dataclass(frozen=True)
class Desk:
    """What the server of one page has: its bounds, the jobs of all visitors, and the models to choose from."""

    limits: Limits
    models: tuple[str, ...]
    jobs: Jobs
    trainings: Jobs

    @classmethod
    def of(cls, limits: Limits, models: tuple[str, ...] = ()) -> "Desk":
        """With the bundled models and others, given as files or run directories."""
        return cls(
            limits,
            (*bundled_names(), *models),
            Jobs(limits.at_once, limits.waiting, 60 * limits.minutes),
            # Training draws its first parameters from torch's own generator, of which there is one.
            Jobs(1, limits.waiting, 60 * limits.training_minutes),
        )

    def check(self, name: str) -> None:
        """Raise `DataError` for a model that is not here."""
        if name not in self.models:
            raise DataError(f"there is no model {name} here: choose one of {', '.join(self.models)}")

    def model(self, name: str, job: Job) -> RIDE:
        """A copy for one job: models have memory that they work in. The first takes seconds, which the job tells."""
        job.tell(View(f"Reading the model {name}"))
        return load(name)

    def leave(self, session: str | None) -> None:
        """Stop all that a visitor has running, who is gone."""
        for jobs in (self.jobs, self.trainings):
            for tab in ("inpaint", "texture", "likelihood"):
                jobs.cancel(f"{session} {tab}")

    def close(self) -> None:
        """Stop everything."""
        self.jobs.close()
        self.trainings.close()


@dataclass(frozen=True)
class Output:
    """Where a tab speaks and shows."""

    line: gr.HTML
    figures: gr.HTML


def chooser(desk: Desk, show: Callable[[Picture], str], shown: gr.HTML, line: gr.HTML, first: str) -> gr.State:
    """An upload button and examples; returns the state that holds a visitor's picture, at first `first`."""
    state = gr.State(middle(example(first), desk.limits)[0])
    with gr.Row(elem_classes="ride-choose"):
        names = gr.Dropdown(example_names(), value=first, label="example", min_width=140)
        # Any file: what is no image is told here, not by a message of the browser.
        button = gr.UploadButton("Upload an image", min_width=140, size="md")

    def give(get: Callable[[], tuple[Picture, str]]) -> tuple[Any, Any, str]:
        try:
            picture, note = get()
        except RideError as error:
            return gr.skip(), gr.skip(), said(sentence(str(error)), wrong=True)
        except Exception:
            return gr.skip(), gr.skip(), _failed()
        return picture, show(picture), said(note)

    def upload(path: str) -> tuple[Any, Any, str]:
        return give(lambda: read_upload(path, desk.limits))

    def choose(name: str) -> tuple[Any, Any, str]:
        return give(lambda: middle(example(name), desk.limits))

    outputs = [state, shown, line]
    button.upload(upload, button, outputs, **QUIET)
    names.input(choose, names, outputs, **QUIET)
    return state


def runs(
    desk: Desk,
    tab: str,
    start: gr.Button,
    inputs: list[Any],
    output: Output,
    prepare: Callable[..., Callable[[Job], View]],
    *,
    trains: bool = False,
    result: gr.State | None = None,
) -> None:
    """Make a button start a job and show what it tells.

    `prepare` gets the values of the inputs, refuses what makes no sense, and returns the work. What the job ends with
    as a value goes into `result`.
    """
    jobs = desk.trainings if trains else desk.jobs

    # The first argument: gradio finds it by its annotation and passes the inputs after it.
    def run(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        rest = (gr.skip(),) if result else ()
        try:
            job = jobs.start(f"{request.session_hash} {tab}", prepare(*values))
        except RideError as error:
            yield (said(sentence(str(error)), wrong=True), gr.skip(), *rest)
            return
        except Exception:
            yield (_failed(), gr.skip(), *rest)
            return
        figures = ""
        for view in job.views():
            new = view.figures and view.figures is not figures
            figures = view.figures or figures
            value = view.value if result and view.value is not None else gr.skip()
            yield (said(view.said, view.wrong), figures if new else gr.skip(), *((value,) if result else ()))

    start.click(run, inputs, [output.line, output.figures, *([result] if result else [])], **QUIET)


def stops(desk: Desk, tab: str, stop: gr.Button, line: gr.HTML) -> None:
    """Make a button stop what the visitor has running in this tab."""

    def end(request: gr.Request) -> Any:
        owner = f"{request.session_hash} {tab}"
        found = [jobs.cancel(owner) for jobs in (desk.jobs, desk.trainings)]
        return said("Stopping: the step that is being computed ends first.") if any(found) else gr.skip()

    stop.click(end, None, line, **QUIET)


def needed(picture: Picture | None) -> Picture:
    """The picture, or a `DataError` that asks for one."""
    if picture is None:
        raise DataError("there is no image yet: choose an example or upload one")
    return picture


def whole(value: Any, name: str) -> int:
    """What a visitor has typed as a whole number, or a `DataError`."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the {name} must be a whole number") from error
    return number


def _failed() -> str:
    logging.getLogger("ride.app").exception("a request failed")
    return said("Something went wrong here: the terminal of ride app has the details.", wrong=True)
