"""Images at half their size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ride.data import Picture, WithHalves
from ride.data.halves import PARTS, halved
from ride.errors import DataError

SIDE = st.integers(3, 8)
SHAPES = st.one_of(st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE, st.just(3)))


@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)), st.sampled_from(PARTS))
def test_halves_are_means_of_four_pixels(pixels: np.ndarray, first: tuple[int, int]):
    half = halved(Picture("x", pixels, 256), *first).pixels
    assert half.dtype == np.uint8
    assert half.shape[:2] == tuple((n - k) // 2 for n, k in zip(pixels.shape, first, strict=False))
    for row, column in np.ndindex(half.shape[:2]):
        i, j = 2 * row + first[0], 2 * column + first[1]
        four = pixels[i : i + 2, j : j + 2].reshape(4, *pixels.shape[2:]).astype(float)
        assert np.array_equal(half[row, column], np.floor(four.mean(axis=0) + 0.5))


@pytest.mark.parametrize(("kind", "levels", "top"), [(np.uint16, 65536, 65535), (np.float32, None, 1)])
def test_the_largest_pixels_stay(kind: type, levels: int | None, top: float):
    assert (halved(Picture("x", np.full((4, 6), top, kind), levels)).pixels == top).all()


def test_numbers_that_are_continuous_are_not_rounded():
    pixels = np.array([[0.0, 0.25], [0.5, 0.75]], np.float32)
    assert halved(Picture("x", pixels, None)).pixels.tolist() == [[0.375]]


def test_each_picture_follows_its_halves():
    pictures = [Picture(name, np.full((5, 7), value, np.uint8), 256) for name, value in (("a", 1), ("b", 2))]
    both = WithHalves(pictures)
    assert [picture.name for picture in both[3:7]] == ["a, half 11", "a", "b, half 00", "b, half 01"]
    assert [picture.pixels.shape for picture in both[:5]] == [(2, 3), (2, 3), (2, 3), (2, 3), (5, 7)]
    assert len(both) == 10
    assert both[-1] is pictures[1]


@pytest.mark.parametrize("shape", [(2, 9), (9, 2), (1, 1)])
def test_what_is_too_small_is_told(shape: tuple[int, int]):
    with pytest.raises(DataError, match="tiny is too small to be halved: it needs 3 rows and 3 columns"):
        list(WithHalves([Picture("tiny", np.zeros(shape, np.uint8), 256)]))
