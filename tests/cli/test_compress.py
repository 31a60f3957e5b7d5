"""`ride quantize`, `compress`, `info` and `decompress`, as a person types them."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Ran, complaint, run_apart
from tests.codec.small import smooth_image

from ride.cli.compressed import written_like
from ride.codec import parse
from ride.errors import OutputError

Ride = Callable[..., Ran]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A smooth gray image of 20 x 24 pixels."""
    path = tmp_path / "photo.png"
    Image.fromarray(smooth_image(20, 24)).save(path)
    return path


def pixels_of(path: Path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_there_and_back(photo: Path, tmp_path: Path):
    ran = run_apart("compress", photo, "--threads", 1)
    assert (ran.status, ran.err) == (0, "")
    packed = tmp_path / "photo.ride"
    assert ran.out.startswith(f"wrote {packed}, 20 x 24 pixels in {packed.stat().st_size:,} bytes, ")
    assert ran.out.endswith("bit/px, verified\n")
    out = tmp_path / "back.png"
    ran = run_apart("decompress", packed, "-o", out, "--json")
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out)["files"] == [{"source": str(packed), "written": str(out), "size": [20, 24], "lost": []}]
    assert np.array_equal(pixels_of(out), pixels_of(photo))


def test_colour_with_models_of_ones_own(ride: Ride, model: Path, tmp_path: Path):
    """From images in colour to files of colours given each other, by what a person types."""
    folder = tmp_path / "colour"
    folder.mkdir()
    for seed in range(3):
        planes = [smooth_image(26, 30, 3 * seed + k) for k in range(3)]
        Image.fromarray(np.stack(planes, axis=2)).save(folder / f"{seed}.png")
    for given in (1, 2):
        words = ("--given", given, "--hidden", 3, "--components", 2, "--scales", 2, "--features", 2)
        run = tmp_path / f"given{given}"
        short = ("--patch", 8, "--length", 0.001, "--valid", 1, "--halves", "--out", run)
        trained = ride("train", folder, *words, *short)
        assert "ride quantize" in trained.out
        trained = ride("train", folder, *words, *short, "--json")
        assert trained.status == 0
        assert [json.loads(trained.out)[part] for part in ("images", "held_out")] == [10, 5]
        ran = ride("evaluate", run, folder)
        assert ran.status == 0
        assert "a code of at most" in ran.out
    integers = tmp_path / "integers.safetensors"
    colours = (tmp_path / "given1", tmp_path / "given2")
    ran = ride("quantize", model, "--colours", *colours, "--out", integers)
    assert ran.status == 0
    coloured = ran.out.rpartition(", in colour ")[2].strip()
    ran = ride("quantize", colours[1], "--data", folder, "--out", tmp_path / "blue.safetensors")
    assert "bit/px on 2,340 pixels of 3 images" in ran.out
    photo, packed = folder / "0.png", folder / "0.ride"
    assert ride("compress", photo, "--model", integers).status == 0
    assert ride("decompress", packed, "--model", integers, "-o", tmp_path / "back.png").status == 0
    assert np.array_equal(pixels_of(tmp_path / "back.png"), pixels_of(photo))
    assert "RGB, 8 bits" in ride("info", packed).out
    assert json.loads(ride("info", packed, "--json").out)["digest"] == coloured
    gray = ride("quantize", model, "--colours", model, colours[1], "--out", tmp_path / "no.safetensors")
    assert "two models of colours" in complaint(gray)
    assert "codes no image alone" in complaint(
        ride("compress", photo, "--model", tmp_path / "blue.safetensors", "--force")
    )


def test_many_images_and_a_model_of_ones_own(ride: Ride, model: Path, photos: Path, tmp_path: Path):
    integers, out = tmp_path / "integers.safetensors", tmp_path / "out"
    out.mkdir()
    ran = ride("quantize", model, "--out", integers, "--data", photos, "--limit", 2)
    assert ran.status == 0
    assert "bit/px on 344 pixels of 2 images" in ran.out
    assert f"wrote {integers}, the integer model " in ran.out
    Image.fromarray(smooth_image(33, 20)).save(photos / "b.png")
    files = sorted(photos.glob("*.png"))
    ran = ride("compress", *files, "--out", out, "--model", integers, "--tile", 16)
    assert ran.status == 0
    packed = [out / f"{file.stem}.ride" for file in files]
    assert ride("decompress", *packed, "--model", integers).status == 0
    for file, one in zip(files, packed, strict=True):
        assert np.array_equal(pixels_of(one.with_suffix(".png")), pixels_of(file))
    other = tmp_path / "other.ride"
    assert ride("compress", files[1], "--out", other).status == 0
    assert "the given one is another" in complaint(ride("decompress", other, "--model", integers))


def test_what_cannot_be_compressed_is_left_out(ride: Ride, photo: Path, tmp_path: Path):
    text, other = tmp_path / "text.png", tmp_path / "other.png"
    text.write_bytes(b"no image")
    other.write_bytes(photo.read_bytes())
    long = tmp_path / "long.npy"
    np.save(long, np.zeros((9, 8), np.uint32))
    ran = ride("compress", photo, text, long, other, "--json")
    assert ran.status == 1
    first, second, last = ran.err.splitlines()
    assert first.startswith(f"ride: left out: cannot read {text}: ")
    assert second.startswith(f"ride: left out: {long} has pixels of uint32: only integers of 8 or 16 bits")
    assert last == "ride: error: 2 files of 4 could not be compressed; the others are"
    done = json.loads(ran.out)
    assert [file["source"] for file in done["files"]] == [str(photo), str(other)]
    assert len(done["left_out"]) == 2
    assert ride("decompress", tmp_path / "other.ride", "--out", tmp_path / "back.png").status == 0
    assert np.array_equal(pixels_of(tmp_path / "back.png"), pixels_of(photo))


def test_an_error_leaves_the_files_before_it(ride: Ride, photo: Path, tmp_path: Path):
    text = tmp_path / "text.png"
    text.write_bytes(b"no image")
    assert f"cannot read {text}" in complaint(ride("compress", text))
    assert ride("compress", photo).status == 0
    packed, broken = tmp_path / "photo.ride", tmp_path / "broken.ride"
    broken.write_bytes(packed.read_bytes()[:-1])
    assert f"cannot decompress {broken}: the file is truncated" in complaint(ride("decompress", broken))


def test_what_cannot_be_decompressed_is_left_out(ride: Ride, photo: Path, tmp_path: Path):
    whole = [tmp_path / "a.ride", tmp_path / "z.ride"]
    for file in whole:
        assert ride("compress", photo, "--out", file).status == 0
    data = whole[0].read_bytes()
    deep, text, short = (tmp_path / f"{name}.ride" for name in ("deep", "text", "short"))
    torn, huge, flipped = (tmp_path / f"{name}.ride" for name in ("torn", "huge", "flipped"))
    np.save(tmp_path / "deep.npy", np.zeros((9, 8, 3), np.uint16))
    np.save(tmp_path / "huge.npy", np.zeros((99, 98), np.uint8))
    for source in ("deep", "huge"):
        assert ride("compress", tmp_path / f"{source}.npy").status == 0
    text.write_text("no file of ride")
    short.write_bytes(data[:9])
    torn.write_bytes(data[:-1])
    flipped.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    out = tmp_path / "out"
    out.mkdir()
    bad = (deep, text, short, torn, huge, flipped)
    ran = ride("decompress", whole[0], *bad, whole[1], "--out", out, "--most-pixels", 999, "--json")
    assert ran.status == 1
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "z.png"]
    for file in out.iterdir():
        assert np.array_equal(pixels_of(file), pixels_of(photo))
    *named, last = ran.err.splitlines()
    assert last == "ride: error: 6 files of 8 could not be decompressed; the others are"
    for file in bad:
        (one,) = (line for line in named if str(file) in line)
        assert one.startswith("ride: left out: ")
    assert any("give --out a name in .npy" in line for line in named)
    assert any("--salvage writes what is whole" in line for line in named)
    done = json.loads(ran.out)
    assert [file["source"] for file in done["files"]] == list(map(str, whole))
    assert [f"ride: left out: {line}" for line in done["left_out"]] == named
    # Nothing is whole: nobody is told that the others are.
    ran = ride("decompress", text, torn, "--out", out, "--force")
    assert ran.err.splitlines()[-1] == "ride: error: 2 files of 2 could not be decompressed"


def test_large_images_are_compressed(ride: Ride, photo: Path, monkeypatch: pytest.MonkeyPatch):
    """More pixels than Pillow takes for harmless."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    assert ride("compress", photo).status == 0
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    assert "more pixels than 400" in complaint(ride("compress", photo, "--force"))


@pytest.mark.parametrize(
    ("pixels", "levels"),
    [
        (np.full((4, 5), 300, np.uint16), None),
        (smooth_image(20, 40) * np.uint16(200), len(np.unique(smooth_image(20, 40)))),
        (np.full((4, 5, 3), [1, 200, 7], np.uint8), None),
    ],
)
def test_depth_and_colour_are_kept(ride: Ride, tmp_path: Path, pixels: np.ndarray, levels: int | None):
    source, out = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(pixels).save(source)
    assert ride("compress", source).status == 0
    assert json.loads(ride("info", source.with_suffix(".ride"), "--json").out)["levels"] == levels
    assert ride("decompress", source.with_suffix(".ride"), "--out", out).status == 0
    again = pixels_of(out)
    assert again.shape == pixels.shape
    assert np.array_equal(again, pixels)


def test_info_says_what_is_there(ride: Ride, photo: Path, tmp_path: Path):
    assert ride("compress", photo).status == 0
    packed = tmp_path / "photo.ride"
    said = ride("info", packed).out
    assert "20 x 24 pixels, gray, 8 bits" in said
    assert "1 tile of 512 x 512: 1 model" in said
    assert "model: bsds300" in said
    facts = json.loads(ride("info", packed, "--json").out)
    assert (facts["size"], facts["tiles"], facts["whole"]) == ([20, 24], {"model": 1}, True)
    turned = tmp_path / "turned.png"
    Image.fromarray(smooth_image(20, 24)[:, ::-1]).save(turned)
    assert ride("compress", turned, "--turns", 8).status == 0
    assert "1 model; 1 flipped or transposed" in ride("info", turned.with_suffix(".ride")).out
    packed.write_bytes(packed.read_bytes()[:-3])
    assert "truncated" in ride("info", packed).out


def test_damage_is_refused_or_cut_out(ride: Ride, photo: Path, tmp_path: Path):
    assert ride("compress", photo, "--tile", 16).status == 0
    packed = tmp_path / "photo.ride"
    data = bytearray(packed.read_bytes())
    data[-1] ^= 1
    packed.write_bytes(data)
    out = tmp_path / "out.png"
    error = complaint(ride("decompress", packed, "--out", out))
    assert f"cannot decompress {packed}: " in error
    assert "damaged in the tile of rows 16 to 19 and columns 16 to 23" in error
    assert not out.exists()
    ran = ride("decompress", packed, "--out", out, "--salvage")
    assert ran.status == 0
    assert "with 1 tile lost" in ran.out
    expected = smooth_image(20, 24)
    expected[16:, 16:] = 0
    assert np.array_equal(pixels_of(out), expected)


def test_an_image_is_not_replaced_by_damage(ride: Ride, photo: Path, tmp_path: Path):
    assert ride("compress", photo, "--tile", 16).status == 0
    packed, out = tmp_path / "photo.ride", tmp_path / "out.png"
    packed.write_bytes(packed.read_bytes()[: parse(packed.read_bytes(), None).start])
    out.write_bytes(photo.read_bytes())
    ran = ride("decompress", packed, "--out", out, "--salvage", "--force")
    assert "nothing was written: all its tiles are damaged" in complaint(ran)
    assert out.read_bytes() == photo.read_bytes()


def test_files_are_not_written_over_each_other(ride: Ride, photo: Path, tmp_path: Path):
    other = tmp_path / "photo.bmp"
    Image.fromarray(smooth_image(20, 24)).save(other)
    away, own = tmp_path / "away", tmp_path / "own.ride"
    away.symlink_to(tmp_path)
    own.write_bytes(photo.read_bytes())
    for second in (other, away / "photo.bmp", tmp_path / "away" / ".." / tmp_path.name / "photo.bmp"):
        assert "would be written to one" in complaint(ride("compress", photo, second))
    assert "would be overwritten by what is made" in complaint(ride("compress", own, "--force", "--out", own))
    assert not (tmp_path / "photo.ride").exists()


def test_a_file_that_comes_meanwhile_stays(photo: Path, tmp_path: Path):
    target = tmp_path / "photo.ride"

    def write_late() -> None:
        with written_like(photo, target, force=False) as temporary:
            temporary.write_bytes(b"ours")
            target.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="--force"):
        write_late()
    assert target.read_bytes() == b"theirs"
    photo.chmod(0o600)
    with written_like(photo, target, force=True) as temporary:
        temporary.write_bytes(b"ours")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"ours", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "photo.ride"]


def test_arrays_there_and_back(ride: Ride, tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 65536, (9, 8, 3), dtype=np.uint16)
    np.save(tmp_path / "deep.npy", pixels)
    assert ride("compress", tmp_path / "deep.npy").status == 0
    assert "--out a name in .npy" in complaint(ride("decompress", tmp_path / "deep.ride"))
    assert ride("decompress", tmp_path / "deep.ride", "--out", tmp_path / "back.npy").status == 0
    assert np.array_equal(np.load(tmp_path / "back.npy"), pixels)


def test_an_array_goes_where_it_is_said_to(ride: Ride, photo: Path, tmp_path: Path):
    packed, back = tmp_path / "photo.ride", tmp_path / "new" / "back.NPY"
    back.parent.mkdir()
    assert ride("compress", photo).status == 0
    assert ride("decompress", packed, "--out", back).status == 0
    assert list(back.parent.iterdir()) == [back]
    assert np.array_equal(np.load(back), pixels_of(photo))


def test_files_longer_than_they_say_are_not_read(ride: Ride, photo: Path, tmp_path: Path):
    assert ride("compress", photo).status == 0
    packed = tmp_path / "photo.ride"
    os.truncate(packed, 2**40)
    for command in (("decompress", "--force"), ("info",)):
        assert "longer than its header allows" in complaint(ride(*command, packed))


def test_what_does_not_come_back_is_not_written(
    ride: Ride, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ride.codec.decoding.merge", lambda planes, channels: np.zeros((20, 24), np.uint8))
    assert "nothing was written" in complaint(ride("compress", photo))
    assert not (tmp_path / "photo.ride").exists()
    assert ride("compress", photo, "--no-verify").status == 0


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_no_files_are_a_mistake(ride: Ride, command: str):
    ran = ride(command)
    assert (ran.status, ran.err) == (2, "ride: error: give at least one file\n")


def test_bad_input_is_one_line(ride: Ride, model: Path, photo: Path, tmp_path: Path):
    floats, packed = tmp_path / "floats.tiff", tmp_path / "packed.ride"
    Image.fromarray(np.zeros((4, 4), np.float32)).save(floats)
    packed.write_bytes(b"nothing")
    (tmp_path / "there.ride").write_bytes(b"")
    for words, part in (
        (("compress", tmp_path / "none.png"), "none.png"),
        (("compress", floats), "float32"),
        (("compress", photo, "--out", tmp_path / "a.png"), "must end in .ride"),
        (("compress", photo, photo.with_name("b.png"), "--out", tmp_path / "a.ride"), "folder"),
        (("compress", photo, "--out", tmp_path / "no" / "a.ride"), "there is no directory"),
        (("compress", photo, "--out", tmp_path / "there.ride"), "--force"),
        (("compress", photo, "--tile", 8), "16 to 1024"),
        (("compress", photo, "--model", tmp_path / "none"), "ride quantize"),
        (("decompress", packed), "no image that ride has compressed"),
        (("decompress", tmp_path / "none.ride"), "cannot read"),
        (("decompress", packed, "--out", tmp_path / "a.jpg"), "must end in .png"),
        (("decompress", packed, "--out", photo), "--force"),
        (("info", packed), "no image that ride has compressed"),
        (("quantize", "bsds300", "--out", tmp_path / "a.png"), ".safetensors"),
        (("quantize", model, "--out", model), "written over what it is made of"),
        (("quantize", "bsds300", "--colours", model, model, "--out", model), "written over what it is made of"),
    ):
        assert part in complaint(ride(*words))
    assert sorted(path.name for path in tmp_path.glob("*.ride")) == ["packed.ride", "there.ride"]
