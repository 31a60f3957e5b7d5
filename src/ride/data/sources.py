"""Where images come from: folders, globs, files, arrays and the generator of dead leaves, under one name."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ride.data.deadleaves import DeadLeaves
from ride.data.files import Reader, readable, readers
from ride.data.lazy import LazyPictures
from ride.data.picture import Picture
from ride.errors import ConfigError, DataError
from ride.progress import Progress

DEAD_LEAVES = "deadleaves"
DEAD_LEAVES_COUNT = {"train": 900, "test": 100}
"""The split of section 3.3."""
KEPT_BYTES = 2**30
"""Pixels kept in memory; images beyond are read again when they are asked for."""


class Pictures(LazyPictures):
    """Images of files: all are read once on opening, so that a bad one is found before any long work is done.

    `skipped` says, one line each, which images were left out and why.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        channels: int,
        skip_unreadable: bool,
        limit: int | None,
        least: tuple[int, int],
        progress: Progress | None,
    ) -> None:
        self._least = least
        self.skipped: list[str] = []
        self._skip = skip_unreadable
        self._readers: list[Reader] = []
        self._kept: dict[int, Picture] = {}
        self._room = KEPT_BYTES
        for done, path in enumerate(paths):
            with self._skipping():
                for read in readers(path, channels):
                    if len(self._readers) == limit:
                        return
                    # One bad image of an array leaves the others.
                    with self._skipping():
                        self._add(read)
            if progress:
                progress(done + 1, len(paths), path.name)

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        try:
            yield
        except DataError as error:
            if not self._skip:
                raise
            self.skipped.append(str(error))

    def _add(self, read: Reader) -> None:
        picture, (rows, columns) = read(), self._least
        if picture.pixels.shape[0] < rows or picture.pixels.shape[1] < columns:
            size = " x ".join(map(str, picture.pixels.shape[:2]))
            raise DataError(f"{picture.name} has {size} pixels where {rows} x {columns} or more are needed")
        if picture.pixels.nbytes <= self._room:
            self._room -= picture.pixels.nbytes
            self._kept[len(self._readers)] = picture
        self._readers.append(read)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._readers)

    def _picture(self, index: int) -> Picture:
        """Image `index`, read again where there was no room to keep it."""
        return self._kept.get(index) or self._readers[index]()


def open_pictures(
    source: str | Path,
    *,
    channels: int = 1,
    skip_unreadable: bool = False,
    limit: int | None = None,
    seed: int = 0,
    part: Literal["train", "test"] = "train",
    least: tuple[int, int] = (1, 1),
    progress: Progress | None = None,
) -> Pictures | DeadLeaves:
    """The images that a name stands for, sorted by name.

    Args:
        source: a folder (what lies in it, not in its folders), a glob, an image, an .npy or .npz with one image
            [H, W(, M)] or many [B, H, W(, M)], a raw .iml of the van Hateren collection, or `deadleaves` for images
            made on the fly (`./deadleaves` or a `Path` is the folder of that name). 8 and 16 bits, floats from 0 to
            1, or booleans, which are black and white.
        channels: of a pixel; with 1, colour becomes gray (luma of ITU-R BT.601).
        skip_unreadable: leave out what cannot be read; the result's `skipped` says what.
        limit: the first so many images only.
        seed: of dead leaves.
        part: of dead leaves; no image is in both.
        least: rows and columns that an image has at least; one with fewer cannot be used.
        progress: called with the files read and all.

    Raises:
        ConfigError: the limit is below 1, or dead leaves are asked for in colour.
        DataError: there are no images, or one cannot be read; it is named.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"the limit must be at least 1 image, not {limit}")
    if source == DEAD_LEAVES:
        if channels != 1:
            raise ConfigError(f"dead leaves have 1 channel where {channels} are needed")
        return DeadLeaves(limit or DEAD_LEAVES_COUNT[part], seed, part=part)
    pictures = Pictures(_paths(str(source)), channels, skip_unreadable, limit, least, progress)
    if not len(pictures):
        reasons = f": {pictures.skipped[0]}" if pictures.skipped else ""
        raise DataError(f"{source} has no image that can be used{reasons}")
    return pictures


def image_files(folder: Path) -> list[Path]:
    """The images that lie in a folder, sorted by name.

    Raises:
        DataError: there are none.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    paths = sorted(p for p in folder.iterdir() if readable(p) and not p.name.startswith(".") and not p.is_dir())
    if not paths:
        raise DataError(f"the folder {folder} has no images in it")
    return paths


def _paths(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        return image_files(path)
    if path.exists():
        return [path]
    if glob.has_magic(source):
        paths = [Path(name) for name in sorted(glob.glob(source, recursive=True)) if not Path(name).is_dir()]
        if not paths:
            raise DataError(f"no file matches {source}")
        return paths
    raise DataError(f"there is no file or folder {source}")
