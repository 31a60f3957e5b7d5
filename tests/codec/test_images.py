"""Images come back bit for bit, cost little more than raw at worst, and damage is told from them."""

import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.codec.small import Numbers, small_model, smooth_image

from ride.codec import decode, encode, parse, salvage, turns
from ride.codec.container import CHECKSUM, ENTRY, HEADER, Kind
from ride.errors import CodecError, ConfigError, DataError

MODEL = small_model()
LARGEST = 10**6
FUZZ = int(os.environ.get("RIDE_FUZZ", "0"))
"""So many examples of hostile files instead of a few, other ones each time: `make fuzz`."""


def kinds(data):
    return [tile.kind for tile in parse(data, LARGEST).tiles]


@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 255)))
def test_any_image_comes_back(image):
    data = encode(image, MODEL, side=16)
    assert np.array_equal(decode(data, MODEL), image)
    assert len(data) <= image.size + HEADER.size + CHECKSUM.size + ENTRY.size * len(kinds(data))


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (np.full((30, 40), 9, np.uint8), Kind.CONSTANT),
        (Numbers(1).within(127, 30, 40).astype(np.uint8), Kind.RAW),
        (np.tile(Numbers(1).within(127, 3, 4).astype(np.uint8), (10, 10)), Kind.DEFLATED),
        (smooth_image(30, 40), Kind.MODEL),
        ((smooth_image(40, 40) // 4 * 4).astype(np.uint8), Kind.MODEL_OF_LEVELS),
    ],
)
def test_each_image_is_coded_in_its_way(image, kind):
    data = encode(image, MODEL)
    assert kinds(data) == [kind]
    assert np.array_equal(decode(data, MODEL), image)


def test_noise_of_few_levels_costs_its_bits():
    noise = np.abs(Numbers(5).within(10**6, 60, 70) % 16).astype(np.uint8)
    data = encode(noise, MODEL)
    assert len(data) < 60 * 70 * 4 / 8 * 1.03 + parse(data, LARGEST).start
    assert np.array_equal(decode(data, MODEL), noise)


def test_each_tile_is_turned_in_its_best_way():
    image = smooth_image(40, 34)
    plain = encode(image, MODEL, side=16)
    data = encode(image, MODEL, side=16, turns=8)
    found = parse(data, LARGEST).tiles
    assert np.array_equal(decode(data, MODEL), image)
    assert len({tile.turn for tile in found}) > 2
    for turn in range(8):
        turned = image.T if turn & 4 else image
        turned = np.ascontiguousarray(turned[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1])
        assert np.array_equal(turns.turned(image, turn), turned)
        assert np.array_equal(turns.turned_back(turned, turn), image)
        assert turns.turned_size((40, 34), turn) == turned.shape
    # The first tile alone, in each of the ways: none is shorter than the one that was chosen.
    tile = image[:16, :16]
    sizes = [len(encode(turns.turned(tile, turn), MODEL, side=16)) for turn in range(8)]
    # What is compared are the bits that the model implies, of which streams have up to a byte more.
    assert len(encode(tile, MODEL, side=16, turns=8)) <= min(sizes) + 1
    assert all(few.size <= one.size + 1 for few, one in zip(found, parse(plain, LARGEST).tiles, strict=True))


@given(
    st.sampled_from(["uint8", "uint16"]),
    st.sampled_from([(), (3,)]),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 2**32),
)
def test_colour_and_16_bits_come_back(kind, channels, rows, columns, seed):
    image = np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, (rows, columns, *channels)).astype(kind)
    if seed % 2:
        image = np.sort(image, axis=1)
    data = encode(image, MODEL, side=16)
    again = decode(data, MODEL)
    assert again.dtype == image.dtype
    assert np.array_equal(again, image)
    assert len(data) <= image.nbytes + HEADER.size + CHECKSUM.size + ENTRY.size * len(kinds(data))


def test_a_lost_tile_of_a_plane_is_lost_in_all():
    image = np.stack([smooth_image(20, 20, seed) for seed in range(3)], axis=2)
    data = encode(image, MODEL, side=16)
    broken = bytearray(data)
    broken[-1] ^= 1
    found, lost = salvage(bytes(broken), MODEL)
    assert lost == [(slice(16, 20), slice(16, 20))]
    image[16:, 16:] = 0
    assert np.array_equal(found, image)


def test_the_image_may_be_a_view_or_in_another_order():
    image = smooth_image(40, 50)
    for view in (image[::2, 1::3], np.asfortranarray(image), image.T, image[::-1, ::-1]):
        assert np.array_equal(decode(encode(view, MODEL, side=16), MODEL), view)


def count(calls):
    return lambda done, total, message="": calls.append((done, total))


def test_tiles_are_coded_in_groups_without_a_difference(monkeypatch):
    from ride.codec import together

    image = smooth_image(20, 37)
    data = encode(image, MODEL, side=16)
    calls: list[tuple[int, int]] = []
    for pixels in (1, 400):
        monkeypatch.setattr(together, "TOGETHER", pixels)
        assert encode(image, MODEL, side=16) == data
        calls.clear()
        again = decode(data, MODEL, progress=count(calls))
        assert np.array_equal(again, image)
        assert calls[-1] == (image.size, image.size)
        assert len(calls) > 2


@pytest.mark.parametrize("image", [np.zeros((0, 3), np.uint8), np.zeros((3, 3)), np.zeros((3, 3, 4), np.uint8)])
def test_other_arrays_are_refused(image):
    with pytest.raises(DataError, match="can be compressed"):
        encode(image, MODEL)


def test_settings_that_make_no_sense_are_refused():
    for side in (15, 1025):
        with pytest.raises(ConfigError, match="16 to 1024"):
            encode(smooth_image(3, 3), MODEL, side=side)
    for count in (0, 9):
        with pytest.raises(ConfigError, match="turns must be 1 to 8"):
            encode(smooth_image(3, 3), MODEL, turns=count)


def damaged_ones(data):
    """Every truncation and every flipped bit."""
    for size in range(len(data)):
        yield data[:size]
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


@pytest.mark.parametrize(
    "image",
    [smooth_image(16, 18), np.full((2, 2), 5, np.uint8), np.tile(smooth_image(4, 4), (4, 4))],
    ids=["model", "constant", "deflated"],
)
def test_every_truncation_and_flip_is_one_error(image):
    data = encode(image, MODEL, side=16)
    for bad in [*damaged_ones(data), data + b"\0"]:
        with pytest.raises(CodecError) as caught:
            decode(bad, MODEL, most_pixels=LARGEST)
        assert "\n" not in str(caught.value)


def sealed(data: bytes) -> bytes:
    """The file with the checksum of its header made to fit, where it has one."""
    try:
        _, _, _, _, _, rows, columns, side, _ = HEADER.unpack_from(data)
        end = HEADER.size + -(-rows // side) * -(-columns // side) * ENTRY.size
        return data[:end] + CHECKSUM.pack(zlib.crc32(data[:end])) + data[end + CHECKSUM.size :]
    except (struct.error, ZeroDivisionError):
        return data


HOSTILE = encode(smooth_image(4, 18), MODEL, side=16)


@settings(max_examples=FUZZ or 200, derandomize=not FUZZ)
@given(st.data())
def test_hostile_files_with_fitting_checksums_are_one_error_or_an_image(data):
    """Whoever makes up checksums gets no crash, no endless loop and no large image."""
    good = bytearray(HOSTILE)
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(8, len(good) - 1))] = data.draw(st.integers(0, 255))
    bad = sealed(bytes(good))
    try:
        streams = parse(bad, LARGEST)
    except CodecError:
        streams = None
    if streams is not None:
        # Streams that fit their checksums too.
        start, head = streams.start, bytearray(bad[: streams.start])
        for k, entry in enumerate(streams.tiles):
            crc = zlib.crc32(bad[start : start + entry.size])
            head[HEADER.size + k * ENTRY.size + 5 : HEADER.size + k * ENTRY.size + 9] = struct.pack("<I", crc)
            start += entry.size
        bad = sealed(bytes(head) + bad[streams.start :])
    try:
        image = decode(bad, MODEL, most_pixels=4000)
    except CodecError:
        return
    assert image.size <= 4000


@settings(max_examples=FUZZ or 25, derandomize=not FUZZ)
@given(st.binary(max_size=200))
def test_any_bytes_are_one_error(data):
    for bad in (data, b"\x89RIDE\r\n\x1a" + data, sealed(b"\x89RIDE\r\n\x1a\x01\x08\x01\x00" + data)):
        with pytest.raises(CodecError):
            decode(bad, MODEL, most_pixels=4000)


def header(data, **changes):
    names = ("magic", "version", "depth", "channels", "zero", "rows", "columns", "side", "model")
    values = dict(zip(names, HEADER.unpack_from(data), strict=True)) | changes
    return sealed(HEADER.pack(*values.values()) + data[HEADER.size :])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"version": 2}, "version 2"),
        ({"rows": 2**31}, "damaged"),
        ({"rows": 2**31 - 1, "columns": 2**31 - 1}, "more than the 1,000,000 allowed"),
        ({"rows": 0}, "damaged"),
        ({"rows": 10**6, "columns": 1}, "truncated within the table"),
        ({"side": 0}, "tiles of 0"),
        ({"side": 2**32 - 1}, "damaged"),
        ({"depth": 12}, "12 bits"),
        ({"channels": 2}, "2 channels"),
        ({"depth": 16}, "checksum"),
        ({"rows": 500_001, "columns": 1, "depth": 16}, "in all channels more than"),
        ({"model": bytes(8)}, "names no model"),
        ({"model": b"12345678"}, "the given one is another"),
        ({"magic": b"\x89PNG\r\n\x1a\n"}, "no image that ride"),
    ],
)
def test_what_is_wrong_is_said(change, part):
    data = encode(smooth_image(18, 20), MODEL, side=16)
    with pytest.raises(CodecError, match=part):
        decode(header(data, **change), MODEL, most_pixels=LARGEST)


def test_the_model_is_found_or_asked_for():
    data = encode(smooth_image(18, 20), MODEL)
    with pytest.raises(CodecError, match="none that comes with ride is that: give it"):
        decode(data)
    plain = encode(np.full((4, 4), 3, np.uint8), MODEL)
    assert np.array_equal(decode(plain), np.full((4, 4), 3))
    bundled = encode(smooth_image(18, 20))
    assert np.array_equal(decode(bundled), smooth_image(18, 20))


def test_what_is_whole_can_be_saved():
    image = smooth_image(40, 50)
    data = encode(image, MODEL, side=16)
    info = parse(data, LARGEST)
    broken = bytearray(data)
    broken[info.start + sum(tile.size for tile in info.tiles[:5]) + 3] ^= 4
    found, lost = salvage(bytes(broken), MODEL)
    assert lost == [(slice(16, 32), slice(16, 32))]
    expected = image.copy()
    expected[lost[0]] = 0
    assert np.array_equal(found, expected)
    with pytest.raises(CodecError, match="rows 16 to 31 and columns 16 to 31"):
        decode(bytes(broken), MODEL)
    cut, missing = salvage(data[:-40], MODEL)
    assert missing[-1] == (slice(32, 40), slice(48, 50))
    assert np.array_equal(cut[:32, :48], image[:32, :48])
    assert salvage(data, MODEL)[1] == []
