"""What is cut out around a hole, and how an image goes on where it ends."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ride.generation import canvas
from ride.generation.canvas import canvas_of, nearest_filled


@given(st.integers(1, 30), st.integers(2, 30), st.integers(0, 1000), st.sampled_from([None, 12, 19]))
def test_the_hole_and_the_known_pixels_are_in_their_places(height: int, width: int, seed: int, reach: int | None):
    generator = torch.Generator().manual_seed(seed)
    hole = torch.rand(height, width, generator=generator) < 0.2
    hole[0, 0], hole[-1, -1] = True, False
    image = torch.rand(height, width, 1, generator=generator)
    canvas = canvas_of(image, hole, 11, reach)
    assert int(canvas.hole.sum()) == int(hole.sum())
    assert torch.equal(canvas.image[canvas.hole], image[hole])
    lines, columns = hole.any(1).nonzero(), hole.any(0).nonzero()
    rows = range(max(0, int(lines.min()) - (reach or 99)), min(height, int(lines.max()) + 1 + (reach or 99)))
    across = range(max(0, int(columns.min()) - (reach or 99)), min(width, int(columns.max()) + 1 + (reach or 99)))
    assert torch.equal(canvas.image[canvas.own].view(len(rows), len(across)), image[rows][:, across].squeeze(-1))
    edges = canvas.hole.nonzero()
    assert edges.min(0).values.ge(11).all()
    assert (torch.tensor(canvas.hole.shape) - 1 - edges.max(0).values).ge(11).all()


def test_it_goes_on_like_a_mirror():
    image = torch.arange(40.0).view(5, 8, 1)
    hole = torch.zeros(5, 8, dtype=torch.bool)
    hole[2, 3] = True
    canvas = canvas_of(image, hole, 6, 6)
    assert canvas.continued
    known = nearest_filled(image, hole)[..., 0].numpy()
    expected = np.pad(known, ((4, 4), (3, 2)), mode="reflect")
    shown = torch.where(canvas.hole, torch.from_numpy(expected), canvas.image[..., 0])
    assert torch.equal(shown, torch.from_numpy(expected))


def test_an_image_with_room_is_not_continued():
    image, hole = torch.rand(40, 50, 1), torch.zeros(40, 50, dtype=torch.bool)
    hole[15:25, 12:20] = True
    canvas = canvas_of(image, hole, 11, None)
    assert not canvas.continued
    assert torch.equal(canvas.image, image)


@pytest.mark.parametrize("axes", [(), (0,), (1,), (0, 1)])
def test_a_mirror_image_of_a_mirror_image_is_the_canvas(axes: tuple[int, ...]):
    hole = torch.zeros(9, 9, dtype=torch.bool)
    hole[2, 3] = True
    canvas = canvas_of(torch.rand(9, 9, 1), hole, 6, 6)
    again = canvas.flipped(axes).flipped(axes)
    assert all(torch.equal(getattr(again, name), getattr(canvas, name)) for name in ("image", "hole", "own"))


def test_missing_pixels_take_the_nearest_known_value():
    image = torch.arange(25.0).view(5, 5, 1)
    hole = torch.zeros(5, 5, dtype=torch.bool)
    hole[1:4, 1:3] = True
    filled = nearest_filled(image, hole)
    assert filled[2, 1] == image[2, 0]
    assert filled[2, 2] == image[2, 3]
    assert torch.equal(filled[~hole], image[~hole])


def test_many_missing_pixels_are_filled_some_at_a_time(monkeypatch: pytest.MonkeyPatch):
    generator = torch.Generator().manual_seed(0)
    image, hole = torch.rand(12, 13, 1, generator=generator), torch.rand(12, 13, generator=generator) < 0.6
    at_once = nearest_filled(image, hole)
    # Several missing pixels at a time, and then one.
    for distances in (7 * int((~hole).sum()), 1):
        monkeypatch.setattr(canvas, "NEAREST_AT_ONCE", distances)
        assert torch.equal(nearest_filled(image, hole), at_once)
