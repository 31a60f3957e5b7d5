"""Writes what the other benchmarks measured into a document, between the lines <!-- bench --> and <!-- /bench -->.

python benchmarks/report.py FOLDER DOCUMENT

FOLDER holds slstm.json, mcgsm.json and frontier.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from ride.experiments.blocks import replace_block


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, figures to the right."""
    lines = [heads, ["---:"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def slstm(found: dict[str, Any]) -> str:
    """The spatial LSTM over its floor."""
    rows = [
        [f"{r['hidden']:.0f}", f"{r['layers']:.0f}", f"{r['over_floor']:.2f}", f"{r['microseconds_per_pixel']:.1f}"]
        for r in found["results"]
    ]
    return (
        f"**Spatial LSTM**, forward and backward, 50 patches of 22 x 22, threads: {found['threads']}"
        " (`python benchmarks/slstm.py`)\n\n"
        + table(["hidden units", "layers", "time over that of its bare matrix products", "µs a pixel"], rows)
    )


def mcgsm(found: dict[str, Any]) -> str:
    """The likelihood head over its floor."""
    rows = [
        [
            f"{r['inputs']:.0f}",
            "yes" if r["trained"] else "no",
            f"{r['over_floor']:.2f}",
            f"{r['with_inputs_over_floor']:.2f}",
            f"{r['microseconds_with_inputs']:.2f}",
        ]
        for r in found["results"]
    ]
    heads = ["inputs", "sharp, as after training", "gradient over floor", "with that of the inputs", "µs a pixel"]
    return (
        f"**MCGSM**, value and gradient, 32 components, 4 scales, 32 features, threads: {found['threads']}"
        " (`python benchmarks/mcgsm.py`); the floor is its matrix products and exponentials\n\n" + table(heads, rows)
    )


def frontier(found: dict[str, Any]) -> str:
    """Drawing along the frontier over drawing pixel by pixel."""
    size = f"{found['size']} x {found['size']}"
    rows = [
        ["pixel by pixel, the same code with one pixel a step", f"{found['one_pixel_a_step_over_frontier']:.1f}"],
        ["pixel by pixel, the plain loop that the tests compare with", f"{found['plain_loop_over_frontier']:.1f}"],
        ["the bare matrix products of its steps", f"{1 / found['frontier_over_products']:.2f}"],
    ]
    return (
        f"**Drawing** one {size} image from one layer of 64 hidden units, threads: {found['threads']}"
        " (`python benchmarks/frontier.py`)\n\n" + table(["what", "time over that of the frontier"], rows)
    )


def main() -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("document", type=Path)
    options = parser.parse_args()
    parts = [
        write(json.loads((options.folder / f"{name}.json").read_text()))
        for name, write in (("slstm", slstm), ("mcgsm", mcgsm), ("frontier", frontier))
    ]
    replace_block(options.document, "bench", "\n\n".join(parts))
    print(f"wrote {options.document}")


if __name__ == "__main__":
    main()
