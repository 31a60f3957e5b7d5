"""Images in colour: planes given each other come back, and damage to one is damage to those after it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.codec.reference_file import read_file
from tests.codec.small import colour_model, rough_tables, small_model, smooth_image
from tests.codec.test_images import FUZZ

from ride.codec import decode, encode, encoding, load_integer, parse, salvage, save_integer
from ride.codec.colour import ColourPlanes
from ride.codec.container import Kind
from ride.codec.encoding import encode_all
from ride.codec.planes import split
from ride.data import Picture
from ride.errors import CodecError, ConfigError, DataError, ModelError

MODEL = colour_model()
ALONE = replace(MODEL, colours=None)
_, RED, BLUE = MODEL.of_planes(3)
IMAGE = np.stack([smooth_image(40, 37, seed) for seed in range(3)], axis=2)
DATA = encode(IMAGE, MODEL, side=16)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32), st.sampled_from(["uint8", "uint16"]))
def test_any_image_comes_back(rows, columns, seed, kind):
    image = np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, (rows, columns, 3)).astype(kind)
    if seed % 2:
        image = np.sort(image, axis=1) // 64 * 64
    data = encode(image, MODEL, side=16)
    again = decode(data, MODEL)
    assert again.dtype == image.dtype
    assert np.array_equal(again, image)


def test_colours_of_one_image_are_coded_given_each_other():
    assert parse(DATA, None).model == MODEL.name(3)
    assert np.array_equal(decode(DATA, MODEL), IMAGE)
    # Whatever is coded together, and on any number of threads.
    gray = smooth_image(20, 20)
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            files = list(encode_all([gray, IMAGE, gray, IMAGE[:9]], MODEL, side=16, verify=True))
        finally:
            torch.set_num_threads(before)
        assert files == [encode(image, MODEL, side=16) for image in (gray, IMAGE, gray, IMAGE[:9])]
        assert files[1] == DATA


def test_a_plane_is_coded_alone_where_that_is_shorter():
    """The small model follows the pixel to the left, and so does this one; of that one the mean is elsewhere."""
    bad = replace(RED, head=replace(RED.head, bias=RED.head.bias + (10**11 * (np.arange(5) > 1)).astype(np.int64)))
    other = replace(MODEL, colours=(bad, BLUE))
    data = encode(IMAGE, other, side=16)
    kinds = [tile.kind for tile in parse(data, None).tiles]
    count = len(kinds) // 3
    assert {Kind.ALONE, Kind.DEFLATED} >= set(kinds[count : 2 * count])
    assert Kind.ALONE in kinds
    assert len(data) < len(encode(IMAGE, ALONE, side=16)) * 1.2
    assert np.array_equal(decode(data, other), IMAGE)
    assert read_file(other, data) == IMAGE.tolist()
    green, difference = smooth_image(40, 40, 7), (smooth_image(40, 40) // 4 * 4).astype(np.uint8)
    with_levels = np.stack([green + difference - np.uint8(128), green, green], axis=2)
    data = encode(with_levels, other)
    assert Kind.ALONE_OF_LEVELS in [tile.kind for tile in parse(data, None).tiles]
    assert read_file(other, data) == with_levels.tolist()


def test_no_model_is_asked_about_constant_planes(monkeypatch: pytest.MonkeyPatch):
    """Those of gray images in three channels."""
    monkeypatch.setattr(encoding, "implied", None)
    gray = np.repeat(smooth_image(20, 20)[..., None], 3, axis=2)
    data = encode(gray, MODEL)
    assert [tile.kind for tile in parse(data, None).tiles] == [Kind.MODEL, Kind.CONSTANT, Kind.CONSTANT]
    assert np.array_equal(decode(data, MODEL), gray)


def test_one_model_reads_what_it_wrote_with_and_without_those_of_colours():
    alone = encode(IMAGE, ALONE, side=16)
    assert alone != DATA
    assert parse(alone, None).model == MODEL.digest[:8] == ALONE.name(3) != MODEL.name(3)
    assert np.array_equal(decode(alone, MODEL), IMAGE)
    with pytest.raises(CodecError, match="the given one is another"):
        decode(DATA, ALONE)
    gray = encode(IMAGE[..., 0], MODEL)
    assert gray == encode(IMAGE[..., 0], ALONE)


def test_a_lost_plane_is_lost_with_those_after_it():
    info = parse(DATA, None)
    count = len(info.tiles) // 3
    expected = IMAGE.copy()
    expected[16:32, :16] = 0
    for plane in range(3):
        place = info.start + sum(tile.size for tile in info.tiles[: plane * count + 3])
        broken = bytearray(DATA)
        broken[place + 2] ^= 8
        found, lost = salvage(bytes(broken), MODEL)
        assert lost == [(slice(16, 32), slice(0, 16))]
        assert np.array_equal(found, expected)
        with pytest.raises(CodecError, match="rows 16 to 31 and columns 0 to 15"):
            decode(bytes(broken), MODEL)


@settings(max_examples=FUZZ or 100, derandomize=not FUZZ)
@given(st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(0, 7)), min_size=1, max_size=4))
def test_flipped_bits_are_one_error_or_no_change(flips):
    bad = bytearray(DATA)
    for place, bit in flips:
        bad[place] ^= 1 << bit
    try:
        image = decode(bytes(bad), MODEL)
    except CodecError:
        return
    assert np.array_equal(image, IMAGE)


def test_files_of_models_keep_those_of_colours(tmp_path: Path):
    path = tmp_path / "colour.safetensors"
    bounded = replace(MODEL, largest_memory=2**14)
    save_integer(bounded, path, {})
    again = load_integer(path)
    assert again.colours
    assert again.name(3) == bounded.name(3) != MODEL.name(3)
    assert again.digest == bounded.digest
    save_integer(BLUE, path, {})
    assert load_integer(path).digest == BLUE.digest
    assert load_integer(path).neighborhood.given == 2


def test_models_that_do_not_fit_each_other_are_refused():
    for colours in ((BLUE, RED), (RED, RED), (small_model(), BLUE)):
        with pytest.raises(ModelError, match="two models of colours"):
            replace(MODEL, colours=colours)
    with pytest.raises(ModelError, match="two models of colours"):
        replace(RED, colours=(RED, BLUE))
    other = replace(rough_tables(), exp=rough_tables().exp[:-1].copy())
    with pytest.raises(ModelError, match="share their tables"):
        replace(MODEL, colours=(RED, replace(BLUE, tables=other)))


def test_a_model_of_one_plane_codes_no_image_alone():
    with pytest.raises(ConfigError, match="codes no image alone"):
        encode(IMAGE[..., 0], RED)
    named = bytearray(encode(IMAGE[..., 0], MODEL))
    with pytest.raises(CodecError):
        decode(bytes(named), RED)


def test_planes_for_training_are_those_of_the_codec():
    picture = Picture("it", IMAGE, 256)
    planes = split(IMAGE, parse(DATA, None).layout)
    for count in (1, 2):
        (made,) = ColourPlanes([picture], count)
        assert made.channels == 1 + count
        assert np.array_equal(made.pixels[..., 0], planes[count])
        for earlier in range(count):
            assert np.array_equal(made.pixels[..., 1 + earlier], planes[earlier])
    for count in (0, 3):
        with pytest.raises(ConfigError, match="1 or 2 planes"):
            ColourPlanes([picture], count)
    with pytest.raises(DataError, match="gray is no image of red, green and blue"):
        ColourPlanes([Picture("gray", IMAGE[..., 0], 256)], 1)[0]
