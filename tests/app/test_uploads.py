"""What visitors upload: every kind that cannot be used is a sentence with the file's own name."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ride.app.limits import Limits
from ride.app.uploads import read_upload
from ride.errors import DataError

LIMITS = Limits(side=40, least=8, upload_bytes=30_000, upload_pixels=10_000)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def bomb(path: Path) -> None:
    """A header of 50,000 x 50,000 pixels and nearly nothing after it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))))


def cut_short(path: Path) -> None:
    Image.fromarray(noise(20, 20)).save(path)
    path.write_bytes(path.read_bytes()[:200])


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "text": ("a.png", lambda path: path.write_text("not an image"), "is not an image"),
    "empty": ("a.png", lambda path: path.write_bytes(b""), "is empty"),
    "bomb": ("a.png", bomb, "claims more than 0.01 million pixels"),
    "large": ("a.png", lambda path: Image.fromarray(noise(101, 100)).save(path), "claims more than 0.01 million"),
    "heavy": ("a.png", lambda path: path.write_bytes(bytes(40_000)), "has 0.03815 MB, and the page takes"),
    "small": ("a.png", lambda path: Image.fromarray(noise(7, 20)).save(path), "7 x 20 pixels, too small"),
    "cut short": ("a.png", cut_short, "damaged"),
    "16 bits": ("a.png", lambda path: Image.fromarray(noise(20, 20).astype(np.uint16)).save(path), "more than 8 bits"),
    "float": ("a.tif", lambda path: Image.fromarray(noise(20, 20).astype(np.float32)).save(path), "more than 8 bits"),
    "alpha": ("a.png", lambda path: Image.fromarray(noise(20, 20, 4)).save(path), "transparent pixels"),
    "array": ("a.npy", lambda path: np.save(path, noise(20, 20)), "is no image that the page takes"),
    "nothing like it": ("a", lambda path: path.write_bytes(b"x"), "is no image that the page takes"),
}


@pytest.mark.parametrize(("name", "make", "why"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_a_sentence(name: str, make: Callable[[Path], object], why: str, tmp_path: Path):
    path = tmp_path / name
    make(path)
    with pytest.raises(DataError) as caught:
        read_upload(path, LIMITS)
    assert why in str(caught.value)
    assert name in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sixteen_bits_in_each_colour_are_refused(tmp_path: Path):
    path = tmp_path / "a.png"
    pixels = np.concatenate([np.zeros((20, 1), np.uint8), noise(20, 120)], 1).tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20, 20, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(DataError, match="16 bits in each of its colours"):
        read_upload(path, LIMITS)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif"])
def test_an_image_comes_as_it_is(suffix: str, tmp_path: Path):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise(20, 30)).save(path)
    picture, note = read_upload(path, LIMITS)
    assert (picture.name, picture.levels, note) == (path.name, 256, "")
    np.testing.assert_array_equal(picture.pixels, noise(20, 30))


def test_an_opaque_alpha_channel_and_colour_become_gray(tmp_path: Path):
    pixels = noise(20, 30, 4)
    pixels[:, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture, _ = read_upload(tmp_path / "a.png", LIMITS)
    np.testing.assert_array_equal(picture.pixels, np.rint(pixels[:, :, :3] @ np.array([0.299, 0.587, 0.114])))


def test_the_middle_of_a_larger_image_is_taken_and_said(tmp_path: Path):
    Image.fromarray(noise(50, 60)).save(tmp_path / "a.png")
    picture, note = read_upload(tmp_path / "a.png", LIMITS)
    np.testing.assert_array_equal(picture.pixels, noise(50, 60)[5:45, 10:50])
    assert note == "a.png is 50 x 60 pixels: the 40 x 40 in its middle were taken."


def test_what_the_page_says_is_what_it_does():
    limits = replace(LIMITS, upload_bytes=3 * 2**20, upload_pixels=2_000_000)
    assert "up to 3 MB and 2 million pixels" in limits.uploads
    assert "larger than 40 x 40" in limits.uploads
