"""Figures: one palette, an alternative text for each, readable on light and on dark pages."""

from course_lib.plots.display import report, show, svg
from course_lib.plots.figures import curves, image_grid, intervals, tile
from course_lib.plots.style import DASHES, INK, MARKERS, PALETTE, contrast, figure, look

__all__ = [
    "DASHES",
    "INK",
    "MARKERS",
    "PALETTE",
    "contrast",
    "curves",
    "figure",
    "image_grid",
    "intervals",
    "look",
    "report",
    "show",
    "svg",
    "tile",
]
