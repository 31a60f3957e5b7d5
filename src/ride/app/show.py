"""Images, maps and lines as HTML, without a file or an address anywhere: all is in the page itself."""

import base64
import time
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from jaxtyping import Bool, Float
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ride.experiments.image_files import to_levels
from ride.experiments.pictures import COLOURS


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [H, W] or [H, W, 3] as a PNG, as small as Pillow makes it."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def address(pixels: NDArray[np.uint8]) -> str:
    """The image as a `data:` address."""
    file = BytesIO()
    # Compressed little: it travels no farther than this machine.
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def image(title: str, values: Float[Tensor, "H W"], note: str = "") -> str:
    """A figure of an image in units of the full range."""
    return picture(title, to_levels(values), note)


def picture(title: str, levels: NDArray[np.uint8], note: str = "") -> str:
    """A figure of 8-bit pixels."""
    return _figure(title, levels, f"<span>{escape(note)}</span>" if note else "")


def heat(
    title: str,
    values: Float[Tensor, "H W"],
    unit: str = "",
    *,
    reverse: bool = False,
    within: Bool[Tensor, "H W"] | None = None,
    note: str = "",
) -> str:
    """A figure of a map in colours with its scale; the ends are quantiles, so that a few pixels do not take it all.

    Bright is high, or low with `reverse`. The quantiles are those `within` some pixels, if only these count.
    """
    array = values.detach().cpu().double().numpy()
    counted = array if within is None else array[within.cpu().numpy()]
    low, high = (float(end) for end in np.quantile(counted, (0.01, 0.99)))
    if high <= low:
        low, high = float(counted.min()), max(float(counted.max()), float(counted.min()) + 1e-6)
    share = ((array - low) / (high - low)).clip(0, 1)
    colours = colormaps[f"{COLOURS}_r" if reverse else COLOURS]
    levels = (colours(share)[:, :, :3] * 255).round().astype(np.uint8)
    stops = ", ".join(_css(colours(k / 8)) for k in range(9))
    scale = (
        f'<span class="ride-scale"><i>{low:.2g}</i><i style="background:linear-gradient(90deg,{stops})"></i>'
        f"<i>{escape(f'{high:.2g} {unit}'.strip())}</i></span>"
    )
    return _figure(title, levels, scale + (f"<span>{escape(note)}</span>" if note else ""))


def side_by_side(figures: Sequence[str], line: str = "") -> str:
    """Figures in as many columns as the window has room for, under a line of text."""
    head = f'<p class="ride-line">{line}</p>' if line else ""
    return f'{head}<div class="ride-figures">{"".join(figures)}</div>'


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values."""
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="ride-table">{cells}</table>'


def said(text: str, wrong: bool = False) -> str:
    """A sentence to the visitor."""
    kind, role = ("wrong", "alert") if wrong else ("", "status")
    return f'<div class="ride-said {kind}" role="{role}">{escape(text)}</div>' if text else ""


class Clock:
    """Says how far work is and how long it may still take."""

    def __init__(self, doing: str, percent: bool = False) -> None:
        self.doing, self.percent = doing, percent
        self._first: tuple[int, float] | None = None

    def line(self, done: int, total: int, message: str = "") -> str:
        """In words."""
        now = time.monotonic()
        self._first = self._first or (done, now)
        first, began = self._first
        left = ""
        if done > first and now - began > 2:
            left = f", about {_duration((now - began) / (done - first) * (total - done))} left"
        extra = f", {message}" if message else ""
        far = f"{100 * done // max(1, total)} %" if self.percent else f"{done} of {total}"
        return f"{self.doing}: {far}{extra}{left}"


def _figure(title: str, levels: NDArray[np.uint8], below: str) -> str:
    return (
        f'<figure><img alt="{escape(title)}" src="{address(levels)}">'
        f"<figcaption><b>{escape(title)}</b>{below}</figcaption></figure>"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _css(colour: Sequence[float]) -> str:
    return "rgb(" + ",".join(str(round(255 * value)) for value in colour[:3]) + ")"
