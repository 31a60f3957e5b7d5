"""The raw images of van Hateren and van der Schaaf (1998) as continuous log intensities, for Table 2."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Integer
from numpy.typing import NDArray
from torch import Tensor

from ride.data.files import VAN_HATEREN
from ride.data.lazy import Chosen, LazyPictures
from ride.data.picture import Picture
from ride.data.seeds import seeded
from ride.data.sources import Pictures
from ride.errors import ConfigError, DataError
from ride.progress import Progress

RANGE = 65536
"""Intensities are below this. The full range of a picture is that of ln x from x = 1 to here, the same for all."""
LOG_UNIT = 1 / math.log(RANGE)
"""A step of 1 in ln x, in units of the full range. A rate in bit/px in the full range becomes one of the density of
ln x when log2(LOG_UNIT) = -3.471 is added, and of log intensities of unit variance with their standard deviation in
the full range in its place."""
BORDER = 2
"""Pixels cut off on every side: two columns hold the mean of the image, and the outermost row is darkened."""
SATURATED = 0.01
"""Share of pixels at the highest level above which an image is left out, unless told otherwise.

Such pixels are easy: an MCGSM gives them 3.5 to 4.7 bit/px in ln x, and the others of the same images 1.4 to 1.8."""
TEST_EVERY = 4
"""One image in so many is for testing."""


class LogIntensities(LazyPictures):
    """Raw pictures as log intensities, made when asked for: each depends on the seed, its file's name and pixels.

    `skipped` says, one line each, which images were left out and why.
    """

    def __init__(self, raw: Sequence[Picture], seed: int = 0, skipped: Sequence[str] = ()) -> None:
        self._raw, self.seed, self.skipped = raw, seed, list(skipped)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._raw)

    @property
    def names(self) -> list[str]:
        """The names of all images, of which no log intensities are made for that."""
        return [picture.name for picture in self._raw]

    def _picture(self, index: int) -> Picture:
        raw = self._raw[index]
        return log_intensities(raw, seeded("van Hateren", self.seed, Path(raw.name).name))


def open_van_hateren(
    folder: str | Path,
    part: Literal["train", "test"] = "train",
    seed: int = 0,
    *,
    saturated: float = SATURATED,
    progress: Progress | None = None,
) -> LogIntensities:
    """The .iml images of a folder for training or for testing, as `log_intensities` of `inner` pixels.

    Of the images that are not left out, in the order of their names, every fourth is for testing, from the first on:
    those of near numbers are often of one place, so that both parts have some of every place. The seed has no say in
    that.

    Args:
        folder: what lies in it, not in its folders. 1024 x 1536 unsigned 16-bit big-endian integers a file.
        part: `train` or `test`; no image is in both.
        seed: of the noise.
        saturated: images with a larger share of their pixels at their highest level are left out: there the sensor
            was at its end, and what is scored is the noise of this module. 1 leaves out none.
        progress: called with the files read and all.

    Raises:
        DataError: there is no such folder, it has too few images for both parts, or a file is not of that size.
        ConfigError: `saturated` is no share.
    """
    if not 0 < saturated <= 1:
        raise ConfigError(f"saturated must be a share of the pixels above 0 and up to 1, not {saturated}")
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give the one with the {VAN_HATEREN} images")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() == VAN_HATEREN and not p.name.startswith("."))
    raw = Pictures(paths, 1, False, None, (1, 1), progress)
    used, skipped = [], []
    for index, picture in enumerate(raw):
        share = saturation(picture)
        if share <= saturated:
            used.append(index)
        else:
            skipped.append(f"{picture.name} has {share:.1%} of its pixels at its highest level")
    if len(used) < 2:
        raise DataError(
            f"{folder} has {len(used)} {VAN_HATEREN} images to use where training and testing need 2 or more"
            + (f": {skipped[0]}" if skipped else "")
        )
    return LogIntensities(Chosen(raw, split(used)[part == "test"]), seed, skipped)


def split(numbers: Sequence[int]) -> tuple[list[int], list[int]]:
    """Numbers of images for training and for testing: every fourth is for testing, from the first on."""
    chosen = set(numbers[::TEST_EVERY])
    return [number for number in numbers if number not in chosen], sorted(chosen)


def inner(picture: Picture) -> NDArray[np.generic]:
    """The pixels [H - 4, W - 4] within the border, which is no part of the scene.

    Raises:
        DataError: the image is of another kind, or nothing else.
    """
    if picture.levels != RANGE or picture.pixels.ndim != 2:
        raise DataError(f"{picture.name} is no gray image of 16 bits, of which log intensities are made")
    pixels = picture.pixels[BORDER:-BORDER, BORDER:-BORDER]
    if not pixels.size:
        raise DataError(f"{picture.name} has {picture.pixels.shape} pixels, nothing within a border of {BORDER}")
    return pixels


def saturation(picture: Picture) -> float:
    """Share of the pixels within the border that are at the highest level that occurs there."""
    pixels = inner(picture)
    return float((pixels == pixels.max()).mean())


def log_intensities(picture: Picture, generator: torch.Generator) -> Picture:
    """A raw picture as a continuous one [H - 4, W - 4] in the full range: ln(x + u (x' - x)) / ln 65536.

    x is the intensity of a pixel, x' the next level that the picture uses and u is uniform in [0, 1).

    The camera had 8 bits, and a table that is another one for each of its settings turned them into intensities: a
    picture uses some 200 of 65536 levels, which lie 6 to 114 apart. Dequantisation has to fill these gaps. With noise
    of unit width between levels that are d apart the data lie on a comb. A density model that finds its teeth gains
    log2(d) bit/px by that, 4.0 on the images that are used here, and without bounds where levels are written with more
    digits. That says nothing about images. An MCGSM, whose experts are smooth, gained 0.015 in a short fit; longer
    ones and larger models would gain more. With noise that fills the gaps no model gains anything by their place: the
    rate stays below a ceiling, the mean of -log2 of the widths of the levels, which in the density of ln x is 5.6
    bit/px, and a lossless code for the levels needs at most the ceiling minus the rate.

    Where a picture does not use a level that its table has, the gap is too wide by one level. That is so only where
    levels are rare: 39 pixels in 12 pictures that share a table with another one here.

    The highest level is given the width of the gap below it, up to 65536. 0 has no logarithm and means less than the
    lowest positive level: it is given the intensities from 1 to there. No pixel is clipped.

    Raises:
        DataError: the picture is of another kind, or has too few levels to tell how far apart they are.
    """
    pixels = torch.from_numpy(inner(picture).astype(np.int32))
    start, width = steps(picture.name, pixels)
    noise = torch.rand(pixels.shape, generator=generator, dtype=torch.float64)
    intensity = start[pixels] + noise * width[pixels]
    # In double precision up to here: rounding cannot lead out of [0, 1].
    return Picture(picture.name, (intensity.log() * LOG_UNIT).float().numpy(), None)


def steps(name: str, pixels: Integer[Tensor, "H W"]) -> tuple[Float[Tensor, " levels"], Float[Tensor, " levels"]]:
    """Lowest intensity and width of each level up to the highest; of those that do not occur they mean nothing.

    Raises:
        DataError: there are too few levels; the picture is named.
    """
    used = pixels.flatten().bincount().nonzero().flatten().double()
    if len(used) < 2:
        raise DataError(f"{name} has the same intensity everywhere, so that nobody knows how far its levels are apart")
    last = (2 * used[-1] - used[-2]).clamp(max=RANGE)
    ends = torch.cat([used[1:], last[None]])
    starts = used.clamp(min=1)
    if starts[0] >= ends[0]:
        raise DataError(f"{name} uses the levels 0 and 1, and 0 would have no width of its own in log intensities")
    start, width = torch.zeros(2, int(used[-1]) + 1, dtype=torch.float64)
    levels = used.long()
    start[levels], width[levels] = starts, ends - starts
    return start, width
