"""Lossless codecs compared on the test images of BSDS300 in gray: bits per pixel with headers, and seconds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ride.baselines.codecs import Codec, codec
from ride.codec import decode, encode, load_integer
from ride.errors import CodecError
from ride.evaluation.means import mean_and_error
from ride.experiments.curves import Curve
from ride.experiments.document import Block, Grid, Heading, Paragraph
from ride.experiments.results import ImageScore, Result, circumstances
from ride.experiments.rows import Row, Setting
from ride.experiments.tables import Cell, Column, Line, Table

SIZE = "size"
"""The only column."""
SECONDS = {"encode": "seconds to encode", "decode": "seconds to decode"}


@dataclass(frozen=True, kw_only=True)
class CodecRow(Row):
    """A codec on all test images, each decoded again and compared.

    Args:
        kind: of `ride.baselines.codecs`, or `ride:MODEL`, this package's own with an integer model.
    """

    kind: str

    def settings(self, setting: Setting) -> Any:
        """The codec, and for our own the model itself; an image's noise has no part in it."""
        own = self.kind.removeprefix("ride:")
        return [self.kind] if own == self.kind else [self.kind, load_integer(own).digest.hex()]

    def run(self, setting: Setting) -> Result:
        """Encode, decode, compare, count.

        Raises:
            CodecError: an image did not come back.
        """
        pictures, way = setting.source.test(), self._codec()
        scores, encoding, decoding = [], 0.0, 0.0
        with setting.bars(self.name) as progress:
            for number in range(len(pictures)):
                picture = pictures[number]
                begun = time.monotonic()
                data = way.encode(picture.pixels)
                between = time.monotonic()
                back = way.decode(data)
                encoding, decoding = encoding + between - begun, decoding + time.monotonic() - between
                if not np.array_equal(back, picture.pixels):
                    raise CodecError(f"{self.name} does not give {picture.name} back")
                pixels = picture.pixels.size
                scores.append(ImageScore(Path(picture.name).name, 8 * len(data) / pixels, pixels))
                if progress:
                    progress(number + 1, len(pictures), picture.name)
        value, error = mean_and_error([score.value for score in scores], [score.weight for score in scores])
        count = len(scores)
        return Result(
            identity=self.identity(setting),
            unit="bit/px",
            value=value,
            stderr=error,
            shift=0.0,
            images=tuple(scores),
            scored="files with their headers, each decoded and compared",
            of="pixels",
            notes={SECONDS["encode"]: encoding / count, SECONDS["decode"]: decoding / count},
            seed=setting.seed,
            device="cpu",
            run="",
            training_seconds=0.0,
            scoring_seconds=encoding + decoding,
            curve=Curve(),
            **circumstances(),
        )

    def _codec(self) -> Codec:
        own = self.kind.removeprefix("ride:")
        if own == self.kind:
            return codec(self.kind)
        model = load_integer(own)
        return Codec(lambda pixels: encode(pixels, model), lambda data: decode(data, model))


def show(table: Table, found: Mapping[str, Result], setting: Setting, name: str, folder: Path) -> list[Block]:
    """How long each takes."""
    rows = [
        [row.name, *(f"{found[key].notes[note]:.3f}" for note in SECONDS.values()), found[key].machine]
        for key, row in table.rows.items()
        if key in found
    ]
    text = "Seconds of an image of 481 x 321 pixels, one after another, on the machine that the last column names."
    return [Heading("Seconds"), Paragraph(text), Grid(["codec", *SECONDS.values(), "machine"], rows)] if rows else []


def line(name: str, key: str, kind: str) -> Line:
    """A codec."""
    return Line(name, {SIZE: Cell(None, CodecRow(name, f"codec-{key}", kind=kind))})


TABLE = Table(
    "Lossless codecs on the test images of BSDS300 in gray",
    "bsds300",
    {SIZE: Column("less is better", "bit/px", "codec-jpeg-xl-9")},
    (
        line("PNG, optimised", "png", "png"),
        line("WebP", "webp", "webp"),
        line("JPEG 2000", "jpeg2000", "jpeg2000"),
        line("JPEG-LS", "jpeg-ls", "jpeg-ls"),
        line("JPEG XL, effort 7", "jpeg-xl-7", "jpeg-xl-7"),
        line("JPEG XL, effort 9", "jpeg-xl-9", "jpeg-xl-9"),
        line("ride compress", "ride", "ride:bsds300"),
    ),
    (
        "**Images.** The 100 test images in gray: RGB by the luma of ITU-R BT.601, rounded to 8 bits. All of BSDS300 "
        "were JPEG files once, whose traces a model can learn, and ours was trained on the training images of the "
        "same set: on other photographs it gains less.",
        "**Sizes** are whole files with their headers. Each is decoded and compared.",
        "**Codecs.** PNG and WebP by Pillow, WebP by method 6 and quality 80 (at 100 it takes many times as long for "
        "little), JPEG 2000 and JPEG-LS by `imagecodecs`, JPEG XL by `pillow-jxl-plugin`; `ride compress` by the "
        "model that comes with it, in tiles of 512 pixels.",
    ),
    lead="codec",
    show=show,
)
