"""The page: three tabs, each with a line that says what it is for."""

from collections.abc import Callable
from functools import partial
from importlib import resources
from typing import Any

import gradio as gr

from ride.app import filling, scoring, texturing
from ride.app.examples import example, first_of
from ride.app.jobs import Job, View
from ride.app.painter import painter, to_paint_on
from ride.app.parts import Desk, Output, chooser, needed, runs, stops, whole
from ride.app.show import address
from ride.app.uploads import middle
from ride.data import Picture
from ride.errors import DataError

Work = Callable[[Job], View]

LEARNED = "the texture learned here"
"""Chosen as a model, what the visitor has trained in the tab beside."""


def css() -> str:
    """The style sheet."""
    return resources.files("ride.app").joinpath("page.css").read_text(encoding="utf-8")


def build(desk: Desk) -> gr.Blocks:
    """The page of a desk."""
    # Uploaded files are read once; after an hour they are removed, and so is a learned model that nobody has used.
    with gr.Blocks(title="ride", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.HTML(
            "<h1>ride</h1><p>Density models of images: exact likelihoods, pixel after pixel. All of it is computed on"
            " this machine.</p>",
            elem_classes="ride-head",
        )
        learned = gr.State(None, time_to_live=3600)
        with gr.Tab("Inpaint", id="inpaint"):
            _inpaint(desk, learned)
        with gr.Tab("Texture", id="texture"):
            _texture(desk, learned)
        with gr.Tab("Likelihood", id="likelihood"):
            _likelihood(desk)

        def leave(request: gr.Request) -> None:
            desk.leave(request.session_hash)

        page.unload(leave)
    page.queue(default_concurrency_limit=None, max_size=4 * desk.limits.waiting, api_open=False)
    return page


def _inpaint(desk: Desk, learned: gr.State) -> None:
    limits = desk.limits
    start_with = first_of("photograph")
    _lead("Paint a hole: the model draws what could have been there, and says how sure that is.")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            place = gr.Column()
            canvas = painter(_first(desk, start_with))
        with gr.Column(min_width=300):
            model = gr.Dropdown([*desk.models, LEARNED], value=desk.models[0], label="model")
            with gr.Row():
                sweeps = gr.Slider(1, limits.sweeps, value=40, step=1, label="sweeps", min_width=140)
                chains = gr.Slider(1, limits.chains, value=1, step=1, label="chains", min_width=140)
            seed = gr.Number(0, precision=0, minimum=0, label="seed")
            with gr.Row():
                start = gr.Button("Fill the hole", variant="primary", elem_id="fill", min_width=120)
                stop = gr.Button("Stop", variant="stop", elem_id="stop-fill", min_width=80)
            output = _output("inpaint")
    gr.HTML(
        "A sweep updates every block of missing pixels once; more sweeps and chains give a better mean and deviation,"
        f" which count from the middle of the sweeps on. At most {limits.sweeps} sweeps, {limits.chains} chains,"
        f" {limits.hole:,} missing pixels times chains, and {limits.minutes:g} minutes. {limits.uploads}",
        elem_classes="ride-small",
    )
    with place:
        state = chooser(desk, to_paint_on, canvas, output.line, start_with)

    runs(desk, "inpaint", start, [state, canvas, model, sweeps, chains, seed, learned], output, partial(filled, desk))
    stops(desk, "inpaint", stop, output.line)


def _texture(desk: Desk, learned: gr.State) -> None:
    limits = desk.limits
    start_with = first_of("brick")
    _lead(
        "Give one texture: a model of it is trained before your eyes, and then draws more of it in the size you want."
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            place = gr.Column()
            shown = gr.HTML(_picture(_first(desk, start_with)), elem_classes="ride-shown", elem_id="texture-chosen")
        with gr.Column(min_width=300):
            with gr.Row():
                length = gr.Dropdown(list(texturing.LENGTHS), value="short (1/5)", label="training", min_width=140)
                seed = gr.Number(0, precision=0, minimum=0, label="seed", min_width=100)
            with gr.Row():
                start = gr.Button("Train", variant="primary", elem_id="train", min_width=120)
                stop = gr.Button("Stop", variant="stop", elem_id="stop-train", min_width=80)
            with gr.Row():
                height = gr.Slider(limits.least, limits.side, value=256, step=1, label="rows", min_width=140)
                width = gr.Slider(limits.least, limits.side, value=256, step=1, label="columns", min_width=140)
            more = gr.Button("Draw a sample of this size", elem_id="draw")
            output = _output("texture")
    gr.HTML(
        "The image is cut into regions, all but one to train on; the rate is that of the one held out. Training takes"
        f" minutes, at most {limits.training_minutes:g}, one visitor at a time. A texture has at least 96 x 96 pixels,"
        f" a sample at most {limits.side} x {limits.side}. {limits.uploads}",
        elem_classes="ride-small",
    )
    with place:
        state = chooser(desk, _picture, shown, output.line, start_with)

    def train(picture: Picture | None, length: str, seed: Any) -> Any:
        picture, number = needed(picture), whole(seed, "seed")
        texturing.check_size(limits.least, limits.least, number, limits)
        return lambda job: texturing.learn_from(job, picture, length, number)

    def draw(known: texturing.Known | None, height: Any, width: Any, seed: Any) -> Any:
        if known is None:
            raise DataError("no texture has been learned here yet: train on one first")
        rows, columns, number = whole(height, "rows"), whole(width, "columns"), whole(seed, "seed")
        texturing.check_size(rows, columns, number, limits)
        return lambda job: texturing.draw(job, known, rows, columns, number)

    runs(desk, "texture", start, [state, length, seed], output, train, trains=True, result=learned)
    runs(desk, "texture", more, [learned, height, width, seed], output, draw)
    stops(desk, "texture", stop, output.line)


def _likelihood(desk: Desk) -> None:
    limits = desk.limits
    start_with = first_of("photograph")
    _lead("Every pixel has an exact likelihood: see where the model is surprised, and how that compares with PNG.")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            place = gr.Column()
            shown = gr.HTML(_picture(_first(desk, start_with)), elem_classes="ride-shown", elem_id="likelihood-chosen")
        with gr.Column(min_width=300):
            model = gr.Dropdown(list(desk.models), value=desk.models[0], label="model")
            with gr.Row():
                start = gr.Button("Score", variant="primary", elem_id="score", min_width=120)
                stop = gr.Button("Stop", variant="stop", elem_id="stop-score", min_width=80)
            output = _output("likelihood")
    gr.HTML(
        "The rate is the mean log-likelihood of a pixel in units of the full range, as <code>ride evaluate</code>"
        " has it: an 8-bit image of r bit/px can be stored without loss in about 8 - r bits a pixel. At most"
        f" {limits.minutes:g} minutes. {limits.uploads}",
        elem_classes="ride-small",
    )
    with place:
        state = chooser(desk, _picture, shown, output.line, start_with)

    runs(desk, "likelihood", start, [state, model], output, partial(scored, desk))
    stops(desk, "likelihood", stop, output.line)


def filled(
    desk: Desk,
    picture: Picture | None,
    sent: str | None,
    name: str,
    sweeps: Any,
    chains: Any,
    seed: Any,
    known: texturing.Known | None,
) -> Work:
    """The work of filling what a visitor has painted, or an error that says what is missing.

    The model is read in the job: a click is answered at once.
    """
    picture = needed(picture)
    mask = filling.painted(sent, picture)
    if name == LEARNED and known is None:
        raise DataError("no texture has been learned here yet: train on one in the tab Texture, or take another")
    if name != LEARNED:
        desk.check(name)
    numbers = {"sweeps": whole(sweeps, "sweeps"), "chains": whole(chains, "chains"), "seed": whole(seed, "seed")}
    filling.check_request(int(mask.sum()), **numbers, limits=desk.limits)

    def work(job: Job) -> View:
        chosen = texturing.copied(known) if known and name == LEARNED else desk.model(name, job)
        return filling.fill_hole(job, chosen, picture, mask, **numbers, limits=desk.limits)

    return work


def scored(desk: Desk, picture: Picture | None, name: str) -> Work:
    """The work of scoring a visitor's picture, or an error that says what is missing."""
    picture = needed(picture)
    desk.check(name)
    return lambda job: scoring.score(job, desk.model(name, job), picture, name)


def _first(desk: Desk, name: str) -> Picture:
    return middle(example(name), desk.limits)[0]


def _picture(picture: Picture) -> str:
    return f'<img alt="the chosen image" src="{address(picture.pixels)}">'


def _lead(text: str) -> None:
    gr.HTML(text, elem_classes="ride-lead")


def _output(tab: str) -> Output:
    return Output(gr.HTML("", elem_id=f"{tab}-line"), gr.HTML("", elem_id=f"{tab}-figures"))
