"""The most probable missing pixels, by gradient ascent on the density that inpainting samples."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.data import seeded
from ride.errors import ModelError, check_at_least
from ride.generation.inpainting import (
    Image,
    ancestral,
    canvas_for,
    check_bounds,
    log_density,
    problem_of,
)
from ride.models.frontier import Bounds
from ride.models.ride import RIDE
from ride.progress import Progress

RATE = 0.01
"""First step of a pixel in units of the full range; it falls to 0 along half a cosine."""


def most_probable(
    model: RIDE,
    image: Image,
    mask: Bool[Tensor, "Hm Wm"] | np.ndarray,
    steps: int = 300,
    *,
    starts: int = 1,
    candidates: int = 5,
    bounds: Bounds = (0.0, 1.0),
    seed: int = 0,
    each: Callable[[Float[Tensor, "H W *M"]], None] | None = None,
    every: int = 20,
    progress: Progress | None = None,
) -> Float[Tensor, "H W *M"]:
    """Fill the missing pixels of an image so that its density is as high as ascent finds it (section 3.4, MAP).

    Adam climbs from the most probable of some ancestral samples with all missing pixels at once; of several starts,
    climbing together, the highest is returned. A maximum is smoother than any sample: it is an image to restore with,
    not one that looks like the others.

    Args:
        model: the density; where its parameters are the work is done.
        image: its known pixels are given; floats may be NaN in the hole.
        mask: true (or not zero) where a pixel is missing.
        steps: of the ascent.
        starts: ascents made together.
        candidates: ancestral samples to begin each from.
        bounds: pixels have no others.
        seed: of everything drawn.
        each: called with the best image so far every `every` steps.
        progress: called with the steps made and all.

    Raises:
        DataError: the image is not one, or the mask is of another size, empty, or covers everything.
        ConfigError: a number makes no sense, or the model is for other channels.
        ModelError: the density of the model is not a number.
    """
    check_at_least(1, {"steps": steps, "starts": starts, "candidates": candidates, "every": every})
    check_at_least(0, {"seed": seed})
    check_bounds(bounds)
    pixels, hole = problem_of(model, image, mask, seed)
    canvas = canvas_for(model, pixels, hole, whole=False)
    with torch.no_grad():
        drawn = ancestral(model, canvas, starts * candidates, bounds, seeded(seed, "candidates"))
        first = log_density(model, canvas, drawn).view(starts, -1).argmax(1)
    images = drawn.unflatten(0, (starts, -1))[torch.arange(starts), first]
    values = images[:, canvas.hole].requires_grad_()
    optimizer = torch.optim.Adam([values], lr=RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, found = values.detach().clone(), values.new_full((starts,), -torch.inf, dtype=torch.float64)

    def keep(density: Tensor) -> None:
        """Remember the highest point of each ascent."""
        higher = density.detach() > found
        best[higher], found[higher] = values.detach()[higher], density.detach()[higher]

    def result() -> Tensor:
        whole = pixels.clone()
        whole[hole] = best[int(found.argmax())][canvas.order]
        return whole.squeeze(-1) if pixels.shape[2] == 1 else whole

    for step in range(1, steps + 1):
        density = log_density(model, canvas, images.masked_scatter(canvas.hole[..., None], values))
        keep(density)
        (slope,) = torch.autograd.grad(-density.sum(), [values])
        values.grad = slope.nan_to_num()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            values.clamp_(*bounds)
        if progress:
            progress(step, steps, f"{float(found.max()):.0f} nat")
        if each and (step % every == 0 or step == steps):
            each(result())
    with torch.no_grad():
        keep(log_density(model, canvas, images.masked_scatter(canvas.hole[..., None], values)))
    if not found.isfinite().any():
        raise ModelError("the model gives this image no density: it was not trained to the end")
    return result()
