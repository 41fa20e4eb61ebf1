"""Schedules: their values at the ends and in between, and at the very step where they should change."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.training import schedules

unit = st.floats(0, 1)


def test_cosine_runs_from_one_to_its_end():
    assert schedules.cosine(0.0) == 1
    assert schedules.cosine(0.5) == pytest.approx(0.5)
    assert schedules.cosine(1.0) == pytest.approx(0, abs=1e-15)
    assert (schedules.cosine(0.0, end=0.1), schedules.cosine(1.0, end=0.1)) == pytest.approx((1, 0.1))
    assert schedules.cosine(1 / 3) == pytest.approx(0.75)  # cos 60 degrees is a half


def test_exponential_changes_at_the_first_step_of_each_epoch():
    for epochs, length in ((100, 391), (7, 3), (30, 1), (49, 5)):
        total = epochs * length
        for step in range(total):
            expected = 0.95 ** (step // length)
            assert schedules.exponential(step / total, 0.95, epochs) == pytest.approx(expected), (
                epochs,
                step,
            )


def test_exponential_without_stairs_passes_through_their_corners():
    assert schedules.exponential(0.3, 0.95, 10, stairs=False) == pytest.approx(0.95**3)
    assert schedules.exponential(0.25, 0.95, 10, stairs=False) == pytest.approx(0.95**2.5)


@pytest.mark.parametrize("drop, epochs, length", [(170, 200, 391), (80, 120, 7), (1, 3, 1)])
def test_milestones_drop_at_their_first_step(drop, epochs, length):
    total = epochs * length
    before, at = (drop * length - 1) / total, drop * length / total
    assert schedules.milestones(before, at=(drop / epochs,)) == 1
    assert schedules.milestones(at, at=(drop / epochs,)) == 0.1


def test_milestones_multiply():
    assert schedules.milestones(0.9, at=(0.5, 0.8), factor=0.2) == pytest.approx(0.04)
    assert schedules.milestones(0.6, at=(0.5, 0.8), factor=0.2) == pytest.approx(0.2)


def test_linear_ramp_rises_between_its_ends():
    values = [schedules.linear_ramp(p, 0.2, 0.6) for p in (0.0, 0.2, 0.3, 0.4, 0.6, 1.0)]
    assert values == pytest.approx([0, 0, 0.25, 0.5, 1, 1])
    assert schedules.linear_ramp(0.3) == pytest.approx(0.3)


def test_sigmoid_ramp_is_the_bell_of_its_formula():
    assert schedules.sigmoid_ramp(0.0, end=0.4) == pytest.approx(math.exp(-5))
    assert schedules.sigmoid_ramp(0.2, end=0.4) == pytest.approx(math.exp(-5 * 0.25))
    assert schedules.sigmoid_ramp(0.4, end=0.4) == 1
    assert schedules.sigmoid_ramp(0.9, end=0.4) == 1
    assert schedules.sigmoid_ramp(0.5, steepness=2) == pytest.approx(math.exp(-0.5))


@given(unit, unit)
def test_decays_fall_and_ramps_rise_within_zero_and_one(p, q):
    p, q = min(p, q), max(p, q)
    for decay in (
        schedules.constant,
        schedules.cosine,
        lambda t: schedules.exponential(t, 0.9, 20),
        lambda t: schedules.milestones(t, (0.3, 0.7)),
    ):
        assert 1 >= decay(p) >= decay(q) >= 0
    for ramp in (schedules.linear_ramp, lambda t: schedules.linear_ramp(t, 0.1, 0.2), schedules.sigmoid_ramp):
        assert 0 <= ramp(p) <= ramp(q) <= 1


@pytest.mark.parametrize("progress", [-0.01, 1.01, math.nan])
@pytest.mark.parametrize(
    "schedule",
    [
        schedules.constant,
        schedules.cosine,
        lambda p: schedules.exponential(p, 0.9, 10),
        lambda p: schedules.milestones(p, (0.5,)),
        schedules.linear_ramp,
        schedules.sigmoid_ramp,
    ],
)
def test_progress_outside_the_run_is_refused(schedule, progress):
    with pytest.raises(ValueError, match="progress is"):
        schedule(progress)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: schedules.linear_ramp(0.5, 0.6, 0.6), "start < end"),
        (lambda: schedules.sigmoid_ramp(0.5, end=0), "end is 0"),
        (lambda: schedules.exponential(0.5, -1, 10), "above 0"),
    ],
)
def test_impossible_constants_are_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
