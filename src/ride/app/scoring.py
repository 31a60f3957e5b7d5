"""Likelihoods as a job of the page: the map, the rate, and the length of the PNG beside that of the code."""

import math

from torch import Tensor

from ride.app.jobs import Job, View
from ride.app.show import Clock, heat, png, side_by_side, table
from ride.data import Picture
from ride.evaluation import evaluate
from ride.models.ride import RIDE


def score(job: Job, model: RIDE, scored: Picture, name: str) -> View:
    """Bits per pixel of an image, and a map of them.

    Raises:
        ConfigError: the model is for other channels.
        DataError: the image is smaller than the neighborhood of the model.
        Stopped: the job was cancelled or its time is up.
    """
    clock, maps = Clock("Scoring", percent=True), list[Tensor]()
    job.tell(View("Scoring"))
    rate = evaluate(
        model,
        [scored],
        name=name,
        progress=lambda done, total, message="": job.tell(View(clock.line(done, total))),
        each=lambda title, image, nats: maps.append(nats),
    )
    height, width = scored.pixels.shape
    stored = 8 * len(png(scored.pixels)) / (height * width)
    rows = [("log-likelihood rate", f"{rate.bits_per_pixel:.3f} bit/px (more is better)")]
    if rate.code_length is not None:
        rows += [
            ("lossless code built on the model", f"at most {rate.code_length:.3f} bit/px"),
            ("the image as a PNG", f"{stored:.3f} bit/px"),
            ("saved over PNG", f"{100 * (1 - rate.code_length / stored):.1f} %"),
        ]
    rows.append(("pixels scored", f"{rate.pixels:,} of {height * width:,}; the border is given"))
    figures = [
        heat(
            "bits per pixel",
            maps[0] / math.log(2),
            "bit/px",
            reverse=True,
            note="log-likelihood; bright where the model was surprised",
        ),
    ]
    return View("Done.", table(rows) + side_by_side(figures), value=rate)
