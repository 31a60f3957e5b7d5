"""Parts of a hole that are far from each other, and a canvas on which the surroundings of all lie close together."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ride.generation.canvas import Canvas, canvas_of

Box = tuple[slice, slice]


def far_apart(hole: Bool[Tensor, "H W"], gap: int) -> list[Box]:
    """Boxes that together hold all missing pixels, with at least `gap` rows or columns without any between them.

    An XY cut: the box around the hole is divided wherever so many rows, or else columns, have no missing pixel, and so
    is each of its parts.
    """
    found, todo = [], [(slice(0, hole.shape[0]), slice(0, hole.shape[1]))]
    while todo:
        box = todo.pop()
        part = hole[box]
        runs = [_runs(part.any(1 - axis), box[axis].start, gap) for axis in (0, 1)]
        if len(runs[0]) == len(runs[1]) == 1:
            found.append((runs[0][0], runs[1][0]))
        elif len(runs[0]) > 1:
            todo += [(rows, box[1]) for rows in runs[0]]
        else:
            todo += [(box[0], columns) for columns in runs[1]]
    return sorted(found, key=lambda box: (box[0].start, box[1].start))


def piece_of(image: Float[Tensor, "H W M"], hole: Bool[Tensor, "H W"], box: Box, margin: int, reach: int) -> Canvas:
    """`canvas_of` the part of the hole in a box."""
    # Far enough around it that where the image ends is seen.
    crop = tuple(
        slice(max(0, part.start - reach - margin), min(size, part.stop + reach + margin))
        for part, size in zip(box, hole.shape, strict=True)
    )
    within = tuple(slice(part.start - cut.start, part.stop - cut.start) for part, cut in zip(box, crop, strict=True))
    own = torch.zeros_like(hole[crop])
    own[within] = hole[box]
    piece = canvas_of(image[crop], own, margin, reach)
    row, column = (divide(piece.place, own.shape[1]) for divide in (torch.floor_divide, torch.remainder))
    return replace(piece, place=(row + crop[0].start) * hole.shape[1] + column + crop[1].start)


def collage(pieces: Sequence[Canvas]) -> Canvas:
    """One canvas with these side by side, in rows as tall as the tallest in them, and gray between them.

    What lies between is not the image's own, and no piece sees another within its margin.
    """
    order = sorted(range(len(pieces)), key=lambda k: -pieces[k].hole.shape[0])
    sizes = [tuple(piece.hole.shape) for piece in pieces]
    width = max(max(w for _, w in sizes), math.isqrt(sum(h * w for h, w in sizes)))
    places, top, left, height = {}, 0, 0, sizes[order[0]][0]
    for k in order:
        if left + sizes[k][1] > width:
            top, left, height = top + height, 0, sizes[k][0]
        places[k] = (slice(top, top + sizes[k][0]), slice(left, left + sizes[k][1]))
        left += sizes[k][1]
    first = pieces[0]
    shape = (top + height, width)
    gray = torch.stack([piece.image.flatten(0, 1).mean(0) for piece in pieces]).mean(0)
    whole = Canvas(
        gray.expand(*shape, -1).clone(),
        first.hole.new_zeros(shape),
        first.own.new_zeros(shape),
        first.place.new_full(shape, -1),
        any(piece.continued for piece in pieces),
    )
    for k, place in places.items():
        for name in ("image", "hole", "own", "place"):
            getattr(whole, name)[place] = getattr(pieces[k], name)
    return whole


def _runs(lines: Bool[Tensor, " N"], start: int, gap: int) -> list[slice]:
    """Where lines are true, counted from `start`; together where fewer than `gap` false ones lie between them."""
    found = lines.nonzero().flatten()
    ends = (found.diff() > gap).nonzero().flatten()
    firsts = [int(found[0]), *found[ends + 1].tolist()]
    lasts = [*found[ends].tolist(), int(found[-1])]
    return [slice(start + first, start + last + 1) for first, last in zip(firsts, lasts, strict=True)]
