"""The house style: one palette that the colour-blind can tell apart, and figures without a background."""

import math
from collections.abc import Sequence

import numpy as np

# Okabe and Ito's colours, the ones with the most contrast on white and on dark pages first.
PALETTE = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # green
    "#CC79A7",  # purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
)

# No meaning by colour alone: the n-th line has the n-th colour, the n-th marker and the n-th dash.
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (8, 2)), (0, (2.5, 1, 1, 1)))

# Whatever is drawn in black takes the colour of the page's text when the figure is shown.
INK = "black"

_RC = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.13,
    "grid.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 10.5,
    "axes.titlepad": 9,
    "axes.labelsize": 10,
    "font.size": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.9,
    "lines.markersize": 5.5,
}


def figure(
    width: float = 6.0,
    height: float = 3.5,
    *,
    rows: int = 1,
    columns: int = 1,
    title: str | Sequence[str] | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    **options,
):
    """A new figure in the house style.

    Args:
        width, height: natural size in inches; a page that is narrower shrinks the figure.
        rows, columns: the grid of panels.
        title: what there is to see, in words; with several panels a title for each of them.
        xlabel, ylabel: the labels of the outer axes.
        options: handed to ``matplotlib.pyplot.subplots``.

    Returns:
        ``(fig, axes)`` as ``matplotlib.pyplot.subplots`` does: one ``Axes``, or an array of them.

    Raises:
        ValueError: there are more titles than panels, or one title for several panels.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    titles = [title] if isinstance(title, str) else list(title or [])
    if titles and len(titles) != rows * columns:
        raise ValueError(f"title holds {len(titles)} texts, but the figure has {rows * columns} panels.")
    with mpl.rc_context({**_RC, "axes.prop_cycle": mpl.cycler(color=PALETTE)}):
        fig, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)
        panels = np.atleast_1d(axes).reshape(rows, columns)
        for ax, text in zip(panels.flat, titles):
            ax.set_title(text)
        for ax in panels[-1]:
            ax.set_xlabel(xlabel or "")
        for ax in panels[:, 0]:
            ax.set_ylabel(ylabel or "")
    return fig, axes


def look(n: int) -> dict:
    """Colour, dash and marker of the n-th line, as keyword arguments of ``Axes.plot``."""
    return {
        "color": PALETTE[n % len(PALETTE)],
        "linestyle": DASHES[n % len(DASHES)],
        "marker": MARKERS[n % len(MARKERS)],
    }


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, 1 (none) to 21 (black on white), as WCAG 2.1 defines it."""
    bright, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else math.pow((c + 0.055) / 1.055, 2.4) for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
