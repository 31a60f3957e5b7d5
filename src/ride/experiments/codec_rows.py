"""Rows about lossless codecs: sizes and seconds, memory, and how near files are to what a model implies."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ride.codec import decode_all, encode, encode_all, load_integer, parse
from ride.codec.container import DEFAULT_SIDE, boxes
from ride.codec.loss import code_length
from ride.codec.modelled import Plan, find_intervals
from ride.codec.sheet import Shape
from ride.codec.tiles import ALL_LEVELS
from ride.data import Picture
from ride.data.packaged import COLOUR, SCIKIT_IMAGE, packaged_file, packaged_picture
from ride.errors import CodecError
from ride.evaluation.means import mean_and_error
from ride.experiments.codec_memory import OWN, peaks, way
from ride.experiments.curves import Curve
from ride.experiments.results import ImageScore, Result, circumstances
from ride.experiments.rows import Row, Setting
from ride.models.files import load

MIB = 2**20
SECONDS = {"encode": "seconds to encode", "decode": "seconds to decode"}
BEFORE = "MiB before it encodes"
STEPS = {"integers": "the integer model implies", "streams": "streams of the tiles", "files": "files"}
"""From the model to the file, in bit/px."""
Group = Literal["bsds300", "scikit-image", "bsds300 in colour", "scikit-image in colour"]
NAMED: dict[Group, tuple[str, ...]] = {"scikit-image": SCIKIT_IMAGE, "scikit-image in colour": COLOUR}


def pictures_of(group: Group, setting: Setting) -> Sequence[Picture]:
    """The test images of BSDS300, or those that come with scikit-image, in gray or in colour.

    Raises:
        DataError: one is not there, or cannot be read.
    """
    channels = 3 if group.endswith("in colour") else 1
    if group in NAMED:
        return [packaged_picture(name, channels) for name in NAMED[group]]
    return setting.source.test(channels)


@dataclass(frozen=True, kw_only=True)
class GroupRow(Row):
    """A codec on a group of images.

    Args:
        kind: of `ride.baselines.codecs`, or `ride:MODEL`, this package's own with an integer model.
        group: of images.
    """

    kind: str
    group: Group = "bsds300"

    def settings(self, setting: Setting) -> Any:
        """The codec, and for our own the model itself; an image's noise has no part in it."""
        own = []
        if self.kind.startswith(OWN):
            model = load_integer(self.kind.removeprefix(OWN))
            own = [model.name(3).hex() if self.group.endswith("in colour") else model.digest.hex()]
        return [self.kind, *own, *([] if self.group == "bsds300" else [self.group, *NAMED.get(self.group, ())])]

    def lacks(self, setting: Setting) -> str | None:
        """Images of scikit-image that are not installed."""
        missing = [name for name in NAMED.get(self.group, ()) if packaged_file(name) is None]
        return f"scikit-image and its {missing[0]}" if missing else None

    def _result(self, setting: Setting, scores: list[ImageScore], seconds: float, **changes: Any) -> Result:
        """What all of them have in common."""
        value, error = mean_and_error([score.value for score in scores], [score.weight for score in scores])
        values: dict[str, Any] = {
            "identity": self.identity(setting),
            "unit": "bit/px",
            "value": value,
            "stderr": error,
            "shift": 0.0,
            "images": tuple(scores),
            "of": "pixels",
            "notes": {},
            "seed": setting.seed,
            "device": "cpu",
            "run": "",
            "training_seconds": 0.0,
            "scoring_seconds": seconds,
            "curve": Curve(),
            **circumstances(),
        }
        return Result(**{**values, **changes})


@dataclass(frozen=True, kw_only=True)
class CodecRow(GroupRow):
    """Bits per pixel of whole files, each decoded again and compared, and how long that takes.

    Args:
        turns: how many flips and transposes our own codec tries.
    """

    turns: int = 1

    def settings(self, setting: Setting) -> Any:
        """Turns too."""
        colour = self.kind == "jpeg-ls" and self.group.endswith("in colour")
        green = ["green taken from red and blue"] if colour else []
        return [*super().settings(setting), *([self.turns] if self.turns > 1 else []), *green]

    def run(self, setting: Setting) -> Result:
        """Encode, decode, compare, count.

        Raises:
            CodecError: an image did not come back.
        """
        pictures, chosen = pictures_of(self.group, setting), way(self.kind, self.turns)
        scores, encoding, decoding = [], 0.0, 0.0
        with setting.bars(self.name) as progress:
            for number in range(len(pictures)):
                picture = pictures[number]
                begun = time.monotonic()
                data = chosen.encode(picture.pixels)
                between = time.monotonic()
                back = chosen.decode(data, picture.channels)
                encoding, decoding = encoding + between - begun, decoding + time.monotonic() - between
                if not np.array_equal(back, picture.pixels):
                    raise CodecError(f"{self.name} does not give {picture.name} back")
                pixels = picture.pixels.shape[0] * picture.pixels.shape[1]
                scores.append(ImageScore(Path(picture.name).name, 8 * len(data) / pixels, pixels))
                if progress:
                    progress(number + 1, len(pictures), picture.name)
        count = len(scores)
        return self._result(
            setting,
            scores,
            encoding + decoding,
            scored="files with their headers, each decoded and compared",
            notes={SECONDS["encode"]: encoding / count, SECONDS["decode"]: decoding / count},
        )


@dataclass(frozen=True, kw_only=True)
class TogetherRow(GroupRow):
    """Seconds an image takes when our codec gets all images at once."""

    def settings(self, setting: Setting) -> Any:
        """That it is about all at once."""
        return [*super().settings(setting), "together"]

    def run(self, setting: Setting) -> Result:
        """Encode all, decode all, compare.

        Raises:
            CodecError: an image did not come back.
        """
        model = load_integer(self.kind.removeprefix(OWN))
        pictures = list(pictures_of(self.group, setting))
        images = [picture.pixels for picture in pictures]
        with setting.bars(f"{self.name}, all at once: encoding") as progress:
            begun = time.monotonic()
            files = list(encode_all(images, model, progress=progress))
            encoding = time.monotonic() - begun
        with setting.bars(f"{self.name}, all at once: decoding") as progress:
            begun = time.monotonic()
            back = list(decode_all(files, model, progress=progress))
            decoding = time.monotonic() - begun
        if not all(np.array_equal(one, other) for one, other in zip(images, back, strict=True)):
            raise CodecError(f"{self.name} does not give all images back")
        count = len(images)
        return self._result(
            setting,
            # What a single one took is not known.
            [ImageScore(Path(one.name).name, encoding / count, one.pixels.size) for one in pictures],
            encoding + decoding,
            stderr=None,
            unit="s",
            scored="seconds to encode an image, all at once; each decoded and compared",
            notes={SECONDS["encode"]: encoding / count, SECONDS["decode"]: decoding / count},
        )


@dataclass(frozen=True, kw_only=True)
class MemoryRow(GroupRow):
    """The largest memory of a process that encodes the first image, in MiB.

    Args:
        megapixels: repeat the image to a square of about so many; None leaves it as it is.
    """

    megapixels: int | None = None

    def settings(self, setting: Setting) -> Any:
        """That it is about memory."""
        return [*super().settings(setting), "memory", *([self.megapixels] if self.megapixels else [])]

    def run(self, setting: Setting) -> Result:
        """Let a process encode, and ask it.

        Raises:
            CodecError: it failed.
        """
        picture = pictures_of(self.group, setting)[0]
        pixels, begun = picture.pixels, time.monotonic()
        if self.megapixels:
            side = math.isqrt(self.megapixels * 10**6)
            pixels = np.tile(pixels, [-(-side // length) for length in pixels.shape])[:side, :side]
        after, before = peaks(self.kind, pixels)
        return self._result(
            setting,
            [ImageScore(Path(picture.name).name, after / MIB, pixels.size)],
            time.monotonic() - begun,
            unit="MiB",
            scored="largest memory of a process that encodes one image",
            notes={BEFORE: before / MIB},
        )


@dataclass(frozen=True, kw_only=True)
class LengthRow(GroupRow):
    """What the RIDE that our codec's integers were made from implies, and what is added on the way to the file.

    All see tiles alike, continued by the codec's convention of borders, and all pixels, the first included.
    """

    def settings(self, setting: Setting) -> Any:
        """That it is about lengths."""
        return [*super().settings(setting), "length"]

    def run(self, setting: Setting) -> Result:
        """Add up what the model, its integers, the streams and the files need.

        Raises:
            ModelError: there is no RIDE of that name.
        """
        name = self.kind.removeprefix(OWN)
        integers, exact, pictures = load_integer(name), load(name).double(), pictures_of(self.group, setting)
        scores, bits, begun = [], dict.fromkeys(STEPS, 0.0), time.monotonic()
        with setting.bars(self.name) as progress:
            for number in range(len(pictures)):
                picture = pictures[number]
                pixels = picture.pixels
                rows, columns = pixels.shape
                tiles = [np.ascontiguousarray(pixels[box]) for box in boxes(rows, columns, DEFAULT_SIDE)]
                for tile in tiles:
                    plan = Plan(Shape(tile.shape[0], tile.shape[1], int(tile[0, 0])), ALL_LEVELS)
                    bits["integers"] += find_intervals(integers, [tile], [plan])[0].bits
                data = encode(pixels, integers)
                bits["streams"] += 8 * sum(entry.size for entry in parse(data, pixels.size).tiles)
                bits["files"] += 8 * len(data)
                length = sum(code_length(exact, tile) for tile in tiles)
                scores.append(ImageScore(Path(picture.name).name, length / pixels.size, pixels.size))
                if progress:
                    progress(number + 1, len(pictures), picture.name)
        total = sum(score.weight for score in scores)
        return self._result(
            setting,
            scores,
            time.monotonic() - begun,
            scored="what the model implies for the tiles of the codec",
            notes={text: bits[key] / total for key, text in STEPS.items()},
        )
