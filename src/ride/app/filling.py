"""Inpainting as a job of the page: a painted mask, sweeps that arrive one after another."""

import base64
import json
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ride.app.jobs import Job, View
from ride.app.limits import LARGEST_SEED, Limits
from ride.app.show import Clock, heat, image, side_by_side
from ride.data import Picture
from ride.errors import ConfigError, DataError
from ride.generation.inpainting import inpaint
from ride.generation.posterior import Inpainting
from ride.models.ride import RIDE

HEADER = "data:image/png;base64,"
LONGEST = 4 * 2**20
"""Characters of what a browser may send as a mask."""

DEVIATION = "posterior standard deviation, where 1 is the full range of gray"


def painted(sent: str | None, picture: Picture) -> NDArray[np.bool_]:
    """The mask [H, W] that a visitor has painted on a picture, true where a pixel is missing.

    Raises:
        DataError: nothing was painted, or what was sent is no mask of this picture.
    """
    try:
        if sent and len(sent) > LONGEST:
            raise ValueError("too long")
        mask = json.loads(sent or "{}").get("mask") or ""
        if not mask:
            raise DataError("there is no hole yet: paint one on the image with the mouse or a finger")
        with Image.open(BytesIO(base64.b64decode(mask.removeprefix(HEADER), validate=True)), formats=["PNG"]) as hole:
            # Before it is decoded: whatever somebody sends is no larger than the picture.
            if hole.size != picture.pixels.shape[1::-1]:
                raise DataError("the hole was painted on another image: paint it again")
            found = np.asarray(hole.convert("L")) >= 128
    except DataError:
        raise
    except (
        ValueError,
        AttributeError,
        TypeError,
        OSError,
        SyntaxError,
        RecursionError,
        Image.DecompressionBombError,
    ) as error:
        raise DataError("what the browser sent is no hole: load the page again and paint it anew") from error
    if not found.any():
        raise DataError("there is no hole yet: paint one on the image with the mouse or a finger")
    return found


def fill_hole(
    job: Job,
    model: RIDE,
    picture: Picture,
    mask: NDArray[np.bool_],
    *,
    sweeps: int,
    chains: int,
    seed: int,
    limits: Limits,
) -> View:
    """Draw the missing pixels, telling the job how far it is.

    Raises:
        ConfigError: more is asked for than the page takes on, or the model is for colour.
        DataError: the mask covers everything.
        Stopped: the job was cancelled or its time is up.
    """
    check_request(int(mask.sum()), sweeps, chains, seed, limits)
    clock, figures = Clock("Sweeps"), ""

    def progress(done: int, total: int, message: str = "") -> None:
        job.tell(View(clock.line(done, total, message), figures))

    def each(so_far: Inpainting) -> None:
        nonlocal figures
        figures = shown(so_far, sweeps)

    job.tell(View("Drawing the first candidates"))
    # A picture every second or so, and some even of a short run.
    result = inpaint(
        model,
        picture,
        mask,
        sweeps,
        chains=chains,
        seed=seed,
        each=each,
        every=max(1, min(5, sweeps // 10)),
        progress=progress,
    )
    return View(f"Done: {result}.", shown(result, sweeps))


def check_request(missing: int, sweeps: int, chains: int, seed: int, limits: Limits) -> None:
    """Raise `ConfigError` for what the page does not take on."""
    for name, value, least, most in (
        ("sweeps", sweeps, 1, limits.sweeps),
        ("chains", chains, 1, limits.chains),
        ("seed", seed, 0, LARGEST_SEED),
    ):
        if not least <= value <= most:
            raise ConfigError(f"{name} must be from {least} to {most:,} on this page, not {value}")
    if missing * chains > limits.hole:
        raise ConfigError(
            f"{missing:,} missing pixels in {chains} chains are more than the page takes ({limits.hole:,} in all):"
            " paint a smaller hole, or take fewer chains"
        )


def shown(result: Inpainting, sweeps: int) -> str:
    """The draw, the mean and the deviation so far."""
    low, high = _around(result.mask.cpu().numpy())
    cut = (slice(low[0], high[0]), slice(low[1], high[1]))
    given = result.image.clone()
    given[result.mask] = 1.0
    warm = "" if len(result.kept) else f"counts from sweep {sweeps // 2 + 1} on; until then, of the draws now"
    figures = [
        image("given", given[cut]),
        image("a draw", result.best[cut], "what could have been there"),
        image("posterior mean", result.mean[cut], warm or "of all draws that count"),
        heat("uncertainty", result.std[cut], within=result.mask[cut], note=warm or DEVIATION),
    ]
    line = f"Sweep {result.sweeps} of {sweeps}, {100 * result.accepted:.1f} % of proposals accepted"
    return side_by_side(figures, line)


def _around(mask: NDArray[np.bool_]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The corners of what is shown: the hole with as much around it, at least 64 pixels a side where there are."""
    corners = []
    for axis in (1, 0):
        there = np.flatnonzero(mask.any(axis))
        size, length = int(there[-1] - there[0]) + 1, mask.shape[1 - axis]
        wanted = min(length, max(64, 2 * size))
        start = int(np.clip((there[0] + there[-1] + 1 - wanted) // 2, 0, length - wanted))
        corners.append((start, start + wanted))
    return (corners[0][0], corners[1][0]), (corners[0][1], corners[1][1])
