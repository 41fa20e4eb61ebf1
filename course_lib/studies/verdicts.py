"""Judging a claim by its interval: it agrees, it does not, or these seeds cannot tell.

The rule is the same for every study.  The quantity of the claim is computed for each seed, which pairs what
the seeds share (the first weights, the labelled subset).  The 95 % Student interval of its mean then lies
within the claim's bounds, beyond them, or across one of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from course_lib.metrics import Interval, mean_interval
from course_lib.studies.registry import Cell, Claim
from course_lib.studies.tables import number

AGREES, DOES_NOT, UNDECIDED, NOT_MEASURED = "agrees", "does not", "undecided", "not measured"


@dataclass(frozen=True)
class Verdict:
    """What the measurement says about a claim.

    Attributes:
        claim: the claim's sentence.
        paper: the quantity computed from the paper's values; None where the paper does not give them.
        mean: the measured mean over seeds; None where it was not measured.
        interval: its 95 % interval; None where there is none.
        seeds: how many seeds were measured.
        state: ``agrees``, ``does not``, ``undecided`` or ``not measured``.
        reason: a sentence, made from the interval.
    """

    claim: str
    paper: float | None
    mean: float | None
    interval: Interval | None
    seeds: int
    state: str
    reason: str


def judge(claim: Claim, paper: Mapping[Cell, float], values: list[Mapping[Cell, float]], digits=1) -> Verdict:
    """Judge a claim.

    Args:
        claim: what is claimed.
        paper: the paper's values by cell.
        values: the measured values by cell, one mapping a seed.
        digits: decimals in the reason.
    """
    told = quantity(claim, paper)
    samples = [quantity(claim, cells) for cells in values]

    if not samples or any(sample is None for sample in samples):
        reason = "This scale does not measure it."
        return Verdict(claim.text, told, None, None, len(samples), NOT_MEASURED, reason)

    def verdict(state: str, reason: str, interval: Interval | None = None) -> Verdict:
        mean = sum(samples) / len(samples)
        return Verdict(claim.text, told, mean, interval, len(samples), state, reason)

    if not all(math.isfinite(sample) for sample in samples):
        return verdict(UNDECIDED, "At least one seed diverged, so there is no interval.")
    if len(samples) == 1:
        return verdict(UNDECIDED, "One seed gives no interval.")
    here = mean_interval(samples)
    state = _state(here, claim)
    return verdict(state, _reason(state, here, claim, digits), here)


def quantity(claim: Claim, cells: Mapping[Cell, float]) -> float | None:
    """The claim's quantity, or None where a cell that it needs is missing."""
    try:
        return float(claim.quantity(cells))
    except KeyError:
        return None


def _state(here: Interval, claim: Claim) -> str:
    if claim.above < here.low and here.high < claim.below:
        return AGREES
    if here.high <= claim.above or here.low >= claim.below:
        return DOES_NOT
    return UNDECIDED


def _reason(state: str, here: Interval, claim: Claim, digits: int) -> str:
    bounds = (claim.above, claim.below)
    said = [number(bound, 0 if bound == round(bound) else digits) for bound in bounds if math.isfinite(bound)]
    if state == AGREES:
        where = (
            f"between {said[0]} and {said[1]}" if len(said) == 2 else _side(claim.below == math.inf, said[0])
        )
        return f"The interval lies {where}."
    if state == DOES_NOT:
        high = here.high <= claim.above
        return f"The interval lies {_side(not high, said[0] if high else said[-1])}."
    crossed = [
        text for text, bound in zip(said, filter(math.isfinite, bounds)) if here.low <= bound <= here.high
    ]
    return f"The interval holds {' and '.join(crossed)}, so {here.n} seeds cannot tell."


def _side(above: bool, bound: str) -> str:
    return f"{'above' if above else 'below'} {bound}"
