"""Drawn figures: maps of bits per pixel, and images side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ride.atomic import replacing
from ride.errors import ConfigError

INCHES_A_PANEL = 3.0
COLOURS = "magma"
NEEDED = "needs matplotlib: pip install 'ride-density[plots]'"


@dataclass(frozen=True)
class Panel:
    """An image in units of the full range, or a map of bits per pixel or of standard deviations, with its title."""

    title: str
    values: Float[Tensor, "H W *M"]
    bits: bool = False
    deviation: bool = False


def can_draw() -> bool:
    """Whether `draw` has what it needs."""
    return find_spec("matplotlib") is not None


def draw(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    """Draw rows of panels into one picture; a map has a colour bar, bright where the model was surprised or is unsure.

    Raises:
        ConfigError: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(f"drawing {NEEDED}") from error
    columns = max(len(row) for row in rows)
    figure = Figure((INCHES_A_PANEL * columns, 1.12 * INCHES_A_PANEL * len(rows)), dpi=110, layout="compressed")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        for place in line:
            place.set_axis_off()
        for panel, place in zip(row, line, strict=False):
            place.set_title(panel.title, fontsize=9)
            _show(figure, place, panel)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _scale(values: NDArray[Any], panel: Panel) -> tuple[float, float]:
    """From where to where the colours go: a few pixels are far off and would take the whole scale for themselves."""
    if panel.bits:
        low, high = np.quantile(values, (0.01, 0.99))
        return float(low), float(high)
    # What is known has none, and a small hole is lost among it.
    unsure = values[values > 0]
    return 0.0, float(np.quantile(unsure, 0.99)) if unsure.size else 1.0


def _show(figure: Any, place: Any, panel: Panel) -> None:
    values: NDArray[Any] = panel.values.detach().cpu().double().numpy()
    if not (panel.bits or panel.deviation):
        place.imshow(values.clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        return
    low, high = _scale(values, panel)
    colours, unit = (f"{COLOURS}_r", "log-likelihood, bit/px") if panel.bits else (COLOURS, "of the full range")
    shown = place.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    figure.colorbar(shown, ax=place, label=unit, shrink=0.85)
