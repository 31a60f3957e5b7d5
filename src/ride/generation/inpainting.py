"""Inpainting: sampling the missing pixels of an image from the posterior of a model (section 3.4, equation 9)."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.data import Picture, dequantize, seeded
from ride.errors import ConfigError, DataError, ModelError, OutputError, check_at_least
from ride.generation.blocks import OVERHANG, Blocks, blocks_of, margin_of
from ride.generation.canvas import Canvas, canvas_of
from ride.generation.collage import collage, far_apart, piece_of
from ride.generation.metropolis import noise_of, update
from ride.generation.posterior import Inpainting
from ride.generation.standing import Standing
from ride.models.frontier import Bounds, fill
from ride.models.ride import RIDE
from ride.progress import Progress
from ride.training.images import as_pictures
from ride.training.patches import fingerprint, model_fingerprint
from ride.training.run import Run

REACH = 19
"""Pixels around a hole that first candidates are drawn and compared with."""
KEPT = 400
"""Draws of a chain that are kept for the posterior; then every other one is dropped."""
CHECKPOINT_SECONDS = 20.0
AXES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (0, 1))
"""The mirror images that a sweep may be made in."""

Image = Picture | Float[Tensor, "H W *M"] | np.ndarray
"""A picture, or an array [H, W(, M)] of uint8, uint16, or floats from 0 to 1."""
Each = Callable[[Inpainting], None]


def inpaint(
    model: RIDE,
    image: Image,
    mask: Bool[Tensor, "Hm Wm"] | np.ndarray,
    sweeps: int = 100,
    *,
    chains: int = 1,
    candidates: int = 5,
    burn_in: int | None = None,
    flips: bool = False,
    exact: bool = False,
    batched: bool = True,
    bounds: Bounds = (0.0, 1.0),
    seed: int = 0,
    directory: str | Path | None = None,
    each: Each | None = None,
    every: int = 5,
    progress: Progress | None = None,
) -> Inpainting:
    """Draw the missing pixels of an image from the posterior of a model.

    Each chain begins with the most probable of some ancestral samples. A sweep updates all overlapping 5 x 5 blocks by
    Metropolis steps within 19 x 19 windows: those that do not interact together, which changes nothing but the time.

    Args:
        model: the density; where its parameters are the work is done.
        image: its known pixels are given; integers are dequantised by the seed, floats may be NaN in the hole.
        mask: true (or not zero) where a pixel is missing; holes of any shape and number.
        sweeps: updates of every block.
        chains: independent chains, which are cheaper together.
        candidates: ancestral samples to begin a chain from.
        burn_in: first sweeps that do not count for mean and deviation; half of all unless given.
        flips: make each sweep in a mirror image drawn at random, of which the model is as good a model.
        exact: accept by the likelihood of the whole image, not that of the window; slow, one block at a time.
        batched: update blocks that do not interact together; False is slower and does the same.
        bounds: pixels have no others.
        seed: of everything drawn.
        directory: keeps the chains, whatever ends the call; the same call goes on from there, to the same draws bit
            for bit.
        each: called with what there is every `every` sweeps and at the end.
        progress: called with the sweeps done and all, many times within each; what it raises ends the work at once.

    Raises:
        DataError: the image is not one, or the mask is of another size, empty, or covers everything.
        ConfigError: a number makes no sense, the model is for other channels, or the directory is of something else.
        ModelError: the model draws what is not a number.
        OutputError: the directory cannot be written.
    """
    check_at_least(1, {"chains": chains, "candidates": candidates, "every": every})
    check_at_least(0, {"sweeps": sweeps, "seed": seed, "burn-in": burn_in or 0})
    check_bounds(bounds)
    pixels, hole = problem_of(model, image, mask, seed)
    work = _Chains(model, pixels, hole, chains, candidates, flips, exact, batched, bounds, seed)
    if directory:
        work.keep_in(Path(directory))

    def tell(message: str) -> None:
        if progress:
            progress(min(work.done, sweeps), sweeps, message)

    burnt = sweeps // 2 if burn_in is None else min(burn_in, sweeps)
    try:
        work.begin(tell)
        tell("")
        while work.done < sweeps:
            work.sweep(tell)
            tell(work.success)
            if each and (work.done % every == 0 or work.done == sweeps):
                each(work.so_far(burnt))
            work.checkpoint(always=work.done == sweeps)
    except BaseException:
        # Of an interrupt above all: no whole sweep is lost. What went wrong first is what is told.
        with suppress(OutputError):
            work.checkpoint(always=True)
        raise
    return work.so_far(burnt)


def check_bounds(bounds: Bounds) -> None:
    """Raise `ConfigError` for bounds of which the first is not the lower one."""
    if not bounds[0] < bounds[1]:
        raise ConfigError(f"the lower bound must be below the upper one, not {bounds[0]}, {bounds[1]}")


def problem_of(
    model: RIDE, image: Image, mask: Bool[Tensor, "Hm Wm"] | np.ndarray, seed: int
) -> tuple[Float[Tensor, "H W M"], Bool[Tensor, "H W"]]:
    """The image in units of the full range and its hole, where the model is.

    Raises:
        DataError: the image is not one, or the mask is of another size, empty, or covers everything.
        ConfigError: the model is for other channels.
    """
    hole = torch.as_tensor(mask) != 0
    picture = image if isinstance(image, Picture) else as_pictures([_cleared(image, hole)], "the image")[0]
    pixels = dequantize(picture, seeded(seed, "noise")).to(model.whitening.mean_out)
    if picture.channels != model.config.channels:
        raise ConfigError(f"this model is for {model.config.channels} channels, {picture.name} has {picture.channels}")
    if hole.shape != pixels.shape[:2]:
        raise DataError(
            f"a mask of {' x '.join(map(str, hole.shape))} pixels does not fit {picture.name}, which has "
            f"{pixels.shape[0]} x {pixels.shape[1]}: give one of the same size"
        )
    if not hole.any():
        raise DataError(f"the mask of {picture.name} is empty: its pixels that are not 0 are those to be filled in")
    if hole.all():
        raise DataError(f"the mask covers all of {picture.name}: some pixels must be known")
    return pixels.view(*pixels.shape[:2], -1), hole.to(pixels.device)


def _cleared(image: Tensor | np.ndarray, hole: Bool[Tensor, "Hm Wm"]) -> Tensor | np.ndarray:
    """Floats with 0 where the hole has what is no pixel, as NaN is that marks what is missing."""
    if isinstance(image, Tensor) and image.is_floating_point():
        image = image.detach().cpu().float().numpy()
    if not isinstance(image, np.ndarray) or image.dtype.kind != "f" or image.shape[:2] != hole.shape:
        return image
    missing = hole.cpu().numpy()[(..., *[None] * (image.ndim - 2))]
    return np.where(missing & ~((image >= 0) & (image <= 1)), image.dtype.type(0), image)


def canvas_for(model: RIDE, pixels: Float[Tensor, "H W M"], hole: Bool[Tensor, "H W"], whole: bool) -> Canvas:
    """What of the image matters for the hole, with room for the windows of its blocks.

    Parts of the hole that are far apart come close together, unless that takes more pixels than all that lies between.
    """
    margin = margin_of(model.neighborhood) + OVERHANG
    if whole:
        return canvas_of(pixels, hole, margin, None)
    together = canvas_of(pixels, hole, margin, REACH)
    boxes = far_apart(hole, 2 * max(REACH, margin))
    if len(boxes) == 1:
        return together
    apart = collage([piece_of(pixels, hole, box, margin, REACH) for box in boxes])
    return apart if apart.hole.numel() < together.hole.numel() else together


def ancestral(
    model: RIDE,
    canvas: Canvas,
    count: int,
    bounds: Bounds,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> Float[Tensor, "K H W M"]:
    """The canvas with its hole filled `count` times by ancestral samples, pixels clipped to the bounds.

    `progress` is called with the steps of the frontier done and all.
    """
    images = canvas.image.expand(count, -1, -1, -1)
    rows, columns = model.neighborhood.predicted_shape(*canvas.hole.shape)
    u = torch.rand(count, rows, columns, dtype=torch.float64, generator=generator)
    z = torch.randn(count, rows, columns, images.shape[3], dtype=images.dtype, generator=generator)
    noise = (u.to(images.device), z.to(images.device))
    return fill(model, images.contiguous(), canvas.hole, *noise, bounds, progress)


def log_density(model: RIDE, canvas: Canvas, images: Float[Tensor, "K H W M"]) -> Float[Tensor, " K"]:
    """Log-likelihood in nats of the canvas's pixels: up to a constant that of the missing ones given the others."""
    radius = model.neighborhood.radius
    own = canvas.own[radius:, radius : canvas.own.shape[1] - radius]
    values = model.log_prob(images)
    return torch.where(own, values.double(), 0.0).sum((1, 2))


class _Chains:
    """Chains on one canvas: where they stand, and what is kept of where they were."""

    def __init__(
        self,
        model: RIDE,
        pixels: Tensor,
        hole: Tensor,
        chains: int,
        candidates: int,
        flips: bool,
        exact: bool,
        batched: bool,
        bounds: Bounds,
        seed: int,
    ) -> None:
        self.model, self.pixels, self.hole = model, pixels, hole
        self.chains, self.candidates, self.bounds, self.seed = chains, candidates, bounds, seed
        self.flips, self.exact, self.batched = flips, exact, batched and not exact
        self.canvas = canvas_for(model, pixels, hole, whole=exact)
        self.sides = {axes: self.canvas.flipped(axes) for axes in (AXES if flips else AXES[:1])}
        self.plans: dict[tuple[int, ...], Blocks] = {
            axes: blocks_of(side.hole, side.own, model.neighborhood) for axes, side in self.sides.items()
        }
        self.standing: Standing | None = None
        self.run: Run | None = None
        self.line: dict[str, Any] | None = None
        self.saved: Standing | None = None
        self.saved_at = time.monotonic()

    @property
    def done(self) -> int:
        return self.standing.done if self.standing else 0

    @property
    def acceptance(self) -> float:
        return self.standing.accepted / max(1, self.standing.proposed) if self.standing else 0.0

    @property
    def success(self) -> str:
        return f"{100 * self.acceptance:.0f} % accepted"

    def keep_in(self, directory: Path) -> None:
        """Go on from what the directory keeps of an earlier call."""
        settings = {
            "inpainting": {
                "model": {**self.model.config.identity(), "parameters": model_fingerprint(self.model)},
                "image": fingerprint(self.pixels),
                "mask": fingerprint(self.hole.to(torch.uint8)),
                "chains": self.chains,
                "candidates": self.candidates,
                "flips": self.flips,
                "exact": self.exact,
                "bounds": list(self.bounds),
                "seed": self.seed,
            }
        }
        self.run = Run(directory, settings)
        tree = self.run.restore()
        if tree is None:
            return
        try:
            self.standing = self.saved = Standing.of(tree, self.pixels)
            if self.standing.images.shape[1:3] != self.canvas.hole.shape:
                raise ValueError("its images have another size")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{self.run.checkpoint_path} does not fit this inpainting ({error}): remove it to begin anew"
            ) from error

    def begin(self, tell: Callable[[str], None]) -> None:
        """Fill the hole by the most probable of some ancestral samples, for each chain."""
        if self.standing:
            return
        count = self.chains * self.candidates

        def drawing(done: int, total: int, message: str = "") -> None:
            tell(f"candidates, {100 * done // total} %")

        drawn = ancestral(self.model, self.canvas, count, self.bounds, seeded(self.seed, "candidates"), drawing)
        scores = self._log_density(drawn, ()).view(self.chains, -1)
        if not scores.isfinite().any(1).all():
            raise ModelError("the model gives its own samples no density: it was not trained to the end")
        best = scores.nan_to_num(nan=-math.inf).argmax(1)
        self.standing = Standing(drawn.unflatten(0, (self.chains, -1))[torch.arange(self.chains), best].clone())

    def sweep(self, tell: Callable[[str], None]) -> None:
        """Update every block once."""
        assert self.standing
        begun, before = time.monotonic(), self.standing
        generator = seeded(self.seed, "sweep", before.done)
        axes = AXES[int(torch.randint(len(AXES), (), generator=generator))] if self.flips else ()
        plan, chosen = self.plans[axes], []
        start = 0
        for size in plan.classes:
            step = size if self.batched else 1
            chosen += [slice(k, k + step) for k in range(start, start + size, step)]
            start += size
        # A copy, contiguous for writing: where the chains stood is not touched.
        images = before.images.flip([axis + 1 for axis in axes]).clone(memory_format=torch.contiguous_format)
        noise = noise_of(images, len(plan), generator)
        exact = (lambda some: self._log_density(some, axes)) if self.exact else None
        taken = 0
        for part in chosen:
            accepted = update(self.model, images, plan, part, noise.of(part), self.bounds, exact)
            taken += int(accepted.sum())
            tell(self.success)
        images = images.flip([axis + 1 for axis in axes])
        after = before.moved(images, self.canvas.missing(images), self._log_density(images, ()).cpu(), KEPT)
        proposed = len(plan) * self.chains
        line = {"sweep": after.done, "accepted": taken / proposed, "nats": float(after.trace[-1].mean())}
        after = replace(
            after,
            proposed=before.proposed + proposed,
            accepted=before.accepted + taken,
            seconds=before.seconds + time.monotonic() - begun,
        )
        self.standing, self.line = after, line
        self._log()

    def so_far(self, burn_in: int) -> Inpainting:
        """What the chains tell, without the first sweeps."""
        assert self.standing
        here = self.standing
        draws = self.pixels.repeat(self.chains, 1, 1, 1)
        draws[:, self.hole] = self.canvas.missing(here.images)
        kept = [draw for number, draw in zip(here.numbers, here.kept, strict=True) if number > burn_in]
        stacked = torch.stack(kept) if kept else draws.new_zeros(0, self.chains, int(self.hole.sum()), draws.shape[3])
        trace = torch.stack(here.trace) if here.trace else draws.new_zeros(0, self.chains, dtype=torch.float64)
        image = self.pixels
        if self.model.config.channels == 1:
            image, draws, stacked = image.squeeze(-1), draws.squeeze(-1), stacked.squeeze(-1)
        return Inpainting(
            image, self.hole, draws, stacked, trace, here.done, self.acceptance, self.canvas.continued, here.seconds
        )

    def checkpoint(self, always: bool = False) -> None:
        """Write down where the chains stand, now and then."""
        if not self.run or not self.standing or self.standing is self.saved:
            return
        if not always and time.monotonic() - self.saved_at < CHECKPOINT_SECONDS:
            return
        # An interrupt may have come between a sweep and its line.
        self._log()
        self.run.save(self.standing.tree())
        self.saved, self.saved_at = self.standing, time.monotonic()

    def _log(self) -> None:
        """Log the last sweep, once."""
        if self.run and self.line:
            self.run.log(self.line)
        self.line = None

    def _log_density(self, images: Tensor, axes: tuple[int, ...]) -> Tensor:
        with torch.no_grad():
            return log_density(self.model, self.sides[axes], images)
