"""The rows of the paper's tables that are reproduced here, as presets."""

from dataclasses import dataclass, replace
from typing import Literal

from ride.models.ride import RIDEConfig
from ride.training import FitConfig, presets


@dataclass(frozen=True)
class Row:
    """One model of a table.

    Args:
        name: what the paper calls it.
        paper: rate in the paper in bit/px; None for a model that the paper does not have.
        model: what is fitted.
        fit: how.
        tile: side of the independent tiles that are scored; None for whole images.
        ensemble: score the mixture over flips and transposes.
        fitted: key of the row whose fitted model this row scores; its own if None.
        starts: fits from so many initial values, of which the best on the held-out images is kept.
    """

    name: str
    paper: float | None
    model: RIDEConfig
    fit: FitConfig
    tile: int | None = None
    ensemble: bool = False
    fitted: str | None = None
    starts: int = 1


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Args:
        title: what it is about.
        layout: `folder` for a folder with `train` and `test` in it, `deadleaves` for images made on the fly.
        held_out: training images kept for early stopping.
        baseline: key of the row that the others are compared with, image by image.
        rows: the models.
        unit: of the pixels whose rates the paper gives: the full range, or their standard deviation.
    """

    title: str
    layout: Literal["folder", "deadleaves"]
    held_out: int
    baseline: str
    rows: dict[str, Row]
    unit: Literal["range", "deviation"] = "range"


_MCGSM = RIDEConfig(layers=0, neighborhood=9, features=48)
_RIDE = RIDEConfig(layers=1, hidden=64)
_TENTH = presets.default(1).scaled(0.1)
_SMALL = replace(_TENTH, stages=(*_TENTH.stages[:2], replace(_TENTH.stages[2], patch=32, steps=198, batch=None)))
"""As many pixels, but on small patches only: 198 steps of 50 of 32 x 32 where the other has 80 of 12 of 96 x 96."""
_RIDE_2 = RIDEConfig(layers=2, hidden=64)
_RIDE_128_3 = RIDEConfig(layers=3, hidden=128)
_GENTLE = presets.gentle(1)
_GENTLE_2 = _GENTLE.scaled(2.0)

TABLES = {
    "table1": Table(
        "Large images, BSDS300 in gray (Table 1, right column)",
        "folder",
        20,
        "mcgsm-32",
        {
            "mcgsm-32": Row("MCGSM, 32 comp.", 3.706, _MCGSM, presets.default(0), starts=7),
            "ride-1": Row("RIDE, 1 layer", 3.802, _RIDE, _GENTLE_2, tile=64),
            "ride-2": Row("RIDE, 2 layers", 3.869, _RIDE_2, _GENTLE_2, tile=64),
            "eoride-2": Row("EoRIDE, 2 layers", 3.899, _RIDE_2, _GENTLE_2, tile=64, ensemble=True, fitted="ride-2"),
        },
    ),
    "recipes": Table(
        "Ways to train RIDE, 1 layer, 64 hidden units, in a tenth of the full length, on BSDS300 in gray",
        "folder",
        20,
        "paper",
        {
            "paper": Row("preset paper", None, _RIDE, presets.paper(1).scaled(0.1), tile=64),
            "default": Row("preset default", None, _RIDE, _TENTH, tile=64),
            "default-whole": Row("the same", None, _RIDE, _TENTH, fitted="default"),
            "small-patches": Row("default, but patches of 32 at the end", None, _RIDE, _SMALL, tile=64),
            "small-patches-whole": Row("the same", None, _RIDE, _SMALL, fitted="small-patches"),
            "no-clipping": Row("default, but no clipping", None, _RIDE, replace(_TENTH, clip=None), tile=64),
            "forget-bias": Row(
                "default, but forget gates open at first (bias 1)",
                None,
                _RIDE,
                replace(_TENTH, forget_bias=1.0),
                tile=64,
            ),
        },
    ),
    "table3": Table(
        "Dead leaves (Table 3)",
        "deadleaves",
        50,
        "mcgsm-32",
        {
            "mcgsm-32": Row("MCGSM, 32 comp.", 1.294, _MCGSM, presets.default(0), tile=64, starts=3),
            "ride-64-1": Row("RIDE, 64 hid., 1 layer", 1.402, _RIDE, _GENTLE, tile=64),
            "ride-64-1-ext": Row(
                "RIDE, 64 hid., 1 layer, ext.", 1.416, replace(_RIDE, extended=True), _GENTLE, tile=64
            ),
            "ride-64-2": Row("RIDE, 64 hid., 2 layers", 1.438, _RIDE_2, _GENTLE, tile=64),
            "ride-64-3": Row("RIDE, 64 hid., 3 layers", 1.454, replace(_RIDE, layers=3), _GENTLE, tile=64),
            "ride-128-3": Row("RIDE, 128 hid., 3 layers", 1.489, _RIDE_128_3, _GENTLE, tile=64),
            "eoride-128-3": Row(
                "EoRIDE, 128 hid., 3 layers",
                1.501,
                _RIDE_128_3,
                _GENTLE,
                tile=64,
                ensemble=True,
                fitted="ride-128-3",
            ),
        },
        unit="deviation",
    ),
}
