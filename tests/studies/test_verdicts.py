"""The verdict on a claim follows from its interval alone."""

import math

import numpy as np
import pytest
from scipy import stats

from course_lib.studies import Claim
from course_lib.studies.verdicts import judge

GAIN = Claim("A gains over B.", lambda at: at["a",] - at["b",], above=0)
BAND = Claim("A is within one of B.", lambda at: at["a",] - at["b",], above=-1, below=1)
ROUND_5 = (4.8, 5.1, 5.0, 5.2, 4.9)  # mean 5, half-width about 0.2


def verdict(claim, differences, paper=None):
    """Judge five seeds whose b wanders widely, so that only a paired difference is precise."""
    wander = np.random.default_rng(0).normal(0, 20, len(differences))
    return judge(claim, paper or {}, [{("a",): b + d, ("b",): b} for b, d in zip(wander, differences)])


@pytest.mark.parametrize(
    ("claim", "differences", "state", "reason"),
    [
        (GAIN, ROUND_5, "agrees", "The interval lies above 0."),
        (GAIN, [-d for d in ROUND_5], "does not", "The interval lies below 0."),
        (GAIN, [-1.0, 2.0, -0.5, 1.5, 0.2], "undecided", "The interval holds 0, so 5 seeds cannot tell."),
        (BAND, [d - 5 for d in ROUND_5], "agrees", "The interval lies between −1 and 1."),
        (BAND, ROUND_5, "does not", "The interval lies above 1."),
        (BAND, [-d for d in ROUND_5], "does not", "The interval lies below −1."),
        (BAND, [d - 4 for d in ROUND_5], "undecided", "The interval holds 1, so 5 seeds cannot tell."),
        (BAND, [-6.0, 6.0, 0.0], "undecided", "The interval holds −1 and 1, so 3 seeds cannot tell."),
        (GAIN, [3.0], "undecided", "One seed gives no interval."),
        (GAIN, [3.0, math.nan], "undecided", "At least one seed diverged, so there is no interval."),
        (GAIN, [], "not measured", "This scale does not measure it."),
    ],
)
def test_the_state_and_its_reason(claim, differences, state, reason):
    got = verdict(claim, differences)
    assert (got.state, got.reason) == (state, reason)


def test_the_mirrored_claim_gets_the_mirrored_verdict():
    loss = Claim("A loses.", lambda at: at["a",] - at["b",], below=0)
    assert verdict(loss, ROUND_5).state == "does not"
    assert verdict(loss, [-d for d in ROUND_5]).reason == "The interval lies below 0."


def test_the_interval_is_students_interval_of_the_paired_differences():
    got = verdict(GAIN, ROUND_5)
    low, high = stats.t.interval(0.95, 4, np.mean(ROUND_5), stats.sem(ROUND_5))
    assert got.mean == pytest.approx(5.0)
    assert (got.interval.low, got.interval.high) == pytest.approx((low, high))


def test_the_papers_quantity_is_computed_from_its_values():
    assert verdict(GAIN, ROUND_5, {("a",): 7.0, ("b",): 4.0}).paper == 3.0
    assert verdict(GAIN, ROUND_5, {("a",): 7.0}).paper is None


def test_a_claim_about_cells_that_one_scale_leaves_out_is_not_measured():
    got = judge(GAIN, {}, [{("a",): 1.0}, {("a",): 2.0}])
    assert (got.state, got.mean, got.interval) == ("not measured", None, None)


def test_a_bound_that_is_no_whole_number_is_shown_with_its_decimals():
    half = Claim("A gains half a point.", lambda at: at["a",] - at["b",], above=0.5)
    assert verdict(half, ROUND_5).reason == "The interval lies above 0.5."
