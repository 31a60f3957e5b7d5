"""Writes what the other benchmarks measured into documents, between lines such as <!-- bench --> and <!-- /bench -->.

    python benchmarks/report.py FOLDER DOCS

FOLDER holds the JSON files of the benchmarks, named after them. Written are DOCS/speed.md, DOCS/profile.md and
DOCS/speed.png.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figure import draw
from ride.experiments.blocks import replace_block

Results = list[dict[str, Any]]
FILES = ("slstm", "mcgsm", "step", "frontier", "inpainting", "scoring", "memory", "curve")


@dataclass(frozen=True)
class Part:
    """A table: the benchmark's file, what stands above, and for each column its head, key and format.

    Results without the first key are about something else and left out.
    """

    file: str
    text: str
    columns: tuple[tuple[str, str, str], ...]

    def markdown(self, found: Results) -> str:
        """Text and table."""
        rows = [
            [_cell(result.get(key), form) for _, key, form in self.columns]
            for result in found
            if self.columns[0][1] in result
        ]
        return f"{self.text} (`python benchmarks/{self.file}.py`)\n\n" + table([c[0] for c in self.columns], rows)


MODEL = (("hidden units", "hidden", ""), ("layers", "layers", ""), ("threads", "threads", ""))
OVER = ("over floor", "over_floor", ".2f")
PARTS = (
    Part(
        "slstm",
        "**Spatial LSTM**, forward and backward, 50 patches of 22 x 22; the floor is its matrix products",
        (
            *MODEL,
            OVER,
            ("without compiled steps", "torch_over_floor", ".2f"),
            ("µs a pixel", "microseconds_per_pixel", ".1f"),
            ("times as fast as one thread", "times_one_thread", ".2f"),
        ),
    ),
    Part(
        "mcgsm",
        "**MCGSM**, value and gradient, 4 scales, parameters as sharp as after training; the floor is its matrix"
        " products and exponentials",
        (
            ("components", "components", ""),
            ("features", "features", ""),
            ("inputs", "inputs", ""),
            ("threads", "threads", ""),
            OVER,
            ("with that of the inputs", "with_inputs_over_floor", ".2f"),
            ("the same without compiled steps", "torch_over_floor", ".2f"),
            ("µs a pixel", "microseconds", ".2f"),
            ("µs, authors' program", "authors_microseconds", ".0f"),
        ),
    ),
    Part(
        "mcgsm",
        "**L-BFGS** on 10^5 pixels of 40 inputs, 32 components",
        (
            ("part of the time that is neither value nor gradient", "lbfgs_overhead", ".3f"),
            ("threads", "threads", ""),
            ("iterations", "iterations", ""),
            ("values and gradients", "evaluations", ""),
        ),
    ),
    Part(
        "step",
        "**A training step** from crops to the update of the parameters by Adam, 50 patches of 22 x 22; the floor is"
        " all of its matrix products and exponentials",
        (
            *MODEL,
            OVER,
            ("µs a pixel", "microseconds_whole", ".1f"),
            ("µs, authors' program", "authors_microseconds", ".0f"),
        ),
    ),
    Part(
        "frontier",
        "**Drawing** images of 256 x 256 from one layer of 64 hidden units; the floor is the matrix products of its"
        " steps. The last columns are the times of drawing pixel by pixel over that of the frontier",
        (
            ("images at once", "batch", ""),
            ("threads", "threads", ""),
            ("seconds an image", "seconds_an_image", ".3f"),
            ("µs a step", "microseconds_a_step", ".0f"),
            OVER,
            ("the same code", "one_pixel_a_step_over_frontier", ".0f"),
            ("a plain loop", "plain_loop_over_frontier", ".0f"),
        ),
    ),
    Part(
        "inpainting",
        "**Inpainting** a square hole with one layer of 64 hidden units, one chain, all blocks at once that do not"
        " interact. The last columns are the times of a sweep block after block over that, with the frontier within a"
        " block and with the pixels of a block one after another",
        (
            ("rows of the hole", "size", ""),
            ("threads", "threads", ""),
            ("s for 100 sweeps", "seconds_100_sweeps", ".0f"),
            ("block after block", "one_block_over_all", ".1f"),
            ("and pixel after pixel", "one_pixel_over_all", ".0f"),
        ),
    ),
    Part(
        "scoring",
        "**Scoring** square images with one layer of 64 hidden units in bounded memory; the floor is the matrix"
        " products and exponentials of tiles of 64 x 64",
        (
            ("side", "size", ""),
            ("images at once", "images", ""),
            ("threads", "threads", ""),
            OVER,
            ("µs a pixel", "microseconds_per_pixel", ".2f"),
        ),
    ),
    Part(
        "memory",
        "**Peak memory** of the work itself",
        (("what", "case", ""), ("memory", "memory", ".2f"), ("unit", "unit", "")),
    ),
)
SHARES = (
    ("crops and noise", "crops"),
    ("neighborhoods and whitening", "neighborhoods"),
    ("spatial LSTMs", "lstms"),
    ("likelihood", "likelihood"),
    ("update", "update"),
    ("products and exponentials of all", "floor"),
)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, figures to the right."""
    lines = [heads, ["---:"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)


def curve(found: Results) -> str:
    """What each way to fit had reached after parts of the time."""
    most = min(way["points"][-1][0] for way in found)
    times = [most * part for part in (0.1, 0.25, 0.5, 1.0)]
    rows = []
    for way in found:
        reached = [max((rate for second, rate in way["points"] if second <= limit), default=None) for limit in times]
        rows.append([way["way"], *(_cell(rate, ".3f") for rate in reached)])
    return (
        f"**Likelihood against time**: nat/px of {found[0]['pixels']:,} pixels of dead leaves that an MCGSM of 32"
        " components on 9 x 5 pixels is fitted to, one thread, from one start (`python benchmarks/curve.py`)\n\n"
        + table(["way", *(f"after {time:.0f} s" for time in times)], rows)
    )


def profile(found: Results) -> str:
    """Where a training step spends its time, in percent of the whole."""
    rows = []
    for result in found:
        spent = {name: result[f"microseconds_{name}"] for _, name in SHARES if name != "lstms"}
        spent["lstms"] = result["microseconds_gradient"] - spent["neighborhoods"] - spent["likelihood"]
        percent = [f"{100 * spent[name] / result['microseconds_whole']:.1f}" for _, name in SHARES]
        rows.append([f"{result['hidden']} x {result['layers']}", f"{result['threads']}", *percent])
    return table(["hidden units x layers", "threads", *(head for head, _ in SHARES)], rows)


def main() -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("docs", type=Path)
    options = parser.parse_args()
    found = {name: json.loads((options.folder / f"{name}.json").read_text()) for name in FILES}
    tables = [part.markdown(found[part.file]) for part in PARTS]
    replace_block(options.docs / "speed.md", "bench", "\n\n".join([*tables, curve(found["curve"])]))
    replace_block(options.docs / "profile.md", "profile", profile(found["step"]))
    draw(found, options.docs / "speed.png")
    print(f"wrote {options.docs / 'speed.md'}, {options.docs / 'profile.md'} and {options.docs / 'speed.png'}")


if __name__ == "__main__":
    main()
