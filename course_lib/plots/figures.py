"""The figures that several chapters draw: curves and numbers with their intervals, and grids of images."""

from collections.abc import Mapping, Sequence

import numpy as np

from course_lib.plots.style import INK, figure, look


def curves(
    ax, x: Sequence[float], lines: Mapping[str, np.ndarray], *, level: float = 0.95, first: int = 0
) -> None:
    """Draw the mean of repeated runs, with the Student t interval of the mean as a band.

    Args:
        ax: matplotlib axes.
        x: the positions, ``(len(x),)``.
        lines: label to values ``(runs, len(x))``; ``(len(x),)`` for a line that has no interval.
        level: the level of the interval.
        first: the number of the first line, which chooses its colour, dash and marker.

    Raises:
        ValueError: a line has not one value for each position.
    """
    from course_lib.metrics import mean_interval

    x = np.asarray(x, dtype=float)
    for n, (label, values) in enumerate(lines.items(), start=first):
        values = np.atleast_2d(np.asarray(values, dtype=float))
        if values.shape[1:] != x.shape:
            raise ValueError(
                f"{label!r} has the shape {values.shape}, possible is (runs, {len(x)}), a value for each x."
            )
        style = look(n)
        ax.plot(x, values.mean(axis=0), label=label, **style)
        if len(values) > 1:
            intervals = [mean_interval(column, level) for column in values.T]
            low, high = [i.low for i in intervals], [i.high for i in intervals]
            ax.fill_between(x, low, high, color=style["color"], alpha=0.18, linewidth=0)
    ax.legend(frameon=False)


def intervals(
    ax,
    rows: Mapping[str, np.ndarray],
    *,
    paper: Mapping[str, float] | None = None,
    level: float = 0.95,
    first: int = 0,
    shift: float = 0.0,
    label: str | None = None,
) -> None:
    """Draw one line a row: the mean of repeated runs as a mark, its Student t interval as a bar.

    Args:
        ax: matplotlib axes; the first row is drawn on top, and a line marks zero.
        rows: name to values ``(runs,)``; runs that diverged (NaN) leave their row without a bar.
        paper: the source's value by row name, drawn as a hollow mark of the same kind.
        level: the level of the interval.
        first: the number of this set of rows, which chooses its colour and marker.
        shift: how far below the row's place it is drawn, for several sets in one panel, in rows.
        label: what a legend calls this set.

    Raises:
        ValueError: there is no row, or the source's values belong to none of them.
    """
    from course_lib.metrics import mean_interval

    paper = dict(paper or {})
    if not rows or set(paper) - set(rows):
        raise ValueError(f"rows are {list(rows)}, and the source's values belong to {list(paper)}.")
    style = {**look(first), "linestyle": "none"}
    hollow = {**style, "markerfacecolor": "none", "color": style["color"]}
    for place, (name, values) in enumerate(rows.items()):
        values, y = np.asarray(values, dtype=float).reshape(-1), place + shift
        if len(values) > 1 and np.isfinite(values).all():
            found = mean_interval(values, level)
            ax.plot([found.low, found.high], [y, y], color=style["color"], linewidth=2.2, alpha=0.55)
        ax.plot(values.mean(), y, label=None if place else label, **style)
        if name in paper:
            ax.plot(paper[name], y, **hollow)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)


def image_grid(images, titles: Sequence[str] | None = None, columns: int = 8, *, side: float = 0.75):
    """A figure of images side by side, in rows.

    Args:
        images: ``(N, C, H, W)`` with 1 or 3 channels, or ``(N, H, W)``; uint8, or floating in [0, 1].
        titles: a short text above each image.
        columns: images in a row.
        side: the width of an image, in inches.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: the shape is none of these, or there are not as many titles as images.
    """
    columns = min(columns, max(len(images), 1))  # no images at all are refused below
    rows, line = -(-len(images) // columns), 1.35 if titles else 1.08
    fig, ax = figure(1.08 * columns * side, line * rows * side * images.shape[-2] / images.shape[-1])
    tile(ax, images, titles, columns)
    return fig


def tile(ax, images, titles: Sequence[str] | None = None, columns: int = 8) -> None:
    """Draw images side by side, in rows, on axes that are given; with the arguments of ``image_grid``."""
    pixels = _pixels(images)
    count, height, width, _ = pixels.shape
    titles = [""] * count if titles is None else list(titles)
    if len(titles) != count:
        raise ValueError(f"titles holds {len(titles)} texts, but there are {count} images.")
    across, head = 1.08 * width, 0.35 * height if any(titles) else 0.08 * height
    for n, (picture, title) in enumerate(zip(pixels, titles)):
        left, top = (n % columns) * across, (n // columns) * (height + head)
        ax.imshow(picture, extent=(left, left + width, top + height, top), interpolation="none")
        ax.text(left + width / 2, top - 0.05 * height, title, ha="center", va="bottom", fontsize=8.5)
    rows = -(-count // columns)
    ax.set_xlim(0, min(columns, count) * across - 0.08 * width)
    ax.set_ylim(rows * (height + head) - head, -head if any(titles) else 0)
    ax.axis("off")


def _pixels(images) -> np.ndarray:
    """The images as RGB floats in [0, 1], ``(N, H, W, 3)``."""
    array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] not in (1, 3) or len(array) == 0:
        raise ValueError(
            f"images have the shape {array.shape}, possible are (N, C, H, W), C 1 or 3, and (N, H, W)."
        )
    array = array / 255 if array.dtype == np.uint8 else np.clip(array.astype(float), 0, 1)
    return np.broadcast_to(array, (len(array), 3, *array.shape[2:])).transpose(0, 2, 3, 1)
