"""The figures that several chapters draw: curves with their intervals, and grids of images."""

from collections.abc import Mapping, Sequence

import numpy as np

from course_lib.plots.style import figure, look


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
    columns = min(columns, len(images))
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
