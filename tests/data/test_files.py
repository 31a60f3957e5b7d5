"""Every kind of image file gives the pixels that went into it, or one sentence that names the file."""

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from ride.data import Picture, open_pictures
from ride.data.files import VAN_HATEREN_SHAPE, naming, readable, readers
from ride.errors import DataError

DRAW = np.random.default_rng(0)
GRAY = DRAW.integers(0, 256, (5, 7), dtype=np.uint8)
WIDE = DRAW.integers(0, 65536, (5, 7), dtype=np.uint16)
COLOUR = DRAW.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def read(path: Path, channels: int = 1) -> Picture:
    """The only image of a file."""
    (reader,) = readers(path, channels)
    return reader()


def complaint(path: Path, channels: int = 1) -> str:
    with pytest.raises(DataError) as caught:
        list(open_pictures(path, channels=channels))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def luma(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """ITU-R BT.601 in whole numbers, rounded to nearest."""
    red, green, blue = colour.astype(np.int64).transpose(2, 0, 1)
    return ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint8)


def png(mode: int, pixels: bytes, *, height: int = 1, more: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """A PNG of 16 bits and width 1, which Pillow cannot write in colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, height, 16, mode, 0, 0, 0)
    middle = b"".join(chunk(*extra) for extra in more)
    body = chunk(b"IDAT", zlib.compress(b"\0" + pixels))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "PNG", "pgm"])
def test_gray_of_8_bits_comes_back(tmp_path: Path, suffix: str):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GRAY).save(path)
    picture = read(path)
    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert (picture.name, picture.levels, picture.channels) == (str(path), 256, 1)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_gray_of_16_bits_comes_back(tmp_path: Path, suffix: str):
    Image.fromarray(WIDE).save(tmp_path / f"a.{suffix}")
    picture = read(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(picture.pixels, WIDE)
    assert (picture.levels, picture.pixels.dtype) == (65536, np.uint16)


def test_big_endian_tiffs_of_16_bits_come_back(tmp_path: Path):
    Image.frombytes("I;16B", WIDE.shape[::-1], WIDE.astype(">u2").tobytes()).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, WIDE)


def test_floats_in_tiffs_are_continuous(tmp_path: Path):
    values = DRAW.random((5, 7), dtype=np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    picture = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels, values)
    assert picture.levels is None


def test_colour_becomes_gray_by_its_luma(tmp_path: Path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, luma(COLOUR))


def test_colour_stays_where_it_is_wanted(tmp_path: Path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png", channels=3)
    np.testing.assert_array_equal(picture.pixels, COLOUR)
    assert picture.channels == 3


def test_gray_is_no_colour(tmp_path: Path):
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    assert "has 1 channels where 3 are needed" in complaint(tmp_path / "a.png", channels=3)


def test_palettes_are_looked_up(tmp_path: Path):
    image = Image.fromarray(COLOUR).quantize(16)
    image.save(tmp_path / "a.png")
    looked_up = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read(tmp_path / "a.png", channels=3).pixels, looked_up)
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, luma(looked_up))


def test_black_and_white_becomes_0_and_255(tmp_path: Path):
    Image.fromarray(GRAY > 127).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, np.where(GRAY > 127, 255, 0))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_may_be_there_while_nothing_is_transparent(tmp_path: Path, mode: str):
    image = Image.fromarray(COLOUR).convert("L").convert(mode)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, np.asarray(image.convert("L")))
    image.putpixel((2, 3), (*image.getpixel((2, 3))[:-1], 254))  # type: ignore[index]
    image.save(tmp_path / "a.png")
    assert "transparent" in complaint(tmp_path / "a.png")


def test_a_transparent_colour_counts_as_transparent(tmp_path: Path):
    flat = Image.fromarray(np.full((3, 3), 9, dtype=np.uint8))
    flat.save(tmp_path / "used.png", transparency=9)
    assert "transparent" in complaint(tmp_path / "used.png")
    flat.save(tmp_path / "unused.png", transparency=8)
    np.testing.assert_array_equal(read(tmp_path / "unused.png").pixels, np.asarray(flat))
    (tmp_path / "wide.png").write_bytes(png(0, b"\x12\x34", more=((b"tRNS", b"\x12\x34"),)))
    assert "transparent" in complaint(tmp_path / "wide.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GRAY).save(tmp_path / "a.png", exif=exif)
    upright: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x, 2).T,
        8: np.rot90,
    }
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, upright[orientation](GRAY))


@pytest.mark.parametrize(("mode", "values"), [(2, 3), (4, 2), (6, 4)])
def test_what_would_lose_8_of_its_16_bits_is_refused(tmp_path: Path, mode: int, values: int):
    (tmp_path / "a.png").write_bytes(png(mode, b"\x12\x34" * values))
    assert "16 bits" in complaint(tmp_path / "a.png", channels=3)


def test_wide_portable_pixmaps_are_refused(tmp_path: Path):
    (tmp_path / "a.ppm").write_bytes(b"P6 1 1 65535\n" + b"\x12\x34" * 3)
    assert "16 bits" in complaint(tmp_path / "a.ppm", channels=3)


def test_integers_of_32_bits_are_refused(tmp_path: Path):
    Image.fromarray(GRAY.astype(np.int32)).save(tmp_path / "a.tif")
    assert "32-bit" in complaint(tmp_path / "a.tif")


def test_of_an_animation_the_first_page_is_read(tmp_path: Path):
    pages = [Image.fromarray(np.full((4, 4), value, dtype=np.uint8)) for value in (10, 200)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    assert (read(tmp_path / "a.gif").pixels == 10).all()


def test_warnings_about_metadata_are_not_shown(tmp_path: Path):
    Image.fromarray(GRAY).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0")
    assert read(tmp_path / "a.jpg").pixels.shape == GRAY.shape


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif", "npy", "npz"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "something else"])
def test_damaged_files_are_named(tmp_path: Path, suffix: str, damage: str):
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, GRAY)
    elif suffix == "npz":
        np.savez(path, GRAY)
    else:
        Image.fromarray(GRAY).save(path)
    content = path.read_bytes()
    cut = content[: int(0.6 * len(content))]
    path.write_bytes({"empty": b"", "truncated": cut, "something else": b"hello, world\n" * 20}[damage])
    assert ("the file is empty" if damage == "empty" else "damaged, truncated or no image") in complaint(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    for name in ("a.png", "a.npy", "a.npz", "a.iml"):
        with pytest.raises(DataError, match=f"there is no file .*{name}"):
            [reader() for reader in readers(tmp_path / name, 1)]


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(DataError, match=r"a\.png: Is a directory"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
@given(data=st.data())
def test_a_file_cut_anywhere_is_whole_or_refused(tmp_path_factory, suffix: str, data: st.DataObject):
    path = tmp_path_factory.mktemp("cut") / f"a.{suffix}"
    Image.fromarray(GRAY).save(path)
    content, before = path.read_bytes(), read(path).pixels
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with suppress(DataError):
        np.testing.assert_array_equal(read(path).pixels, before)


@given(data=st.data())
def test_a_file_with_any_byte_changed_is_read_or_refused(tmp_path_factory, data: st.DataObject):
    path = tmp_path_factory.mktemp("changed") / data.draw(st.sampled_from(["a.png", "a.jpg", "a.tif", "a.gif"]))
    Image.fromarray(GRAY).save(path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with suppress(DataError):
        assert read(path).pixels.size


@pytest.mark.parametrize("most", [34, 20, 10])
def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int):
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    assert f"more pixels than {most}" in complaint(tmp_path / "a.png")


def arrays(path: Path, channels: int = 1) -> list[Picture]:
    return [reader() for reader in readers(path, channels)]


@pytest.mark.parametrize(
    ("shape", "channels", "images", "image"),
    [
        ((5, 7), 1, 1, (5, 7)),
        ((5, 7, 1), 1, 1, (5, 7)),
        ((4, 5, 7), 1, 4, (5, 7)),
        ((4, 5, 7, 1), 1, 4, (5, 7)),
        ((5, 7, 3), 1, 1, (5, 7)),
        ((5, 7, 3), 3, 1, (5, 7, 3)),
        ((4, 5, 7, 3), 3, 4, (5, 7, 3)),
        ((5, 7, 2), 2, 1, (5, 7, 2)),
    ],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64, ">u2", "<u2"])
def test_arrays_hold_one_image_or_many(tmp_path: Path, shape, channels: int, images: int, image, kind):
    scale = 1 if np.dtype(kind).kind == "f" else 200
    values = (DRAW.random(shape) * scale).astype(kind)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", some=values)
    whole, unpacked = arrays(tmp_path / "a.npy", channels), arrays(tmp_path / "a.npz", channels)
    assert len(whole) == len(unpacked) == images
    for index, (one, other) in enumerate(zip(whole, unpacked, strict=True)):
        assert one.pixels.shape == image
        assert one.levels == {"u1": 256, "u2": 65536}.get(np.dtype(kind).str[1:])
        np.testing.assert_array_equal(one.pixels, other.pixels)
        if shape[-1] != 3 or channels == 3:
            original = values[index] if images > 1 else values
            np.testing.assert_array_equal(one.pixels, original.reshape(image).astype(one.pixels.dtype))
    assert not isinstance(whole[0].pixels, np.memmap)


def test_images_in_arrays_are_named_by_their_place(tmp_path: Path):
    np.save(tmp_path / "many.npy", np.zeros((2, 5, 7), dtype=np.uint8))
    np.savez(tmp_path / "more.npz", left=GRAY, right=np.stack([GRAY, GRAY]))
    assert [p.name for p in arrays(tmp_path / "many.npy")] == [f"{tmp_path}/many.npy[{k}]" for k in range(2)]
    names = [f"{tmp_path}/more.npz{place}" for place in ("[left]", "[right][0]", "[right][1]")]
    assert [p.name for p in arrays(tmp_path / "more.npz")] == names


def test_booleans_are_black_and_white(tmp_path: Path):
    np.save(tmp_path / "a.npy", GRAY > 99)
    np.savez(tmp_path / "a.npz", some=GRAY > 99)
    for name in ("a.npy", "a.npz"):
        (picture,) = arrays(tmp_path / name)
        assert picture.levels == 256
        np.testing.assert_array_equal(picture.pixels, 255 * (GRAY > 99))


def test_luma_of_floats_is_not_rounded(tmp_path: Path):
    values = DRAW.random((5, 7, 3), dtype=np.float32)
    np.save(tmp_path / "a.npy", values)
    (picture,) = arrays(tmp_path / "a.npy")
    wanted = 0.299 * values[:, :, 0] + 0.587 * values[:, :, 1] + 0.114 * values[:, :, 2]
    np.testing.assert_allclose(picture.pixels, wanted, rtol=1e-6)
    np.save(tmp_path / "white.npy", np.ones((5, 7, 3)))
    assert arrays(tmp_path / "white.npy")[0].pixels.max() <= 1


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (GRAY.astype(np.int64), "int64"),
        (GRAY.astype(np.int8), "int8"),
        (GRAY.astype(complex), "complex"),
        (np.zeros(7, dtype=np.uint8), "shape"),
        (np.zeros((1, 1, 1, 1, 1), dtype=np.uint8), "shape"),
        (np.uint8(3), "shape"),
        (np.zeros((0, 7), dtype=np.uint8), "shape"),
        (np.array([[0.5, np.nan]]), "NaN or infinite"),
        (np.array([[0.5, np.inf]]), "NaN or infinite"),
        (np.array([[0.5, 1e300]]), "NaN or infinite"),
        (np.array([[0.5, 1.01]]), "from 0.5 to 1.01"),
        (np.array([[0.5, -0.01]]), "from -0.01 to 0.5"),
        (np.array([[GRAY, None]], dtype=object), "bject"),
    ],
)
def test_arrays_that_are_no_images_are_named(tmp_path: Path, values, part: str):
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", some=values)
    assert part in complaint(tmp_path / "a.npy")
    assert part in complaint(tmp_path / "a.npz")


def test_a_pickle_is_never_opened(tmp_path: Path):
    # Opened, this would make a folder.
    (tmp_path / "a.npy").write_bytes(b"cos\nmkdir\n(S'%s'\ntR." % bytes(tmp_path / "made"))
    assert "pickle" in complaint(tmp_path / "a.npy")
    assert not (tmp_path / "made").exists()


def test_arrays_by_the_wrong_name_are_told(tmp_path: Path):
    np.save(tmp_path / "a.npy", GRAY)
    (tmp_path / "a.npy").rename(tmp_path / "one.npz")
    assert "name it .npy" in complaint(tmp_path / "one.npz")
    np.savez(tmp_path / "b.npz", GRAY)
    (tmp_path / "b.npz").rename(tmp_path / "several.npy")
    assert "name it .npz" in complaint(tmp_path / "several.npy")


def test_raw_images_of_van_hateren_are_big_endian(tmp_path: Path):
    values = DRAW.integers(0, 65536, VAN_HATEREN_SHAPE, dtype=np.uint16)
    (tmp_path / "a.iml").write_bytes(values.astype(">u2").tobytes())
    picture = read(tmp_path / "a.iml")
    np.testing.assert_array_equal(picture.pixels, values)
    assert picture.levels == 65536


def test_raw_images_of_another_size_are_refused(tmp_path: Path):
    (tmp_path / "a.iml").write_bytes(bytes(1000))
    assert "3,145,728 bytes, this file 1,000" in complaint(tmp_path / "a.iml")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((f"a.{suffix}", True) for suffix in ("png", "JPG", "jpeg", "tiff", "pgm", "npy", "npz", "iml", "webp")),
        *((f"a.{suffix}", False) for suffix in ("txt", "pdf", "mpg", "h5", "json", "safetensors")),
        ("png", False),
    ],
)
def test_images_are_told_by_their_suffix(name: str, is_one: bool):
    assert readable(Path(name)) == is_one


def test_want_of_memory_is_not_damage(tmp_path: Path):
    with pytest.raises(MemoryError), naming(tmp_path / "a.png"):
        raise MemoryError
