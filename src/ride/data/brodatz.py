"""The plates of Brodatz's album of textures, found by their numbers in a folder of files."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ride.data.files import readable
from ride.data.picture import Picture
from ride.data.sources import open_pictures
from ride.errors import ConfigError


def find_plate(folder: Path, plate: str) -> Path | None:
    """The file of a plate, say D12: D12.gif, d012.png or anything_D12.tiff; None if there is none.

    Of several the one of the shortest name is taken, the first in the alphabet of those.

    Raises:
        ConfigError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder} with plates of Brodatz, such as {plate}.gif, in it")
    named = re.compile(rf"(.*[^a-z0-9])?d0*{plate.removeprefix('D')}\.[a-z]+", re.IGNORECASE)
    found = [path for path in folder.iterdir() if named.fullmatch(path.name) and readable(path)]
    return min(found, key=lambda path: (len(path.name), path.name), default=None)


def open_plate(folder: Path, plate: str) -> Picture:
    """The picture of a plate in gray.

    Raises:
        ConfigError: the folder or the plate is not there.
        DataError: it cannot be read.
    """
    path = find_plate(folder, plate)
    if path is None:
        raise ConfigError(f"the folder {folder} has no plate {plate}: name its file {plate}.gif or {plate}.png")
    return open_pictures(path)[0]


def without_margins(picture: Picture) -> Picture:
    """The picture without the rows and columns at its edges that are all black, which some scans have."""
    lit = (picture.pixels != 0).reshape(*picture.pixels.shape[:2], -1).any(2)
    if not lit.any():
        return picture
    (top, bottom), (left, right) = (np.flatnonzero(lit.any(axis))[[0, -1]] for axis in (1, 0))
    return replace(picture, pixels=picture.pixels[top : bottom + 1, left : right + 1])
