"""Where maps point: the pointing game, and boxes around what is left above a threshold.

A map is (B, 1, H, W), one for each pair of an image and a class in it; masks are bool.
Places are (row, column) in pixels.

``pointing``  the highest point on the object or beside it (Rebuffi 2020, Chapter 8), and the map's mass in it
``resizing``  maps at the size of the picture
``boxes``     the tightest box around what remains of a thresholded map (Rebuffi 2020, §2.5.3)
"""

from course_lib.localisation.boxes import (
    ThresholdSearch,
    best_threshold,
    box_of_map,
    boxes_of,
    iou,
    localisation_accuracy,
    overlaps,
)
from course_lib.localisation.pointing import (
    PointingScore,
    difficult,
    energy_inside,
    hit,
    hits,
    peaks,
    pointing_game,
    pointing_score,
)
from course_lib.localisation.resizing import to_size

__all__ = [
    "PointingScore",
    "ThresholdSearch",
    "best_threshold",
    "box_of_map",
    "boxes_of",
    "difficult",
    "energy_inside",
    "hit",
    "hits",
    "iou",
    "localisation_accuracy",
    "overlaps",
    "peaks",
    "pointing_game",
    "pointing_score",
    "to_size",
]
