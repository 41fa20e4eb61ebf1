"""shade.landscape: the penalty of one value drawn, with its wells (the summand of Robert 2019, Eq. A.8)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.grading.task import Case, Misconception, Task, Unfit

PLACES = [k / 2 for k in range(-9, 10)]  # where the line is read
POINTS = 201
REACH, SLACK = 5.0, 0.1  # the line goes from -5 to 5; a grid may stop one step before
ONE_WELL = 0.1  # marks nearer than this are one mark


def penalty(h: float, m: float) -> float:
    """ω(h) for the modes -m and m."""
    present = 1 / (1 + math.exp(-h))
    return (1 - present) * (h - (-m)) ** 2 + present * (h - m) ** 2


def oracle(m: float) -> tuple[Tensor, ...]:
    """The formula at each place, and its minima: found on a fine grid, then closed in on."""
    step, wells = 0.01, []
    for k in range(-499, 500):
        low, high = (k - 1) * step, (k + 1) * step
        if penalty(low, m) > penalty(k * step, m) < penalty(high, m):
            for _ in range(60):
                a, b = low + (high - low) / 3, high - (high - low) / 3
                low, high = (low, b) if penalty(a, m) < penalty(b, m) else (a, high)
            wells.append((low, penalty(low, m)))
    return results([penalty(h, m) for h in PLACES], wells)


def results(line: list[float], marks: list[tuple[float, float]]) -> tuple[Tensor, ...]:
    """What is compared: the line, the number of wells, and where the outermost two of them are."""
    wells: list[list[tuple[float, float]]] = []
    for mark in sorted(marks):
        if wells and mark[0] - wells[-1][0][0] < ONE_WELL:
            wells[-1].append(mark)
        else:
            wells.append([mark])
    outermost = [np.mean(wells[i], axis=0) if wells else (0.0, 0.0) for i in (0, -1)]
    # A figure is not read more exactly than this near 0, where no relative precision exists.
    positions = [0.0 if abs(h) < ONE_WELL / 2 else h for h, _ in outermost]
    if len(wells) == 1:  # by the symmetry it is chance which of two equal wells an argmin finds
        positions = [abs(h) for h in positions]
    numbers = (line, float(len(wells)), positions, [height for _, height in outermost])
    return tuple(torch.tensor(each, dtype=torch.float64) for each in numbers)


def use(answer: Callable, m: float) -> tuple[Tensor, ...]:
    """Let an answer draw on axes of its own, and read off what it drew."""
    h, y, marks = answer.shown(m) if isinstance(answer, Drawing) else drawn_by(answer, m)
    order = np.argsort(h)
    return results(np.interp(PLACES, h[order], y[order]).tolist(), [tuple(mark) for mark in marks.tolist()])


def drawn_by(answer: Callable, m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points of the line (h and y) and the marks (n, 2) that an answer draws."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ax = FigureCanvasAgg(Figure()).figure.subplots()
    answer(ax, m)
    if not ax.lines and not ax.collections:
        raise Unfit("Nothing is drawn on ax; call its own methods, such as ax.plot, not those of plt")
    lines = labelled(ax.lines, "penalty", 'No line on ax is labelled "penalty"')
    if len(lines) > 1:
        raise Unfit('Several lines on ax are labelled "penalty"; draw ω as one')
    points = labelled([*ax.lines, *ax.collections], "wells", 'No points on ax are labelled "wells"')
    h, y = lines[0].get_xydata().T
    reaches = len(h) > 0 and h.min() <= SLACK - REACH and h.max() >= REACH - SLACK
    if not reaches:
        span = f"goes from {h.min():.3g} to {h.max():.3g}" if len(h) else "has no points"
        raise Unfit(f'The line "penalty" {span}; draw it from -5 to 5')
    if len(h) < POINTS:
        raise Unfit(f'The line "penalty" has {len(h)} points; take at least {POINTS}, to make it smooth')
    return h, y, np.concatenate([marks_of(artist) for artist in points])


def labelled(artists: list, label: str, missing: str) -> list:
    """The artists of this label.

    Raises:
        Unfit: there are none; it says which labels there are.
    """
    labels = [str(artist.get_label()).strip() for artist in artists]
    found = [artist for artist, each in zip(artists, labels) if each.lower() == label]
    if not found:
        others = ", ".join(f'"{each}"' for each in labels if not each.startswith("_"))
        raise Unfit(f"{missing}, only {others}" if others else f'{missing}; add label="{label}"')
    return found


def marks_of(artist: Any) -> np.ndarray:
    """The points of a line without line, or of a scatter, (n, 2)."""
    if hasattr(artist, "get_offsets"):
        return np.asarray(artist.get_offsets(), dtype=float).reshape(-1, 2)
    marks = artist.get_xydata()
    joined = len(marks) > 1 and artist.get_linestyle() != "None"
    if joined or (len(marks) and artist.get_marker() in ("None", "none", " ", "", None)):
        raise Unfit('The wells are a line; draw them as points, ax.plot(places, heights, "o")')
    return marks


# --- wrong drawings --------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawing:
    """A drawing that also says what it shows, because a figure for every one of them would take seconds.

    Args:
        curve: the line, from tensors h and a number m.
        marks: the wells of each m as pairs (place, height); None marks the minima of the line.
    """

    curve: Callable[[Tensor, float], Tensor]
    marks: Callable[[float], list[tuple[float, float]]] | None = None

    def shown(self, m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        h = torch.linspace(-5, 5, 2001, dtype=torch.float64)
        y = self.curve(h, m)
        if self.marks is None:
            low = (y[1:-1] < y[:-2]) & (y[1:-1] < y[2:])
            marks = torch.stack([h[1:-1][low], y[1:-1][low]], dim=1).numpy()
        else:
            marks = np.array(self.marks(m))
        return h.numpy(), y.numpy(), marks

    def __call__(self, ax: Any, m: float) -> None:
        h, y, marks = self.shown(m)
        ax.plot(h, y, label="penalty")
        ax.scatter(marks[:, 0], marks[:, 1], label="wells")


def right_curve(h: Tensor, m: float) -> Tensor:
    return torch.lerp((h + m) ** 2, (h - m) ** 2, torch.sigmoid(h))


def right_wells(m: float) -> list[tuple[float, float]]:
    _, number, places, heights = oracle(m)
    return list(zip(places.tolist(), heights.tolist()))[: int(number)]


def on_the_curve(*places: float, m: float) -> list[tuple[float, float]]:
    return [(h, penalty(h, m)) for h in places]


def detached_wells(m: float) -> list[tuple[float, float]]:
    """Where h = m tanh(h / 2), on the right-hand side and mirrored."""
    h = m
    for _ in range(2000):
        h = m * math.tanh(h / 2)
    return on_the_curve(-h, h, m=m)


TASK = Task(
    id="shade.landscape",
    title="One well or two",
    difficulty=3,
    minutes=25,
    points=2,
    function="draw_landscape",
    kind="figure",
    takes={"m": "number"},
    gives={
        "line at h = -4.5, -4, …, 4.5": "(19,)",
        "number of wells": "()",
        "places of the leftmost and the rightmost well": "(2,)",
        "heights of the leftmost and the rightmost well": "(2,)",
    },
    written="draw_landscape(ax, m)",
    use=use,
    hints=(
        "Compute ω on a fine grid of h first. A well is a place where it is lower than on both sides.",
        "ω(h) = (1 - σ(h)) · (h + m)² + σ(h) · (h - m)²\n"
        "a grid point is a well if ω is smaller there than at both of its neighbours",
        "h   <- 1001 numbers from -5 to 5\n"
        "y   <- (1 - sigmoid(h)) * (h + m)² + sigmoid(h) * (h - m)²\n"
        "low <- y[1:-1] < y[:-2]  and  y[1:-1] < y[2:]          # for all points but the two ends\n"
        'ax.plot(h, y, label="penalty")\n'
        'ax.plot(h[1:-1][low], y[1:-1][low], "o", label="wells")',
    ),
    oracle=oracle,
    tolerance=1e-2,  # the wells may be found on a grid
    cases=(
        Case("m = 2", lambda _: {"m": 2.0}),
        Case("m = 0.5", lambda _: {"m": 0.5}),
        Case("m = 1.5", lambda _: {"m": 1.5}),
        Case("m = 3", lambda _: {"m": 3.0}),
    ),
    misconceptions=(
        Misconception(
            "wells at the means",
            Drawing(right_curve, lambda m: on_the_curve(-m, m, m=m)),
            "The wells are marked at -m and m. "
            "They lie elsewhere, because σ(h) changes with h too: look for the lowest points of your line.",
        ),
        Misconception(
            "wells without the push",
            Drawing(right_curve, detached_wells),
            "The wells are marked where the pull alone is zero, as if σ(h) were a constant. "
            "The line is lowest where its whole derivative is zero.",
        ),
        Misconception(
            "the top marked too",
            Drawing(right_curve, lambda m: [*right_wells(m), *on_the_curve(0.0, m=m)]),
            "The top between the wells is marked as well. "
            "The derivative is zero there too, but a well needs the line to rise on both sides.",
        ),
        Misconception(
            "only one well",
            Drawing(right_curve, lambda m: right_wells(m)[:1]),
            "Only one well is marked, also where there are two. "
            "argmin finds one point; compare each point with both of its neighbours to find all.",
        ),
        Misconception(
            "marks on the axis",
            Drawing(right_curve, lambda m: [(h, 0.0) for h, _ in right_wells(m)]),
            "The wells are at the right places, but at height 0. Mark them on the line, at ω of each.",
        ),
        Misconception(
            "no weights",
            Drawing(lambda h, m: (h + m) ** 2 + (h - m) ** 2),
            "Both squares count fully in your line. Weight them with 1 - σ(h) and σ(h).",
        ),
        Misconception(
            "mean of both squares",
            Drawing(lambda h, m: ((h + m) ** 2 + (h - m) ** 2) / 2),
            "Your line is the mean of both squares. "
            "Their weights are 1 - σ(h) and σ(h), and these are equal at h = 0 only.",
        ),
        Misconception(
            "modes swapped",
            Drawing(lambda h, m: right_curve(h, -m)),
            "The two modes are swapped: σ(h) weights the square to m, and 1 - σ(h) that to -m.",
        ),
        Misconception(
            "σ for both modes",
            Drawing(lambda h, m: torch.sigmoid(h) * ((h + m) ** 2 + (h - m) ** 2)),
            "Both squares are weighted with σ(h). The square to -m has the weight 1 - σ(h).",
        ),
        Misconception(
            "hard modes",
            Drawing(lambda h, m: torch.minimum((h + m) ** 2, (h - m) ** 2)),
            "Each h counts the nearer mode only. Let both count, with the weights 1 - σ(h) and σ(h).",
        ),
        Misconception(
            "square of the soft mean",
            Drawing(lambda h, m: (h - m * torch.tanh(h / 2)) ** 2),
            "The two means are mixed first and one distance is squared. "
            "Square each distance by itself, then weight the two squares.",
        ),
        Misconception(
            "standard deviation",
            Drawing(lambda h, m: right_curve(h, m).sqrt()),
            "Your line is the square root of the penalty. Draw the penalty itself.",
        ),
        Misconception(
            "absolute distance",
            Drawing(lambda h, m: torch.lerp((h + m).abs(), (h - m).abs(), torch.sigmoid(h))),
            "The distances are not squared in your line.",
        ),
        Misconception(
            "m as the gap",
            Drawing(lambda h, m: right_curve(h, m / 2)),
            "Your modes are m apart. They are at -m and at m, so the gap between them is 2m.",
        ),
        Misconception(
            "modes at 0 and m",
            Drawing(lambda h, m: torch.lerp(h**2, (h - m) ** 2, torch.sigmoid(h))),
            "Your modes are at 0 and at m. The mode “absent” is at -m.",
        ),
    ),
)
