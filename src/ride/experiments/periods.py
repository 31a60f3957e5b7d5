"""What fits of one texture that differ in length, size or patches say of lost periods, by a rule set beforehand."""

import math
from collections.abc import Collection, Mapping, Sequence

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


def nearer(distance: tuple[float, float]) -> bool:
    """Whether a `gap` is below 0 by more than chance."""
    return distance[0] < -SURE * distance[1]


def signed(figure: tuple[float, float]) -> str:
    """A `gap` with its sign and error."""
    return with_error(f"{figure[0]:+.4f}", figure[1], 4)


def case(rate: tuple[float, float | None], distance: tuple[float, float]) -> str:
    """Which case of the rule the changes of a rate and of a distance are, given with their standard errors."""
    if rate[0] <= SURE * (rate[1] or 0.0):
        return UNDECIDED
    return NEARER if nearer(distance) else NO_NEARER


def learned(result: Result) -> float:
    """Rate of the last training steps in bit/px; NaN where nothing is known of them."""
    return result.curve.training[-1][1] / math.log(2) if result.curve.training else math.nan


def conclusions(
    variants: Mapping[str, Result], usual: Result, mcgsm: Result | None, alike: Collection[str]
) -> list[Block]:
    """Which case each variant of the usual fit is, what all say together, and how the MCGSM compares.

    `alike` are the variants whose last training patches are as large as those of the usual fit. Rates of the last
    training steps are compared for these alone: the farther a pixel is from the border of its patch, the more likely.
    """
    cells, cases, more = [], {}, {}
    for name, result in variants.items():
        rate, distance = difference(result, usual), gap(result, usual)
        cases[name] = case(rate, distance)
        if name in alike:
            more[name] = learned(result) - learned(usual), distance
        figures = with_error(f"{rate[0]:+.3f}", rate[1]), signed(distance)
        cells.append([name, *figures, cases[name], f"{more[name][0]:+.3f}" if name in more else "-"])
    blocks: list[Block] = []
    if cells:
        head = [
            "",
            "rate, less RIDE's [bit/px]",
            "distance of the autocorrelation, less RIDE's",
            "what follows",
            "rate of the last training steps, less RIDE's [bit/px]",
        ]
        blocks += [Grid(head, cells), Paragraph(_together(cases)), Paragraph(_optimised(more))]
    if mcgsm:
        blocks.append(Paragraph(_beside({"RIDE": usual, **variants}, mcgsm)))
    return blocks


def _together(cases: Mapping[str, str]) -> str:
    came, stayed = ([name for name, what in cases.items() if what == wanted] for wanted in (NEARER, NO_NEARER))
    sure = f"A difference counts here if it is more than {SURE:g} standard errors."
    if not came and not stayed:
        count = "The one fit did not raise" if len(cases) == 1 else f"Of these {len(cases)} fits none raised"
        return f"{count} the held-out rate: whether it is the optimisation is not decided by that. {sure}"
    return (
        f"Of these {len(cases)} fits {len(came) + len(stayed)} raised the held-out rate. The autocorrelation "
        f"came nearer with it for {listed(came)}, and no nearer for {listed(stayed)}. {sure}"
    )


def _optimised(more: Mapping[str, tuple[float, tuple[float, float]]]) -> str:
    """What follows from how well the training regions were learned, whatever that is worth elsewhere."""
    higher = {name: distance for name, (gain, distance) in more.items() if gain >= LEARNED}
    if not higher:
        return f"None learned the training regions better by {LEARNED:g} bit/px, so nothing follows from that either."
    came = [name for name, distance in higher.items() if nearer(distance)]
    found = (
        f"The training regions were learned better by {LEARNED:g} bit/px or more by {listed(list(higher))}: "
        "optimisation went farther there, and the autocorrelation came nearer "
    )
    if came:
        return f"{found}with it for {listed(came)}."
    return f"{found}for none: a higher likelihood of what is learned did not bring the period by these fits."


def _beside(fits: Mapping[str, Result], mcgsm: Result) -> str:
    gaps = {name: gap(result, mcgsm) for name, result in fits.items()}
    closer = [name for name, (distance, error) in gaps.items() if distance < -error]
    figures = "; ".join(f"{name}: {signed(figure)}" for name, figure in gaps.items())
    return (
        f"The distance of the autocorrelation less that of the MCGSM is, for {figures}. Nearer to the texture than "
        f"the MCGSM's samples by more than the standard error: {listed(closer)}."
    )


def listed(names: Sequence[str]) -> str:
    """Names in words."""
    return ", ".join(names) or "none"
