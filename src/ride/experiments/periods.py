"""What fits of one texture that differ in length, size or patches say of lost periods, by a rule set beforehand."""

import math
from collections.abc import Mapping, Sequence

from ride.experiments.document import Block, Grid, Paragraph
from ride.experiments.report import with_error
from ride.experiments.results import Result, difference
from ride.experiments.texture_rows import MANY, MANY_ERROR

RULE = (
    "Where the rate rises and the distance of the autocorrelation falls with it, optimisation was to blame; where it "
    "rises and the distance stays, the likelihood does not ask. Where the rate does not rise, neither follows."
)
NEARER = "rate up, autocorrelation nearer: optimisation was to blame"
NO_NEARER = "rate up, autocorrelation no nearer: the likelihood does not ask"
UNDECIDED = "rate not up: not decided by it"
SURE = 2.0
"""Standard errors that make a difference."""
LEARNED = 0.05
"""Bits per pixel that make one between rates of the last training steps, of which no error is known."""


def gap(one: Result, other: Result) -> tuple[float, float]:
    """By how much the autocorrelation of one is farther from the texture's than that of the other, and the error."""
    return one.notes[MANY] - other.notes[MANY], math.hypot(one.notes[MANY_ERROR], other.notes[MANY_ERROR])


def case(rate: tuple[float, float | None], distance: tuple[float, float]) -> str:
    """Which case of the rule the changes of a rate and of a distance are, given with their standard errors."""
    if rate[0] <= SURE * (rate[1] or 0.0):
        return UNDECIDED
    return NEARER if distance[0] < -SURE * distance[1] else NO_NEARER


def learned(result: Result) -> float:
    """Rate of the last training steps in bit/px; NaN where nothing is known of them."""
    return result.curve.training[-1][1] / math.log(2) if result.curve.training else math.nan


def conclusions(variants: Mapping[str, Result], usual: Result, mcgsm: Result | None) -> list[Block]:
    """Which case each variant of the usual fit is, what all say together, and how the MCGSM compares."""
    cells, cases, more = [], {}, {}
    for name, result in variants.items():
        rate, distance = difference(result, usual), gap(result, usual)
        cases[name] = case(rate, distance)
        more[name] = learned(result) - learned(usual), distance
        figures = f"{more[name][0]:+.3f}", with_error(f"{rate[0]:+.3f}", rate[1]), _signed(distance)
        cells.append([name, *figures, cases[name]])
    blocks: list[Block] = []
    if cells:
        head = [
            "",
            "last training steps, less RIDE's [bit/px]",
            "held out, less RIDE's [bit/px]",
            "distance of the autocorrelation, less RIDE's",
            "what follows from the held-out rate",
        ]
        blocks += [Grid(head, cells), Paragraph(_together(cases)), Paragraph(_optimised(more))]
    if mcgsm:
        blocks.append(Paragraph(_beside({"RIDE": usual, **variants}, mcgsm)))
    return blocks


def _together(cases: Mapping[str, str]) -> str:
    nearer, no_nearer = ([name for name, what in cases.items() if what == wanted] for wanted in (NEARER, NO_NEARER))
    sure = f"A difference counts here if it is more than {SURE:g} standard errors."
    if not nearer and not no_nearer:
        count = "The one fit did not raise" if len(cases) == 1 else f"Of these {len(cases)} fits none raised"
        return f"{count} the held-out rate: whether it is the optimisation is not decided by that. {sure}"
    return (
        f"Of these {len(cases)} fits {len(nearer) + len(no_nearer)} raised the held-out rate. The autocorrelation "
        f"came nearer with it for {_listed(nearer)}, and no nearer for {_listed(no_nearer)}. {sure}"
    )


def _optimised(more: Mapping[str, tuple[float, tuple[float, float]]]) -> str:
    """What follows from how well the training regions were learned, whatever that is worth elsewhere."""
    higher = {name: distance for name, (gain, distance) in more.items() if gain >= LEARNED}
    if not higher:
        return f"None learned the training regions better by {LEARNED:g} bit/px, so nothing follows from that either."
    nearer = [name for name, distance in higher.items() if distance[0] < -SURE * distance[1]]
    found = (
        f"The training regions were learned better by {LEARNED:g} bit/px or more by {_listed(list(higher))}: "
        "optimisation went farther there, and the autocorrelation came nearer "
    )
    if nearer:
        return f"{found}with it for {_listed(nearer)}."
    return (
        f"{found}for none. So the period is not lost for want of optimisation: a higher likelihood of what is learned "
        "does not bring it."
    )


def _beside(fits: Mapping[str, Result], mcgsm: Result) -> str:
    gaps = {name: gap(result, mcgsm) for name, result in fits.items()}
    nearer = [name for name, (distance, error) in gaps.items() if distance < -error]
    figures = "; ".join(f"{name}: {_signed(figure)}" for name, figure in gaps.items())
    return (
        f"The distance of the autocorrelation less that of the MCGSM is, for {figures}. Nearer to the texture than "
        f"the MCGSM's samples by more than the standard error: {_listed(nearer)}."
    )


def _signed(figure: tuple[float, float]) -> str:
    return with_error(f"{figure[0]:+.4f}", figure[1], 4)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
