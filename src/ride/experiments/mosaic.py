"""Pictures side by side, pixel by pixel, each under its title."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ride.atomic import replacing

LABEL, GAP = 22, 6
"""Height of what stands above a picture, and what is between pictures, in pixels."""
GRAYS = 16
"""All that the eye needs of a texture, in half the bytes."""

Titled = tuple[str, NDArray[Any]]
"""A title, and pixels [H, W] or [H, W, 3] of 8 bits."""


def write_mosaic(path: Path, rows: Sequence[Sequence[Titled]], few_grays: bool = False) -> None:
    """Write rows of pictures as one PNG, white where there is nothing; `few_grays` keeps `GRAYS` levels only.

    Raises:
        OutputError: the file cannot be written.
    """
    every = [pixels for row in rows for _, pixels in row]
    mode = "RGB" if any(pixels.ndim == 3 for pixels in every) else "L"
    height, width = (max(pixels.shape[axis] for pixels in every) for axis in (0, 1))
    columns = max(len(row) for row in rows)
    size = (columns * (width + GAP) - GAP, len(rows) * (height + LABEL + GAP) - GAP)
    canvas = Image.new(mode, size, "white")
    font = ImageFont.load_default(14)
    for y, row in enumerate(rows):
        for x, (title, pixels) in enumerate(row):
            left, top = x * (width + GAP), y * (height + LABEL + GAP)
            ImageDraw.Draw(canvas).text((left, top + 2), title, fill="black", font=font)
            canvas.paste(Image.fromarray(pixels).convert(mode), (left, top + LABEL))
    options: dict[str, Any] = {}
    if few_grays:
        canvas, options = _in_few_grays(canvas.convert("L")), {"bits": 4}
    with replacing(path) as temporary:
        canvas.save(temporary, format="PNG", optimize=True, **options)


def _in_few_grays(image: Image.Image) -> Image.Image:
    few = Image.fromarray(np.asarray(image) // (256 // GRAYS))
    few.putpalette([round(255 * gray / (GRAYS - 1)) for gray in range(GRAYS) for _ in range(3)])
    return few
