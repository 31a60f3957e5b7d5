"""Tiles come back from their streams, and another program written from the description reads them too."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.codec.reference import decode_tile
from tests.codec.small import Numbers, small_model, smooth_image

from ride.codec.modelled import Plan, decode_tiles, encode_tiles
from ride.codec.sheet import Shape

pytestmark = pytest.mark.usefixtures("kernels")

ALL = np.arange(256).astype(np.uint8)


def plan(tile, levels=ALL, above=None):
    return Plan(Shape(*tile.shape, int(tile[0, 0]) if above is None else above), levels)


@pytest.mark.parametrize(("width", "depth", "largest"), [(5, 1, 2**31), (3, 2, 2**12), (1, 1, 2**31), (7, 1, 2**31)])
@pytest.mark.parametrize("shape", [(9, 11), (1, 1), (1, 7), (8, 2)])
def test_another_program_reads_the_stream(width, depth, largest, shape):
    model, tile = replace(small_model(width, depth), largest_memory=largest), smooth_image(*shape)
    for levels in (ALL, np.unique(tile)):
        (stream,) = encode_tiles(model, [tile], [plan(tile, levels, above=100)])
        assert decode_tile(model, *shape, 100, levels.tolist(), stream) == tile.tolist()


@pytest.mark.parametrize(("width", "count"), [(5, 1), (5, 2), (3, 1), (1, 2)])
def test_another_program_reads_what_was_coded_given_other_planes(width, count):
    model = small_model(width, given=count)
    tiles = [smooth_image(*shape) for shape in ((9, 11), (1, 4), (6, 3))]
    others = [tuple(smooth_image(*tile.shape, seed=7 + k) for k in range(count)) for tile in tiles]
    plans = [plan(tile)._replace(given=other) for tile, other in zip(tiles, others, strict=True)]
    streams = encode_tiles(model, tiles, plans)
    for tile, other, stream, found in zip(tiles, others, streams, decode_tiles(model, plans, streams), strict=True):
        given = [plane.tolist() for plane in other]
        assert decode_tile(model, *tile.shape, int(tile[0, 0]), ALL.tolist(), stream, given) == tile.tolist()
        assert found is not None
        assert np.array_equal(found, tile)


def test_what_is_given_matters():
    model, tile = small_model(given=1), smooth_image(9, 11)
    streams = {
        encode_tiles(model, [tile], [plan(tile)._replace(given=(plane,))])[0]
        for plane in (tile, 255 - tile, tile // 2)
    }
    assert len(streams) == 3


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=5),
    st.sampled_from([1, 3, 5]),
    st.integers(1, 10**6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tiles_of_any_shapes_come_back_and_do_not_know_each_other(shapes, width, seed):
    model = small_model(width)
    tiles = [(Numbers(seed + k).within(128, *shape) + 127).clip(0).astype(np.uint8) for k, shape in enumerate(shapes)]
    plans = [plan(tile, np.unique(tile) if k % 2 else ALL, above=seed % 256) for k, tile in enumerate(tiles)]
    streams = encode_tiles(model, tiles, plans)
    for tile, found in zip(tiles, decode_tiles(model, plans, streams), strict=True):
        assert found is not None
        assert np.array_equal(found, tile)
    alone = [encode_tiles(model, [tile], [one])[0] for tile, one in zip(tiles, plans, strict=True)]
    assert alone == streams


def test_a_damaged_stream_costs_its_own_tile():
    model, tiles = small_model(), [smooth_image(12, 14, seed) for seed in range(3)]
    plans = [plan(tile) for tile in tiles]
    streams = encode_tiles(model, tiles, plans)
    streams[1] = streams[1][:-1] + bytes([streams[1][-1] ^ 1])
    first, damaged, last = decode_tiles(model, plans, streams)
    assert first is not None
    assert last is not None
    assert np.array_equal(first, tiles[0])
    assert np.array_equal(last, tiles[2])
    assert damaged is None or not np.array_equal(damaged, tiles[1])


def test_progress_counts_the_steps():
    model, tile = small_model(), smooth_image(5, 6)
    calls = []
    (stream,) = encode_tiles(model, [tile], [plan(tile)], lambda done, total, message="": calls.append((done, total)))
    steps = 6 + 3 * 4
    assert calls == [(k, steps) for k in range(1, steps + 1)]
    again = []
    decode_tiles(model, [plan(tile)], [stream], lambda done, total, message="": again.append((done, total)))
    assert again == calls
