"""What files store comes back as it is, or is refused: nothing is converted silently."""

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from ride.data.stored import stored_bytes, stored_pixels
from ride.errors import DataError

Array = NDArray[Any]
DRAW = np.random.default_rng(0)
GRAY, COLOUR = (DRAW.integers(0, 256, (5, 7, *more), dtype=np.uint8) for more in ((), (3,)))
DEEP = DRAW.integers(0, 65536, (5, 7), dtype=np.uint16)


def tiff(pixels: np.ndarray, photometric: int, **tags: int | tuple[int, ...]) -> bytes:
    """A TIFF of one strip, row by row, whose tags say what they are told to say."""
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    entries: dict[int, int | tuple[int, ...]] = {
        256: pixels.shape[1],
        257: pixels.shape[0],
        258: (8 * pixels.itemsize,) * samples,
        259: 1,
        262: photometric,
        273: 8,
        277: samples,
        278: pixels.shape[0],
        279: pixels.nbytes,
    }
    entries |= {int(name[1:]): value for name, value in tags.items()}
    place, lists, body = 8 + pixels.nbytes, b"", b""
    after = place + 2 + 12 * len(entries) + 4
    for tag, value in sorted(entries.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"<{len(numbers)}H", *numbers)
        if len(packed) > 4:
            packed, lists = struct.pack("<I", after + len(lists)), lists + packed
        body += struct.pack("<HHI", tag, 3, len(numbers)) + packed.ljust(4, b"\0")
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    return struct.pack("<2sHI", b"II", 42, place) + data + struct.pack("<H", len(entries)) + body + bytes(4) + lists


def saved(pixels: np.ndarray, kind: str, mode: str | None = None, **how: object) -> bytes:
    image = Image.fromarray(pixels)
    stream = BytesIO()
    (image.convert(mode) if mode else image).save(stream, kind, **how)
    return stream.getvalue()


def frames(kind: str) -> bytes:
    stream = BytesIO()
    images = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    images[0].save(stream, kind, save_all=True, append_images=images[1:])
    return stream.getvalue()


def plain(kind: str, most: int, numbers: Array) -> bytes:
    return f"{kind}\n7 5\n{most}\n{' '.join(map(str, np.ravel(numbers)))}\n".encode()


WHOLE: dict[str, tuple[bytes, Array]] = {
    "gray.png": (saved(GRAY, "png"), GRAY),
    "colour.png": (saved(COLOUR, "png"), COLOUR),
    "deep.png": (saved(DEEP, "png"), DEEP),
    "opaque.png": (saved(GRAY, "png", "LA"), GRAY),
    "bits.png": (saved(GRAY > 127, "png"), np.where(GRAY > 127, 255, 0).astype(np.uint8)),
    "palette.png": (saved(GRAY, "png", "P"), np.repeat(GRAY[..., None], 3, axis=2)),
    "gray.tif": (tiff(GRAY, 1), GRAY),
    "colour.tif": (tiff(COLOUR, 2), COLOUR),
    "deep.tif": (tiff(DEEP, 1), DEEP),
    "white-is-zero.tif": (tiff(GRAY, 0), 255 - GRAY),
    "gray.bmp": (saved(GRAY, "bmp"), GRAY),
    "colour.webp": (saved(COLOUR, "webp", lossless=True), COLOUR),
    "gray.gif": (saved(GRAY, "gif"), np.repeat(GRAY[..., None], 3, axis=2)),
    "gray.pgm": (saved(GRAY, "ppm"), GRAY),
    "plain.pgm": (plain("P2", 255, GRAY), GRAY),
    "deep.pgm": (plain("P2", 65535, DEEP), DEEP),
    "raw.pgm": (b"P5 7 5 65535\n" + DEEP.astype(">u2").tobytes(), DEEP),
    "colour.tga": (saved(COLOUR, "tga"), COLOUR),
}
LESS: dict[str, tuple[bytes, str]] = {
    "colour16.tif": (tiff(np.stack([DEEP] * 3, axis=2), 2), "16 bits"),
    "planes16.tif": (tiff(np.stack([DEEP] * 3, axis=2), 2, t284=2), "16 bits"),
    "signed.tif": (tiff(GRAY, 1, t339=2), "may be negative"),
    "more.tif": (tiff(DRAW.integers(0, 256, (5, 7, 4), dtype=np.uint8), 2, t338=0), "4 numbers a pixel"),
    "cmyk.tif": (saved(COLOUR, "tiff", "CMYK"), "kind CMYK"),
    "lab.tif": (saved(COLOUR, "tiff", "LAB"), "kind LAB"),
    "two.tif": (frames("tiff"), "2 images"),
    "two.gif": (frames("gif"), "2 images"),
    "two.png": (frames("png"), "2 images"),
    "gray.sgi": (saved(GRAY, "sgi"), "SGI"),
    "hundred.pgm": (plain("P2", 100, GRAY % 101), "up to 100"),
    "thousand.ppm": (plain("P3", 1023, COLOUR), "up to 1023"),
    "raw.pgm": (b"P5 7 5 1023\n" + (DEEP % 1024).astype(">u2").tobytes(), "up to 1023"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_pixels_come_as_they_are(tmp_path: Path, name: str):
    content, pixels = WHOLE[name]
    (tmp_path / name).write_bytes(content)
    found = stored_pixels(tmp_path / name)
    assert found.dtype == pixels.dtype
    assert np.array_equal(found, pixels)
    assert stored_bytes(tmp_path / name) in (pixels.nbytes, 3 * pixels.nbytes)


@pytest.mark.parametrize("name", LESS)
def test_what_would_be_lost_is_told(tmp_path: Path, name: str):
    content, says = LESS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as told:
        stored_pixels(tmp_path / name)
    assert name in str(told.value)


KINDS = [np.dtype(kind) for kind in ("u1", "u2", ">u2")]


@given(arrays(st.sampled_from(KINDS), array_shapes(min_dims=2, max_dims=3)), st.booleans())
def test_arrays_of_one_image(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray, fortran: bool):
    path = tmp_path_factory.mktemp("array") / "a.npy"
    np.save(path, np.asfortranarray(pixels) if fortran else pixels)
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3):
        with pytest.raises(DataError, match="one image is"):
            stored_pixels(path)
        return
    found = stored_pixels(path)
    assert found.dtype == pixels.dtype.newbyteorder("=")
    assert found.flags.c_contiguous
    assert np.array_equal(found, pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels)
    assert stored_bytes(path) == pixels.nbytes


def test_arrays_that_are_no_image(tmp_path: Path):
    for name, save in (("a.npz", np.savez), ("a.npy", np.save)):
        save(tmp_path / name, np.zeros((0, 3) if name == "a.npy" else (4, 4), np.uint8))
        with pytest.raises(DataError, match=name):
            stored_pixels(tmp_path / name)
    assert stored_bytes(tmp_path / "missing.npy") == 0
    with pytest.raises(DataError, match=r"missing\.npy"):
        stored_pixels(tmp_path / "missing.npy")
