"""Ways to train RIDE, compared at a tenth of the full length."""

from dataclasses import replace

from ride.experiments.image_rows import ImageRow
from ride.experiments.table1 import RIDE_64
from ride.experiments.tables import Cell, Column, Line, Table
from ride.training import FitConfig, presets

TENTH = replace(presets.default(1).scaled(0.1), revive=presets.REVIVE // 10)
ABRUPT = replace(
    TENTH,
    stages=(
        *TENTH.stages[:2],
        replace(TENTH.stages[4], patch=96, steps=80, rate=6e-3, rate_end=1e-4),
    ),
)
"""As many pixels, but from patches of 32 at once to patches of 96."""


ADAM = replace(TENTH, optimizer="adam", betas=(0.9, 0.999))


def recipe(name: str, key: str, fit: FitConfig) -> Line:
    """A way to train, scored on tiles and on whole images."""
    row = ImageRow(name, key, model=RIDE_64, fit=fit, tile=64)
    whole = replace(row, key=f"{key}-whole", tile=None, fitted=row)
    return Line(name, {"tiles": Cell(None, row), "whole": Cell(None, whole)})


TABLE = Table(
    "Ways to train RIDE, 1 layer, 64 hidden units, in a tenth of the full length, on BSDS300 in gray",
    "bsds300",
    {"tiles": Column("64 x 64 tiles", "bit/px", "paper"), "whole": Column("whole images", "bit/px", "paper-whole")},
    (
        recipe("preset paper", "paper", presets.paper(1).scaled(0.1)),
        recipe("preset default", "default", TENTH),
        recipe("default, but from patches of 32 at once to 96", "abrupt", ABRUPT),
        recipe("default, but Adam for all (0.99)", "adam", replace(TENTH, optimizer="adam", betas=(0.9, 0.99))),
        recipe("default, but Adam for all (0.999)", "slow-adam", ADAM),
        recipe("default, but idle components stay idle", "no-revival", replace(TENTH, revive=None)),
        recipe("default, but no clipping", "no-clipping", replace(TENTH, clip=None)),
        recipe("default, but forget gates open at first (bias 1)", "forget-bias", replace(TENTH, forget_bias=1.0)),
    ),
    (
        "Each line is a fit of a tenth of the full length, all else equal; `± ` is over test images, which are "
        "compared one by one. In parentheses stands what remains after a step of the mean of squares of gradients.",
    ),
)
