"""What follows from fits of a periodic texture, by the rule of the report."""

import math

import pytest

from ride.experiments.curves import Curve
from ride.experiments.document import markdown
from ride.experiments.periods import NEARER, NO_NEARER, UNDECIDED, conclusions
from ride.experiments.results import ImageScore, Result
from ride.experiments.texture_rows import MANY, MANY_ERROR


def fit(rate: float, distance: float, error: float = 0.001, learned: float = 3.5) -> Result:
    """A row of four blocks whose rates differ from those of another row by 0.01 more or less."""
    images = tuple(ImageScore(f"block {k}", rate + 0.01 * (-1) ** k * (rate != 3.0), 100) for k in range(4))
    return Result(
        identity="",
        unit="bit/px",
        value=rate,
        stderr=0.01,
        shift=0.0,
        images=images,
        scored="",
        of="pixels",
        notes={MANY: distance, MANY_ERROR: error},
        seed=0,
        device="cpu",
        run="",
        training_seconds=0.0,
        scoring_seconds=0.0,
        memory_gib=0.0,
        versions={},
        machine="",
        curve=Curve(training=((0.1, 9.0), (0.2, learned * math.log(2)))),
    )


USUAL = fit(3.0, 0.2)


def said(mcgsm: Result | None = None, **variants: Result) -> str:
    return markdown(conclusions(variants, USUAL, mcgsm, set(variants) - {"wider"}))


@pytest.mark.parametrize(
    ("rate", "distance", "what"),
    [
        (3.1, 0.19, NEARER),
        (3.1, 0.199, NO_NEARER),
        (3.1, 0.25, NO_NEARER),
        (2.9, 0.19, UNDECIDED),
        (3.0, 0.19, UNDECIDED),
        # Higher, by less than its error.
        (3.005, 0.19, UNDECIDED),
    ],
)
def test_each_fit_is_one_case_of_the_rule(rate: float, distance: float, what: str):
    text = said(longer=fit(rate, distance))
    assert [case for case in (NEARER, NO_NEARER, UNDECIDED) if f"| {case} |" in text] == [what]
    assert f"| longer | {rate - 3.0:+.3f} ± " in text
    assert f"| {what} | +0.000 |" in text
    assert f"| {distance - 0.2:+.4f} ± 0.0014 |" in text


def test_where_no_rate_rises_nothing_is_decided():
    text = said(longer=fit(2.9, 0.1), deeper=fit(2.8, 0.3))
    assert (
        "Of these 2 fits none raised the held-out rate: whether it is the optimisation is not decided by that." in text
    )


@pytest.mark.parametrize(
    ("gain", "distance", "says"),
    [
        (0.06, 0.2, "came nearer for none: a higher likelihood of what is learned did not bring"),
        (0.06, 0.19, "came nearer with it for longer."),
        (0.04, 0.19, "None learned the training regions better by 0.05 bit/px"),
    ],
)
def test_optimisation_is_what_the_training_rate_says(gain: float, distance: float, says: str):
    assert says in said(longer=fit(2.9, distance, learned=3.5 + gain), deeper=fit(2.9, 0.3))


def test_training_on_patches_of_another_size_is_not_compared():
    text = said(wider=fit(2.9, 0.1, learned=4.5))
    assert f"| {UNDECIDED} | - |" in text
    assert "None learned the training regions better" in text


def test_those_that_raise_it_are_named():
    text = said(longer=fit(3.1, 0.1), deeper=fit(3.2, 0.3), wider=fit(2.0, 0.1))
    assert "Of these 3 fits 2 raised the held-out rate." in text
    assert "came nearer with it for longer, and no nearer for deeper." in text
    assert "not decided by that" not in text


def test_the_mcgsm_is_compared_with():
    text = said(mcgsm=fit(2.5, 0.2005), longer=fit(3.1, 0.19))
    assert "RIDE: -0.0005 ± 0.0014; longer: -0.0105 ± 0.0014." in text
    assert "by more than the standard error: longer." in text
    assert "standard error: none." in said(mcgsm=fit(2.5, 0.2005))
    assert "MCGSM" not in said(longer=fit(3.1, 0.19))
