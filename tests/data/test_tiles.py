"""Tiles cover each image once, up to what is left over at the right and the bottom."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ride.data import Picture, Tiles, seeded
from ride.errors import ConfigError, DataError


@given(
    sides=st.lists(st.tuples(st.integers(1, 11), st.integers(1, 11)), min_size=1, max_size=4),
    size=st.integers(1, 5),
    channels=st.sampled_from([(), (3,)]),
)
def test_tiles_cover_without_overlap(sides, size: int, channels: tuple[int, ...]):
    assume(any(min(side) >= size for side in sides))
    draw = np.random.default_rng(0)
    pictures = [
        Picture(f"{k}", draw.random((*side, *channels), dtype=np.float32), None) for k, side in enumerate(sides)
    ]
    tiles = Tiles(pictures, size)
    cut = tiles.batch(torch.arange(len(tiles)), seeded(0))
    number = 0
    for index, picture in enumerate(pictures):
        height, width = picture.pixels.shape[:2]
        for row in range(0, height - size + 1, size):
            for column in range(0, width - size + 1, size):
                wanted = picture.pixels[row : row + size, column : column + size]
                np.testing.assert_array_equal(cut[number].numpy(), wanted)
                assert int(tiles.image[number]) == index
                number += 1
    assert number == len(tiles)


def test_tiles_come_in_any_order():
    pictures = [Picture("x", np.arange(64, dtype=np.float32).reshape(8, 8) / 64, None)]
    tiles = Tiles(pictures, 2)
    chosen = torch.tensor([5, 0, 5, 15])
    some, every = tiles.batch(chosen, seeded(0)), tiles.batch(torch.arange(16), seeded(0))
    torch.testing.assert_close(some, every[chosen], rtol=0, atol=0)


def test_tiles_of_integers_are_dequantised():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4), dtype=np.uint8)
    cut = Tiles([Picture("x", pixels, 256)], 4).batch(torch.tensor([0]), seeded(0))
    np.testing.assert_array_equal((cut[0] * 256).floor().int().numpy(), pixels)


def test_where_no_image_holds_a_tile_it_says_so():
    small = Picture("x", np.zeros((3, 9), dtype=np.uint8), 256)
    with pytest.raises(DataError, match="tile of 4 x 4"):
        Tiles([small], 4)
    with pytest.raises(ConfigError, match="at least 1"):
        Tiles([small], 0)
