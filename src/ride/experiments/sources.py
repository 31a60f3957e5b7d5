"""The images of an experiment: which are for training, which for testing, and in which unit rates are given."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ride.data import Picture, open_pictures, open_plate, open_van_hateren, without_margins
from ride.data.deadleaves import Leaves
from ride.data.sources import image_files
from ride.data.vanhateren import BORDER, LOG_UNIT, RANGE, SATURATED, TEST_EVERY, LogIntensities
from ride.errors import ConfigError
from ride.progress import Progress
from ride.wording import counted

Kind = Literal["bsds300", "vanhateren", "deadleaves", "brodatz"]
NEEDED = {
    "bsds300": "train and test in it",
    "vanhateren": "the .iml files of van Hateren in it",
    "brodatz": "plates of Brodatz, such as D104.gif, in it",
}
"""What the folder of a data set has."""
FOLDERS: dict[Kind, tuple[str, ...]] = {"bsds300": ("train", "test"), "vanhateren": (".",)}
"""Where in it the images lie on which all rows depend."""


@dataclass(frozen=True)
class Source:
    """The images of one data set of the paper.

    Args:
        kind: which one.
        data: where it lies: for `bsds300` a folder with `train` and `test` in it, for `vanhateren` a folder of `.iml`
            files, for `brodatz` one of plates; None for dead leaves, which are made on the fly.
        seed: of what is drawn.

    Raises:
        ConfigError: the place is missing, or there is one that nothing would be read from.
    """

    kind: Kind
    data: Path | None
    seed: int

    def __post_init__(self) -> None:
        if self.kind in NEEDED and self.data is None:
            raise ConfigError(f"this needs --data, a folder with {NEEDED[self.kind]}")
        if self.kind not in NEEDED and self.data is not None:
            raise ConfigError("dead leaves are made on the fly: leave --data out")

    @property
    def held_out(self) -> int:
        """How many training images are held out for early stopping."""
        return {"bsds300": 20, "vanhateren": 1, "deadleaves": 50}[self.kind]

    @cached_property
    def digest(self) -> str:
        """A digest of the names and bytes of all image files and of what is done with them, or of how images are made,
        by which results of others are known.

        Nothing where each row is about a file of its own.

        Raises:
            DataError: there are no images.
        """
        if self.kind == "brodatz":
            return ""
        made = {"vanhateren": [BORDER, RANGE, SATURATED, TEST_EVERY], "deadleaves": vars(Leaves())}
        whole = hashlib.sha256(json.dumps([self.held_out, made.get(self.kind)]).encode())
        for folder in FOLDERS.get(self.kind, ()):
            for path in image_files(Path(self.data or "") / folder):
                with path.open("rb") as file:
                    bytes_ = hashlib.file_digest(file, "sha256").hexdigest()
                whole.update(f"{folder} {path.name} {bytes_}\n".encode())
        return whole.hexdigest()[:16]

    def training(self, progress: Progress | None = None) -> list[Picture]:
        """All training images, those that are held out included."""
        return _read(self._open("train"), progress)

    def test(self, channels: int = 1) -> Sequence[Picture]:
        """The images that no model has seen; of BSDS300 also in 3 channels of colour."""
        return self._open("test", channels)

    def remarks(self) -> list[str]:
        """What is to be said of the images at hand, of which some may have been left out."""
        if self.kind not in FOLDERS:
            return []
        training, test = self._open("train"), self._open("test")
        held_out = f"{self.held_out} {'is' if self.held_out == 1 else 'are'} held out"
        counts = f"{counted(len(training), 'image')} to train on, of which {held_out}, and {len(test)} to test"
        skipped = training.skipped if isinstance(training, LogIntensities) else ()
        left_out = (reason.removeprefix(os.path.join(str(self.data), "")) for reason in skipped)
        return [" ".join([f"**At hand**: {counts}.", *(f"Left out: {reason}." for reason in left_out)])]

    def plate(self, name: str) -> Picture:
        """A texture of Brodatz without black margins.

        Raises:
            ConfigError: it is not there.
            DataError: it cannot be read.
        """
        return without_margins(self._scan(name))

    def has_margins(self, name: str) -> bool:
        """Whether something of the scan is left out of `plate`.

        Raises:
            ConfigError: it is not there.
            DataError: it cannot be read.
        """
        scan = self._scan(name)
        return without_margins(scan).pixels.size < scan.pixels.size

    def shift(self, training: Sequence[Picture]) -> float:
        """What is added to a rate in the full range, in bit/px, for one in the unit of the paper's table.

        Dead leaves are divided by the standard deviation of the training images; van Hateren's images are natural
        logarithms of intensities.
        """
        if self.kind == "deadleaves":
            return math.log2(deviation(training))
        return math.log2(LOG_UNIT) if self.kind == "vanhateren" else 0.0

    def _scan(self, name: str) -> Picture:
        assert self.data is not None
        return open_plate(self.data, name)

    def _open(self, part: Literal["train", "test"], channels: int = 1) -> Sequence[Picture]:
        if self.kind == "deadleaves":
            return open_pictures("deadleaves", seed=self.seed, part=part)
        assert self.data is not None
        if self.kind == "vanhateren":
            return open_van_hateren(self.data, part, self.seed)
        return open_pictures(self.data / part, channels=channels)


def deviation(pictures: Sequence[Picture]) -> float:
    """Standard deviation of the dequantised pixels of gray images, in units of the full range."""
    count, total, squares, noise = 0, 0.0, 0.0, 0.0
    for picture in pictures:
        x = picture.pixels.astype(np.float64) / (picture.levels or 1)
        count, total, squares = count + x.size, total + x.sum(), squares + np.square(x).sum()
        noise += x.size / 12 / picture.levels**2 if picture.levels else 0.0
    return math.sqrt((squares + noise) / count - (total / count) ** 2)


def _read(pictures: Sequence[Picture], progress: Progress | None) -> list[Picture]:
    read = []
    for picture in pictures:
        read.append(picture)
        if progress:
            progress(len(read), len(pictures), picture.name)
    return read
