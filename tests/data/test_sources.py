"""Folders, globs, files and names become the same images in the same order, and nothing else."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ride.data import DeadLeaves, open_pictures, sources
from ride.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, b before c before d, among what is none."""
    images = tmp_path / "images"
    (images / "e.png").mkdir(parents=True)
    for number, name in enumerate(("c.png", "b.png", "d.PNG", ".hidden.png")):
        Image.fromarray(np.full((4, 5), number, dtype=np.uint8)).save(images / name, format="PNG")
    (images / "notes.txt").write_text("no image")
    (images / "deeper").mkdir()
    shutil.copy(images / "c.png", images / "deeper" / "a.png")
    return images


def values(source: str | Path, **options) -> list[int]:
    return [int(picture.pixels.flat[0]) for picture in open_pictures(source, **options)]


def test_a_folder_gives_its_images_by_name_and_nothing_else(folder: Path):
    assert values(folder) == values(str(folder)) == [1, 0, 2]


def test_a_glob_gives_what_it_matches(folder: Path):
    assert values(f"{folder}/*.png") == [1, 0]
    assert values(folder / "[cd].*") == [0, 2]
    assert values(f"{folder}/**/?.png") == [1, 0, 0]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(folder: Path):
    shutil.copy(folder / "d.PNG", folder / "a[b].png")
    assert values(folder / "a[b].png") == [2]


def test_a_file_gives_its_images(folder: Path, tmp_path: Path):
    assert values(folder / "b.png") == [1]
    np.save(tmp_path / "many.npy", np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
    assert values(tmp_path / "many.npy") == [0, 6, 12, 18]


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("nothing", "no file or folder"),
        ("nothing.png", "no file or folder"),
        ("*.tif", "no file matches"),
        ("deeper/none", "no images in it"),
    ],
)
def test_where_there_is_nothing_it_says_so(folder: Path, source: str, part: str):
    (folder / "deeper" / "none").mkdir()
    with pytest.raises(DataError, match=part) as caught:
        open_pictures(folder / source)
    assert str(folder / source) in str(caught.value)


def test_an_array_of_no_images_is_no_source(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((0, 4, 5), dtype=np.uint8))
    with pytest.raises(DataError, match="no image that can be used"):
        open_pictures(tmp_path / "a.npy")


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_the_first_so_many_images_are_read(folder: Path, tmp_path: Path, limit: int):
    assert values(folder, limit=limit) == [1, 0, 2][:limit]
    np.save(tmp_path / "many.npy", np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
    assert values(tmp_path / "many.npy", limit=limit) == [0, 6, 12, 18][:limit]


def test_what_lies_beyond_the_limit_may_be_unreadable(folder: Path):
    (folder / "z.png").write_bytes(b"")
    assert values(folder, limit=3) == [1, 0, 2]
    with pytest.raises(DataError, match=r"z\.png"):
        open_pictures(folder)


def test_a_limit_of_none_at_all_is_refused(folder: Path):
    for source in (folder, "deadleaves"):
        with pytest.raises(ConfigError, match="at least 1"):
            open_pictures(source, limit=0)


def test_what_cannot_be_read_is_skipped_where_asked_for(folder: Path):
    (folder / "a.png").write_bytes(b"hello")
    (folder / "bb.png").write_bytes((folder / "b.png").read_bytes()[:50])
    with pytest.raises(DataError, match=r"a\.png"):
        open_pictures(folder)
    pictures = open_pictures(folder, skip_unreadable=True)
    assert [int(picture.pixels.flat[0]) for picture in pictures] == [1, 0, 2]
    assert [Path(reason.split(": ")[0]).name for reason in pictures.skipped] == ["a.png", "bb.png"]
    assert open_pictures(folder, skip_unreadable=True, limit=1).skipped == pictures.skipped[:1]


def test_a_bad_image_of_an_array_leaves_the_others(tmp_path: Path):
    images = np.full((4, 3, 2), 0.5)
    images[1, 1, 1] = np.nan
    np.save(tmp_path / "a.npy", images)
    pictures = open_pictures(tmp_path / "a.npy", skip_unreadable=True)
    assert [picture.name[-3:] for picture in pictures] == ["[0]", "[2]", "[3]"]
    assert len(pictures.skipped) == 1
    assert "a.npy[1]" in pictures.skipped[0]


def test_where_all_is_skipped_the_first_reason_is_given(folder: Path):
    (folder / "a.png").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"no image that can be used: cannot read .*a\.png"):
        open_pictures(folder / "a.png", skip_unreadable=True)


def test_images_are_kept_while_there_is_room_and_read_again_beyond(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "KEPT_BYTES", 2 * 4 * 5)
    pictures = open_pictures(folder)
    shutil.copy(folder / "b.png", folder / "c.png")
    shutil.copy(folder / "b.png", folder / "d.PNG")
    assert [int(picture.pixels.flat[0]) for picture in pictures] == [1, 0, 1]
    (folder / "d.PNG").unlink()
    with pytest.raises(DataError, match=r"no file .*d\.PNG"):
        pictures[2]


@pytest.mark.parametrize("name", ["many.npy", "many.npz"])
def test_arrays_are_read_again_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(sources, "KEPT_BYTES", 0)
    images = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, images)
    assert values(tmp_path / name) == [0, 6, 12, 18]


def test_pictures_are_a_sequence(folder: Path):
    pictures = open_pictures(folder)
    assert len(pictures) == 3
    assert pictures[-1].name == str(folder / "d.PNG")
    assert [picture.name for picture in pictures[1:]] == [str(folder / "c.png"), str(folder / "d.PNG")]
    with pytest.raises(IndexError):
        pictures[3]


def test_progress_tells_every_file(folder: Path):
    told: list[tuple[int, int, str]] = []

    def tell(done: int, total: int, message: str = "") -> None:
        told.append((done, total, message))

    open_pictures(folder, progress=tell)
    assert told == [(1, 3, "b.png"), (2, 3, "c.png"), (3, 3, "d.PNG")]


def test_dead_leaves_have_a_name_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    train, test = open_pictures("deadleaves"), open_pictures("deadleaves", part="test", seed=3)
    assert isinstance(train, DeadLeaves)
    assert isinstance(test, DeadLeaves)
    assert (len(train), train.part, train.seed) == (900, "train", 0)
    assert (len(test), test.part, test.seed) == (100, "test", 3)
    assert len(open_pictures("deadleaves", limit=7)) == 7
    with pytest.raises(ConfigError, match="1 channel"):
        open_pictures("deadleaves", channels=3)
    (tmp_path / "deadleaves").mkdir()
    monkeypatch.chdir(tmp_path)
    for folder in ("./deadleaves", Path("deadleaves")):
        with pytest.raises(DataError, match="no images in it"):
            open_pictures(folder)
