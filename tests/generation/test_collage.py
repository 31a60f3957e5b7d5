"""Holes that are far apart: where they are cut, and that each piece finds back to its place."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.generation.conftest import SMALL, scene

from ride.generation import inpainting, maximum
from ride.generation.canvas import Canvas, canvas_of
from ride.generation.collage import collage, far_apart, piece_of
from ride.generation.inpainting import inpaint
from ride.generation.maximum import most_probable
from ride.models.ride import RIDE, RIDEConfig

MARGIN, REACH, GAP = 5, 7, 14


def spots(seed: int, count: int, height: int = 120, width: int = 90) -> torch.Tensor:
    """Small holes at random places."""
    generator = torch.Generator().manual_seed(seed)
    hole = torch.zeros(height, width, dtype=torch.bool)
    for _ in range(count):
        top, left = (int(torch.randint(size, (), generator=generator)) for size in (height, width))
        hole[top : top + 4, left : left + 3] = True
    return hole


@given(st.integers(0, 1000), st.integers(1, 12))
def test_boxes_hold_all_and_are_far_apart(seed: int, count: int):
    hole = spots(seed, count)
    boxes = far_apart(hole, GAP)
    assert sum(int(hole[box].sum()) for box in boxes) == int(hole.sum())
    for k, (rows, columns) in enumerate(boxes):
        # A box ends at missing pixels.
        part = hole[rows, columns]
        assert part[0].any()
        assert part[-1].any()
        assert part[:, 0].any()
        assert part[:, -1].any()
        for others, beside in boxes[:k]:
            down = max(rows.start, others.start) - min(rows.stop, others.stop)
            across = max(columns.start, beside.start) - min(columns.stop, beside.stop)
            assert max(down, across) >= GAP


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 8), st.sampled_from([1, 2]))
def test_pieces_have_what_lies_around_each_part(seed: int, count: int, channels: int):
    hole = spots(seed, count)
    image = torch.rand(*hole.shape, channels, generator=torch.Generator().manual_seed(seed))
    boxes = far_apart(hole, GAP)
    pieces = [piece_of(image, hole, box, MARGIN, REACH) for box in boxes]
    for box, piece in zip(boxes, pieces, strict=True):
        only = torch.zeros_like(hole)
        only[box] = hole[box]
        # The obvious way: from the whole image.
        expected = canvas_of(image, only, MARGIN, REACH)
        assert torch.equal(piece.image, expected.image)
        assert torch.equal(piece.hole, expected.hole)
        assert torch.equal(piece.own, expected.own)
        assert torch.equal(piece.place[piece.own], expected.place[piece.own])
        assert piece.continued == expected.continued
    whole = collage(pieces)
    assert int(whole.hole.sum()) == int(hole.sum())
    assert torch.equal(whole.missing(whole.image[None])[0], image[hole])
    own = whole.own
    assert torch.equal(whole.image[own], image.flatten(0, 1)[whole.place[own]])
    assert int(own.sum()) == sum(int(piece.own.sum()) for piece in pieces)
    assert whole.continued == any(piece.continued for piece in pieces)


def test_parts_may_lie_above_or_beside_each_other():
    hole = torch.zeros(100, 100, dtype=torch.bool)
    hole[10:12, 10:12] = hole[10:12, 80:82] = hole[70:72, 40:42] = True
    boxes = [(slice(10, 12), slice(10, 12)), (slice(10, 12), slice(80, 82)), (slice(70, 72), slice(40, 42))]
    assert far_apart(hole, 30) == boxes
    # 58 rows lie between the first two and the third, 68 columns between the first two themselves.
    assert far_apart(hole, 58) == boxes
    assert far_apart(hole, 59) == [(slice(10, 72), slice(10, 82))]


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_mirror_image_has_its_pixels_in_the_order_of_the_image(axes: tuple[int, ...]):
    hole = spots(3, 5)
    image = torch.rand(*hole.shape, 1)
    whole = collage([piece_of(image, hole, box, MARGIN, REACH) for box in far_apart(hole, GAP)])
    turned = whole.flipped(axes)
    assert torch.equal(turned.missing(turned.image[None]), whole.missing(whole.image[None]))


@pytest.mark.parametrize("fill", [inpaint, most_probable])
def test_holes_far_apart_are_filled_as_what_is_around_them(fill: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    """The brighter, the taller: on the canvas they stand the other way round."""
    torch.manual_seed(0)
    model = RIDE(RIDEConfig(layers=0, **{**SMALL, "components": 1})).double().eval()
    image = 0.05 * scene(150, 140)[0, :, :, 0]
    levels = {(10, 12): 0.1, (70, 80): 0.4, (125, 20): 0.9}
    mask = torch.zeros(150, 140, dtype=torch.bool)
    for (top, left), level in levels.items():
        image[top - 10 : top + 20, left - 12 : left + 20] += level
        mask[top : top + int(10 * level) + 1, left : left + 3] = True
    # Numbers that single precision has too.
    image = image.float().double()
    model.fit_whitening([image[None]])
    shapes = []
    log_density = inpainting.log_density

    def watched(model: RIDE, canvas: Canvas, images: torch.Tensor) -> torch.Tensor:
        shapes.append(images.shape[1:3])
        return log_density(model, canvas, images)

    for module in (inpainting, maximum):
        monkeypatch.setattr(module, "log_density", watched)
    found = fill(model, image, mask, 3, seed=0)
    filled = found.draws[0] if fill is inpaint else found
    for (top, left), level in levels.items():
        rows, columns = slice(top, top + int(10 * level) + 1), slice(left, left + 3)
        assert float(filled[rows, columns].mean()) == pytest.approx(level + 0.025, abs=0.08)
    assert torch.equal(filled[~mask], image[~mask])
    assert max(rows * columns for rows, columns in shapes) < mask.numel() / 2
