"""The task shade.landscape: right drawings pass however they are made, wrong ones get their own message."""

import numpy as np
import pytest
import torch

from course_lib.grading.tasks.shade.gradient import oracle as gradient
from course_lib.grading.tasks.shade.landscape import TASK, oracle, penalty
from tests.grading.trying import verdict


def omega(h, m):
    q = 1 / (1 + np.exp(-h))
    return (1 - q) * (h + m) ** 2 + q * (h - m) ** 2


def right(ax, m):
    h = torch.linspace(-5, 5, 1001, dtype=torch.float64)
    q = torch.sigmoid(h)
    y = (1 - q) * (h + m) ** 2 + q * (h - m) ** 2
    low = (y[1:-1] < y[:-2]) & (y[1:-1] < y[2:])
    ax.plot(h, y, label="penalty")
    ax.plot(h[1:-1][low], y[1:-1][low], "o", label="wells")


def with_scatter_in_float32(ax, m):
    """A coarse grid without 0, as float32, and equal neighbours both marked."""
    h = torch.linspace(-5, 5, 202)
    y = torch.lerp((h + m) ** 2, (h - m) ** 2, torch.sigmoid(h))
    low = (y[1:-1] <= y[:-2] + 1e-6) & (y[1:-1] <= y[2:] + 1e-6)
    ax.plot(h, y, color="grey", label="Penalty")
    ax.scatter(h[1:-1][low], y[1:-1][low], marker="x", label="wells")
    ax.legend()


def with_newton(ax, m, *, colour="black", **options):
    """Newton's method from both sides finds the one well twice; numbers as lists, the line beyond ±5."""
    wells = []
    for h in (-m - 0.5, m + 0.5):
        for _ in range(100):
            t = np.tanh(h / 2)
            slope = 2 * h - 2 * m * t - m * h * (1 - t**2)
            h -= slope / max(2 - 2 * m * (1 - t**2) + m * h * t * (1 - t**2), 0.5)
        wells.append(h)
    places = np.linspace(6, -6, 301)
    ax.plot(places.tolist(), omega(places, m).tolist(), colour, label="penalty")
    for h in wells:
        ax.plot([h], [omega(h, m)], "v", label="wells")


def with_a_solver(axes, half_gap):
    """With a minimiser of SciPy, and much else on the axes."""
    from scipy.optimize import minimize_scalar

    h = np.arange(-5, 5, 0.02)
    (line,) = axes.plot(h, omega(h, half_gap))
    line.set_label("penalty")
    axes.axvline(half_gap, linestyle=":")
    axes.fill_between(h, omega(h, half_gap), alpha=0.1)
    axes.set(xlabel="h", title=f"m = {half_gap}", ylim=(0, 10))
    if half_gap <= 1:
        axes.scatter(0, half_gap**2, label="wells")
        return axes
    found = minimize_scalar(omega, bounds=(0.1, 5), args=(half_gap,), method="bounded")
    axes.scatter([found.x, -found.x], [found.fun, found.fun], s=60, zorder=3, label="wells")
    return axes


def by_a_bisection_of_the_derivative(ax, m):
    h = torch.linspace(-5, 5, 201, dtype=torch.float64)
    modes = torch.tensor([[-m], [m]], dtype=torch.float64)
    ax.plot(h.numpy(), [penalty(x, m) for x in h.tolist()], "--", label="penalty")
    low, high = 0.05, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        uphill = gradient(torch.tensor([[middle]], dtype=torch.float64), modes).item() > 0
        low, high = (low, middle) if uphill else (middle, high)
    places = [0.0] if m <= 1 else [-low, low]
    ax.plot(places, [penalty(x, m) for x in places], linestyle="", marker="D", label=" wells ")


RIGHT = [right, with_scatter_in_float32, with_newton, with_a_solver, by_a_bisection_of_the_derivative]


# --- wrong answers ---------------------------------------------------------------------------


@pytest.mark.parametrize("entry", TASK.misconceptions, ids=lambda entry: entry.name)
def test_each_wrong_answer_gets_its_own_message_when_it_draws(entry):
    def as_a_learner_does(ax, m):
        entry.wrong(ax, m)

    outcome = verdict(TASK, as_a_learner_does)
    assert (outcome.misconception, outcome.advice) == (entry.name, entry.message)
    assert outcome.cause == "value"


def test_a_coarser_drawing_of_a_wrong_line_is_recognised():
    def swapped(ax, m):
        h = np.linspace(-5, 5, 401)
        ax.plot(h, omega(h, -m), label="penalty")
        ax.plot([0], [omega(0, -m)], "o", label="wells")

    assert verdict(TASK, swapped).misconception == "modes swapped"


@pytest.mark.parametrize("side", [-1, 1])
def test_a_single_well_is_recognised_on_either_side(side):
    def one_side(ax, m):
        h = np.linspace(-5, 5, 1001)
        half = h[h * side >= 0]
        well = half[omega(half, m).argmin()]
        ax.plot(h, omega(h, m), label="penalty")
        ax.plot(well, omega(well, m), "o", label="wells")

    assert verdict(TASK, one_side).misconception == "only one well"


def bad(draw):
    return lambda ax, m: draw(ax, np.linspace(-5, 5, 401), m)


def no_label(ax, h, m):
    ax.plot(h, omega(h, m))


def other_label(ax, h, m):
    ax.plot(h, omega(h, m), label="omega")


def no_wells(ax, h, m):
    ax.plot(h, omega(h, m), label="penalty")


def short(ax, h, m):
    ax.plot(h[50:], omega(h[50:], m), label="penalty")
    ax.plot([m], [1.0], "o", label="wells")


def few(ax, h, m):
    ax.plot(h[::4], omega(h[::4], m), label="penalty")
    ax.plot([m], [1.0], "o", label="wells")


def empty(ax, h, m):
    ax.plot([], [], label="penalty")
    ax.plot([m], [1.0], "o", label="wells")


def twice(ax, h, m):
    ax.plot(h, omega(h, m), label="penalty")
    ax.plot(h, omega(h, -m), label="penalty")


def joined(ax, h, m):
    ax.plot(h, omega(h, m), label="penalty")
    ax.plot([-m, m], [1.0, 1.0], "o-", label="wells")


def invisible(ax, h, m):
    ax.plot(h, omega(h, m), label="penalty")
    ax.plot([m], [1.0], label="wells")


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda ax, h, m: None, "Nothing is drawn on ax"),
        (no_label, 'No line on ax is labelled "penalty"; add label="penalty"'),
        (other_label, 'No line on ax is labelled "penalty", only "omega"'),
        (no_wells, 'No points on ax are labelled "wells", only "penalty"'),
        (short, "goes from -3.75 to 5; draw it from -5 to 5"),
        (few, "has 101 points; take at least 201"),
        (empty, "has no points"),
        (twice, "Several lines on ax are labelled"),
        (joined, "draw them as points"),
        (invisible, "draw them as points"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(draw, says):
    outcome = verdict(TASK, bad(draw))
    assert outcome.cause == "unusable" and says in outcome.message


def test_wells_of_which_none_is_marked_are_counted():
    def none(ax, h, m):
        ax.plot(h, omega(h, m), label="penalty")
        ax.plot([], [], "o", label="wells")

    assert "the number of wells should be 2 and is 0" in verdict(TASK, bad(none)).message


# --- the oracle, against what the source says -------------------------------------------------


@pytest.mark.parametrize(("m", "well"), [(1.1, 0.77), (1.5, 1.7040), (2.0, 2.3994), (3.0, 3.44)])
def test_two_wells_beyond_m_1(m, well):
    _, number, places, heights = oracle(m)
    assert number == 2 and places.tolist() == pytest.approx([-well, well], abs=5e-3)
    assert heights.tolist() == pytest.approx([penalty(well, m)] * 2, abs=1e-3)


@pytest.mark.parametrize("m", [0.3, 0.5, 0.9])
def test_one_well_up_to_m_1(m):
    _, number, places, heights = oracle(m)
    assert number == 1 and places.tolist() == [0, 0]
    assert heights.tolist() == pytest.approx([m**2] * 2)


def test_the_wells_are_where_the_derivative_is_zero():
    well = oracle(2.5)[2][1].reshape(1, 1)
    modes = torch.tensor([[-2.5], [2.5]], dtype=torch.float64)
    assert gradient(well, modes).item() == pytest.approx(0, abs=1e-6)
