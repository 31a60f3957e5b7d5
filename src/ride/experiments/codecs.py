"""Lossless codecs compared, on the test images of BSDS300 and on images from elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ride.codec import bundled_integers
from ride.experiments.charts import draw_points
from ride.experiments.codec_memory import OWN as OWN_KIND
from ride.experiments.codec_rows import BEFORE, SECONDS, STEPS, CodecRow, LengthRow, MemoryRow, TogetherRow
from ride.experiments.document import Block, Figure, Grid, Heading, Paragraph
from ride.experiments.results import Result
from ride.experiments.rows import Row, Setting
from ride.experiments.tables import Cell, Column, Line, Table

SIZE, ELSEWHERE, COLOUR, COLOUR_ELSEWHERE = "size", "elsewhere", "colour", "colour elsewhere"
"""The columns."""


def line(name: str, key: str, kind: str) -> Line:
    """A codec; ours also codes many images at once."""
    own = (TogetherRow(name, f"together-{key}", kind=kind),) if kind.startswith(OWN_KIND) else ()
    return Line(
        name,
        {
            SIZE: Cell(None, CodecRow(name, f"codec-{key}", kind=kind)),
            ELSEWHERE: Cell(None, CodecRow(name, f"elsewhere-{key}", kind=kind, group="scikit-image")),
            COLOUR: Cell(None, CodecRow(name, f"colour-{key}", kind=kind, group="bsds300 in colour")),
            COLOUR_ELSEWHERE: Cell(
                None, CodecRow(name, f"colour-elsewhere-{key}", kind=kind, group="scikit-image in colour")
            ),
        },
        (MemoryRow(name, f"memory-{key}", kind=kind), *own),
    )


FAST = "ride:bsds300-fast"
TURNED_NAME = "ride compress --model bsds300-fast --turns 8"
TURNED = Line(
    TURNED_NAME,
    {
        SIZE: Cell(None, CodecRow(TURNED_NAME, "codec-turns", kind=FAST, turns=8)),
        ELSEWHERE: Cell(None, CodecRow(TURNED_NAME, "elsewhere-turns", kind=FAST, group="scikit-image", turns=8)),
    },
)
OWN = line("ride compress", "ride", "ride:bsds300")
OTHERS = tuple(
    line(f"ride compress --model {name}", f"ride{name.removeprefix('bsds300')}", f"ride:{name}")
    for name in bundled_integers()
    if name != "bsds300"
)
"""Of further models that come with the package."""
LENGTHS = {
    "BSDS300": LengthRow("BSDS300", "length-ride", kind="ride:bsds300"),
    "scikit-image": LengthRow("scikit-image", "length-elsewhere", kind="ride:bsds300", group="scikit-image"),
}
LARGE = tuple(
    MemoryRow(f"ride compress, {size} megapixels", f"memory-ride-{size}", kind="ride:bsds300", megapixels=size)
    for size in (1, 4, 16, 100)
)
LINES = (
    line("PNG, optimised", "png", "png"),
    line("WebP", "webp", "webp"),
    line("JPEG 2000", "jpeg2000", "jpeg2000"),
    line("JPEG-LS", "jpeg-ls", "jpeg-ls"),
    line("JPEG XL, effort 7", "jpeg-xl-7", "jpeg-xl-7"),
    line("JPEG XL, effort 9", "jpeg-xl-9", "jpeg-xl-9"),
    Line(OWN.name, OWN.cells, (*OWN.further, *LENGTHS.values(), *LARGE)),
    *OTHERS,
    TURNED,
)
IN_DETAIL = ("elsewhere-png", "elsewhere-jpeg-xl-9", "elsewhere-ride", "elsewhere-turns", "length-elsewhere")
"""Rows whose images are shown one by one."""


def show(table: Table, found: Mapping[str, Result], setting: Setting, name: str, folder: Path) -> list[Block]:
    """Rate against time, seconds and memory, the distance to the model, and the images from elsewhere.

    Raises:
        ConfigError: matplotlib, which draws the chart, is not installed.
        OutputError: it cannot be written.
    """
    blocks: list[Block] = []
    # Trying all turns takes as many times as long, which need not be measured.
    lines = [line for line in table.lines if line is not TURNED]
    sizes = {line.name: found[row.key] for line in lines if (row := line.cells[SIZE].row) and row.key in found}
    if sizes:
        file = f"{name}.png"
        points = {name: (result.notes[SECONDS["encode"]], result.value) for name, result in sizes.items()}
        draw_points(folder / file, points, "seconds to encode an image", "bit/px with headers")
        blocks += [
            Heading("Rate against time"),
            Figure(file, "The test images of BSDS300: less is better on both axes, and time is logarithmic."),
            Heading("Seconds and memory"),
            Paragraph(COSTS),
            _costs(table, found, sizes),
        ]
    large = [row for row in LARGE if row.key in found]
    if large:
        blocks += [Heading("Memory of large images"), Paragraph(BOUNDED), _large(large, found)]
    lengths = {name: found[row.key] for name, row in LENGTHS.items() if row.key in found}
    if lengths:
        blocks += [Heading("Distance to the model"), Paragraph(DISTANCE), _distances(lengths)]
    shown = [table.rows[key] for key in IN_DETAIL if key in found]
    if len(shown) == len(IN_DETAIL):
        blocks += [Heading("Images from elsewhere, one by one"), Paragraph(SINGLE), _single(shown, found)]
    return blocks


def _costs(table: Table, found: Mapping[str, Result], sizes: Mapping[str, Result]) -> Grid:
    """How long a codec takes, one image after another and all at once, and how much memory."""
    together = {line.name: found.get(line.further[1].key) for line in table.lines if len(line.further) > 1}
    memory = {line.name: found.get(line.further[0].key) for line in table.lines if line.further}
    rows = []
    for name, result in sizes.items():
        cells = ["-", "-"]
        if measured := memory[name]:
            cells = [f"{measured.value:.0f}", f"{measured.value - measured.notes[BEFORE]:.0f}"]
        seconds = [_seconds(measured) for measured in (result, together.get(name))]
        rows.append([name, *seconds[0], *seconds[1], *cells, result.machine])
    heads = [*SECONDS.values(), *(f"{text}, all at once" for text in SECONDS.values())]
    return Grid(["codec", *heads, "MiB of the process", "of these to encode", "machine"], rows)


def _seconds(result: Result | None) -> list[str]:
    """To encode and to decode."""
    return [f"{result.notes[note]:.3f}" for note in SECONDS.values()] if result else ["-", "-"]


def _large(rows: Sequence[MemoryRow], found: Mapping[str, Result]) -> Grid:
    """What is needed beyond an image that is there."""
    lines = []
    for row in rows:
        result = found[row.key]
        cells = [f"{value:.0f}" for value in (result.value, result.value - result.notes[BEFORE])]
        lines.append([f"{result.count / 1e6:.0f}", *cells])
    return Grid(["megapixels", "MiB of the process", "of these to encode"], lines)


def _distances(lengths: Mapping[str, Result]) -> Grid:
    """What the model implies, and what is added, in bit/px and in percent of it."""
    rows = []
    for name, result in lengths.items():
        steps = [result.notes[text] for text in STEPS.values()]
        over = 100 * (steps[-1] / result.value - 1)
        rows.append([name, *(f"{bits:.4f}" for bits in (result.value, *steps)), f"{over:+.2f} %"])
    return Grid(["images", "the model implies", *STEPS.values(), "files over the model"], rows)


def _single(rows: Sequence[Row], found: Mapping[str, Result]) -> Grid:
    """The images of some rows one by one."""
    results = [found[row.key] for row in rows]
    heads = [row.name for row in rows[:-1]]
    lines = [
        [image.name, f"{image.weight:,}", *(f"{result.images[number].value:.3f}" for result in results)]
        for number, image in enumerate(results[0].images)
    ]
    return Grid(["image", "pixels", *heads, "our model implies"], lines)


COSTS = (
    "Seconds of an image of BSDS300, 481 x 321 pixels, one after another, on the machine that the last column names; "
    "and when our codec gets all of them at once, as `ride compress` does with many files. Memory is the largest of a "
    "process that encodes one such image; most of it is the interpreter and libraries (for ours PyTorch), and what is "
    "needed beyond what the process had when it began to encode stands beside it."
)
BOUNDED = (
    "A process that encodes a test image, repeated to a square, with our codec on one thread. To encode is what is "
    "needed beyond the image itself, and includes the file, whose streams are there once more before they are joined."
)
DISTANCE = (
    "In bit/px. The RIDE is evaluated in floating point on the tiles and borders of the codec, all pixels included. "
    "Its integers imply nearly the same. Streams have what the entropy coder adds, or less where a tile is coded in a "
    "shorter way: without the model, or with a list of the levels that occur; files have headers and checksums too."
)
SINGLE = (
    "In bit/px with headers. Photographs, textures and scans are what the model is for; drawings and text are "
    "not, and other codecs have ways for them that ours does not. `retina.jpg`, `rocket.jpg` and "
    "`hubble_deep_field.jpg` are JPEG files, and some of the others were."
)
TABLE = Table(
    "Lossless codecs: the test images of BSDS300, and images from elsewhere",
    "bsds300",
    {
        SIZE: Column("BSDS300, less is better", "bit/px", "codec-jpeg-xl-9"),
        ELSEWHERE: Column("scikit-image's images", "bit/px", "elsewhere-jpeg-xl-9"),
        COLOUR: Column("BSDS300 in colour", "bit/px", "colour-jpeg-xl-9"),
        COLOUR_ELSEWHERE: Column("scikit-image's in colour", "bit/px", "colour-elsewhere-jpeg-xl-9"),
    },
    LINES,
    (
        "**BSDS300.** The 100 test images in gray: RGB by the luma of ITU-R BT.601, rounded to 8 bits. All of BSDS300 "
        "were JPEG files once, whose traces a model can learn, and ours was trained on the training images of the "
        "same set: on other photographs it gains less.",
        "**Images from elsewhere.** Those that are installed with scikit-image, in gray likewise; means weigh images "
        "by their pixels. No model has been trained on them.",
        "**In colour** the same test images as they are stored, in bits per pixel of three channels, and those of "
        "scikit-image's that are in colour. BSDS300's JPEG files have colours at half the resolution, which our "
        "models of colours know: of images that were never such files they gain less. These models were trained on "
        "BSDS300's training images and on the same at half the size (means of 2 x 2 pixels, from four offsets), where "
        "colours have their full resolution.",
        "**Sizes** are whole files with their headers. Each is decoded and compared.",
        "**Codecs.** PNG and WebP by Pillow, WebP by method 6 and quality 80 (at 100 it takes many times as long "
        "for little), JPEG 2000 and JPEG-LS by `imagecodecs`, JPEG XL by `pillow-jxl-plugin`. JPEG-LS has no "
        "transform of colours: green is taken from red and blue before it, modulo 256. `ride compress` is by the "
        "model that comes with it, in tiles of 512 pixels. With `--turns 8` each tile is coded in the shortest of "
        "its 8 flips and transposes, in 8 times the time; that of the fast model was measured.",
    ),
    lead="codec",
    show=show,
)
