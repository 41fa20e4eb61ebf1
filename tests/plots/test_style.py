"""The palette for the colour-blind, figures that leave the session as it was, curves and grids."""

from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from scipy import stats

from course_lib import metrics, plots

# Machado, Oliveira and Fernandes (2009), full deuteranopia and protanopia, for linear RGB.
BLIND = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


def lab(colour: str, eyes) -> np.ndarray:
    """CIE L*a*b* of a colour as these eyes see it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(eyes) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(xyz / np.array([0.9505, 1, 1.089]))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", [np.eye(3), *BLIND.values()], ids=["all", *BLIND])
def test_no_two_colours_look_alike(eyes):
    distances = [np.linalg.norm(lab(a, eyes) - lab(b, eyes)) for a, b in combinations(plots.PALETTE, 2)]
    assert min(distances) > 12


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
def test_the_first_colours_stand_out_from_the_page(page):
    assert all(plots.contrast(colour, page) >= 3 for colour in plots.PALETTE[:3])


def test_contrast_is_that_of_wcag():
    assert plots.contrast("black", "white") == pytest.approx(21)
    assert plots.contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)


def test_lines_differ_by_more_than_colour():
    looks = [plots.look(n) for n in range(6)]
    for key in ("color", "linestyle", "marker"):
        assert len({str(look[key]) for look in looks}) == 6
    assert plots.look(6) == looks[0]


def test_making_a_figure_leaves_the_settings_of_matplotlib_as_they_were():
    before = dict(mpl.rcParams)
    fig, ax = plots.figure(title="Kept", xlabel="x")
    assert dict(mpl.rcParams) == before
    assert ax.get_title(loc="left") == "Kept" and ax.get_xlabel() == "x"
    plt.close(fig)


def test_panels_have_a_title_each():
    fig, axes = plots.figure(rows=1, columns=2, title=["left", "right"], ylabel="y")
    assert [ax.get_title(loc="left") for ax in axes] == ["left", "right"]
    assert [ax.get_ylabel() for ax in axes] == ["y", ""]
    plt.close(fig)
    with pytest.raises(ValueError, match="title holds 1 texts, but the figure has 2 panels"):
        plots.figure(columns=2, title="one")


def test_the_band_of_curves_is_the_student_interval():
    values = np.random.default_rng(0).normal(loc=[0, 2, 5], size=(5, 3))
    fig, ax = plots.figure()
    plots.curves(ax, [1, 10, 100], {"method": values})
    drawn = ax.collections[0].get_paths()[0].vertices
    for x, column in zip((1, 10, 100), values.T):
        edges = {round(y, 9) for at, y in drawn if at == x}
        half = stats.t.ppf(0.975, 4) * column.std(ddof=1) / np.sqrt(5)
        assert edges == {round(column.mean() - half, 9), round(column.mean() + half, 9)}
        interval = metrics.mean_interval(column)
        assert edges == {round(float(interval.low), 9), round(float(interval.high), 9)}
    assert ax.lines[0].get_ydata() == pytest.approx(values.mean(axis=0))
    plt.close(fig)


def test_a_curve_that_is_known_has_no_band():
    fig, ax = plots.figure()
    plots.curves(ax, [1, 2], {"paper": [3.0, 4.0]}, first=1)
    assert not ax.collections
    assert ax.lines[0].get_color() == plots.PALETTE[1]
    plt.close(fig)


def test_rows_with_intervals_show_mean_bar_and_the_papers_mark():
    fig, ax = plots.figure()
    values = np.array([1.0, 2.0, 6.0])
    rows = {"upper": values, "lower": [4.0], "diverged": [1.0, np.nan]}
    plots.intervals(ax, rows, paper={"lower": 9.0}, label="here", shift=0.2)
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    drawn = {tuple(line.get_xdata()): line for line in ax.lines}
    bar = next(line for xs, line in drawn.items() if xs == pytest.approx((low, high)))
    assert bar.get_ydata() == pytest.approx([0.2, 0.2])
    assert drawn[3.0,].get_ydata() == pytest.approx([0.2])
    assert drawn[9.0,].get_markerfacecolor() == "none" and drawn[9.0,].get_ydata() == pytest.approx([1.2])
    assert sum(len(line.get_xdata()) == 2 for line in ax.lines) == 2  # one bar, and the line at zero
    assert [text.get_text() for text in ax.get_yticklabels()] == ["upper", "lower", "diverged"]
    assert ax.yaxis_inverted() and ax.get_legend_handles_labels()[1] == ["here"]
    with pytest.raises(ValueError, match="belong to"):
        plots.intervals(ax, rows, paper={"unknown": 1.0})
    plt.close(fig)


def test_curves_that_do_not_fit_are_refused():
    fig, ax = plots.figure()
    with pytest.raises(ValueError, match=r"'short' has the shape \(1, 2\), possible is \(runs, 3\)"):
        plots.curves(ax, [1, 2, 3], {"short": [1, 2]})
    plt.close(fig)


@pytest.mark.parametrize(
    "images",
    [
        torch.arange(3 * 3 * 4 * 4, dtype=torch.uint8).reshape(3, 3, 4, 4),
        torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0)),
        np.random.default_rng(0).random((3, 4, 4)),
    ],
    ids=["colour bytes", "grey floats", "grey arrays"],
)
def test_a_grid_shows_every_image_as_it_is(images):
    fig = plots.image_grid(images, ["a", "b", "c"], columns=2)
    [ax] = fig.axes
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    scaled = np.asarray(images, dtype=float) / (255 if str(images.dtype).endswith("uint8") else 1)
    for drawn, image in zip(ax.images, scaled):
        wanted = np.broadcast_to(image, (3, 4, 4)).transpose(1, 2, 0)
        assert np.asarray(drawn.get_array()) == pytest.approx(wanted)
    plt.close(fig)


def test_a_grid_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"images have the shape \(2, 2, 4, 4\)"):
        plots.image_grid(np.zeros((2, 2, 4, 4)))
    with pytest.raises(ValueError, match=r"images have the shape \(0, 3, 4, 4\)"):
        plots.image_grid(np.zeros((0, 3, 4, 4)))
    with pytest.raises(ValueError, match="titles holds 1 texts, but there are 2 images"):
        plots.image_grid(np.zeros((2, 4, 4)), ["one"])
