"""Images of 16 bits as planes: by the levels that they have, where these are few."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.codec.small import Numbers, small_model, smooth_image
from tests.codec.test_images import FUZZ

from ride.codec import decode, encode, parse, salvage
from ride.codec.container import CHECKSUM, ENTRY, HEADER, LISTED
from ride.codec.planes import Layout, layout_of, merge, split
from ride.errors import CodecError

MODEL = small_model()
SMOOTH = smooth_image(40, 50).astype(np.uint16)
COLOUR = np.stack([smooth_image(30, 40, seed) for seed in range(3)], axis=2).astype(np.uint16)


@given(
    st.integers(1, 2**16),
    st.sampled_from([(), (3,)]),
    st.integers(0, 2**32),
)
def test_planes_are_the_inverse_of_each_other(count, channels, seed):
    draw = np.random.default_rng(seed)
    levels = np.sort(draw.choice(2**16, count, replace=False)).astype(np.uint16)
    image = draw.choice(levels, (5, 7, *channels))
    layout = Layout(3 if channels else 1, 16, levels)
    planes = split(image, layout)
    assert planes.shape == (layout.planes, 5, 7)
    assert layout.bits == max(8, int(np.ceil(np.log2(count))))
    again = merge(planes, layout)
    assert again.dtype == image.dtype
    assert np.array_equal(again, image)


@pytest.mark.parametrize(
    ("image", "bits", "planes"),
    [
        (SMOOTH, 8, 1),
        (SMOOTH * 257, 8, 1),
        (COLOUR * 256 + 3, 8, 3),
        ((SMOOTH << 4) + (Numbers(1).within(7, 40, 50) + 8).astype(np.uint16), 10, 2),
        (np.arange(2**16, dtype=np.uint16).reshape(256, 256), 16, 2),
        # So few pixels that a list would cost more than it saves.
        (np.array([[7, 60000]], np.uint16), 16, 2),
        (smooth_image(20, 20), 8, 1),
    ],
)
def test_levels_are_listed_where_that_is_shorter(image, bits, planes):
    layout = layout_of(image)
    assert (layout.bits, layout.planes) == (bits, planes)
    data = encode(image, MODEL)
    info = parse(data, None)
    assert (info.layout.bits, info.planes) == (bits, planes)
    assert info.start + sum(tile.size for tile in info.tiles) == len(data)
    assert np.array_equal(decode(data, MODEL), image)


def test_scaled_images_cost_what_the_unscaled_do():
    gray, scaled = encode(smooth_image(60, 70), MODEL), encode(smooth_image(60, 70) * np.uint16(257), MODEL)
    assert len(scaled) < len(gray) + 100


LISTED_ONE = encode(SMOOTH * 91, MODEL, side=16)


def test_every_flip_in_the_head_is_one_error():
    start = parse(LISTED_ONE, None).start
    for place in range(8 * start):
        bad = bytearray(LISTED_ONE)
        bad[place // 8] ^= 1 << place % 8
        with pytest.raises(CodecError):
            decode(bytes(bad), MODEL)
    for size in range(start):
        with pytest.raises(CodecError):
            decode(LISTED_ONE[:size], MODEL)


def with_list(listed: bytes, places: int = 8) -> bytes:
    """The file with another list and a checksum that fits."""
    import zlib

    info = parse(LISTED_ONE, None)
    end = HEADER.size + len(info.tiles) * ENTRY.size
    head = bytearray(LISTED_ONE[:end] + LISTED.pack(len(listed)) + listed)
    head[11] = places
    return bytes(head) + CHECKSUM.pack(zlib.crc32(head)) + LISTED_ONE[info.start :]


def test_a_list_that_makes_no_sense_is_one_error():
    import zlib

    whole = np.zeros(2**16 // 8, np.uint8)
    for listed, places, part in (
        (zlib.compress(whole.tobytes()), 8, "lists no level"),
        (zlib.compress(b"\xff" * 2**13), 8, "another length"),
        (zlib.compress(b"\xff" * 2**24), 8, "another size"),
        (b"nothing", 8, "deflated is damaged"),
        (b"", 8, "another length"),
        (zlib.compress(b"\x03" + b"\0" * (2**13 - 1)), 8, "damaged in the tile"),
        (b"", 7, "cannot read"),
        (b"", 16, "cannot read"),
    ):
        with pytest.raises(CodecError, match=part):
            decode(with_list(listed, places), MODEL)
    image, lost = salvage(with_list(zlib.compress(b"\x03" + b"\0" * (2**13 - 1))), MODEL)
    assert image.shape == SMOOTH.shape
    assert lost


@settings(max_examples=FUZZ or 100, derandomize=not FUZZ)
@given(st.binary(max_size=40), st.integers(0, 255))
def test_any_list_is_one_error_or_an_image(listed, places):
    try:
        image = decode(with_list(listed, places), MODEL, most_pixels=10**5)
    except CodecError:
        return
    assert image.shape == SMOOTH.shape
