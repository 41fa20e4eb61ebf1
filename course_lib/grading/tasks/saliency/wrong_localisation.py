"""Wrong answers to saliency.localisation, each a right one with a wrong piece."""

import torch

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.localisation_pieces import (
    area,
    common,
    from_the_top,
    inside,
    largest_part,
    more_than,
    normalised,
    of_pixels,
    part_of_the_range,
    quantile,
    range_of_the_batch,
    sweeping,
    tightest,
    unclamped,
    with_ones,
    without_taking_apart,
)

THRESHOLDS = (
    Misconception(
        "more than the threshold",
        sweeping(kept=more_than),
        "Pixels exactly at the threshold are dropped. Keep them: compare with >=. "
        "Then the highest pixel is always left, and a box can be drawn.",
    ),
    Misconception(
        "values as they are",
        sweeping(kept=lambda maps, t: maps >= t),
        "The threshold is compared with the values themselves, whose scale differs from map to map. "
        "It is a part of each map's range, from its smallest to its largest value.",
    ),
    Misconception(
        "part of the largest value",
        sweeping(kept=lambda maps, t: maps >= t * maps.amax((1, 2), keepdim=True)),
        "The threshold is a part of the largest value, which is not the range where the smallest is not 0. "
        "Subtract the smallest value of the map first.",
    ),
    Misconception(
        "range of the batch",
        sweeping(kept=range_of_the_batch),
        "Smallest and largest value are those of the whole batch, so one strong map empties the others. "
        "Take them map by map.",
    ),
    Misconception(
        "quantile",
        sweeping(kept=quantile),
        "The threshold is taken as a quantile: it keeps a fixed number of pixels. "
        "Here it is a part of the range between the smallest and the largest value.",
    ),
    Misconception(
        "counted from the top",
        sweeping(kept=from_the_top),
        "The threshold is counted from the largest value down. "
        "At 0 all pixels stay and at 1 only the highest.",
    ),
    Misconception(
        "what is below",
        sweeping(kept=lambda maps, t: ~part_of_the_range(maps, t)),
        "The box is around what lies below the threshold. Keep what is at least as large.",
    ),
    Misconception(
        "constant maps keep nothing",
        sweeping(kept=normalised),
        "A constant map is divided by its range, which is 0, and all its pixels are lost. "
        "Compare m - min with t · (max - min), without a division: then all of them stay.",
    ),
)

BOXES = (
    Misconception(
        "largest part only",
        sweeping(box=largest_part),
        "The box is around the largest connected part. Here it is around all pixels that are left.",
    ),
    Misconception(
        "last row and column lost",
        sweeping(box=inside),
        "Bottom and right are the last row and column themselves. They lie outside the box: add 1 to both.",
    ),
    Misconception(
        "rows and columns swapped",
        sweeping(box=lambda kept: tightest(kept)[:, [1, 0, 3, 2]]),
        "The box found is (left, top, right, bottom). The true ones are (top, left, bottom, right), rows "
        "first.",
    ),
    Misconception(
        "height and width",
        sweeping(box=lambda kept: torch.cat([(b := tightest(kept))[:, :2], b[:, 2:] - b[:, :2]], dim=1)),
        "The box found is (top, left, height, width). Its last two numbers are places: bottom and right.",
    ),
    Misconception(
        "whole image",
        sweeping(box=lambda kept: tightest(torch.ones_like(kept))),
        "The box is the whole image, whatever the threshold. Put it around the pixels that are left.",
    ),
)

OVERLAPS = (
    Misconception(
        "one added to every side",
        sweeping(iou=with_ones),
        "One is added to each side, as for boxes whose bottom and right lie inside. Here they lie outside.",
    ),
    Misconception(
        "part of the true box",
        sweeping(iou=lambda a, b: common(a, b) / area(b)),
        "The intersection is divided by the true box, so a box around the whole image is perfect. "
        "Divide by the union.",
    ),
    Misconception(
        "part of the found box",
        sweeping(iou=lambda a, b: common(a, b) / area(a)),
        "The intersection is divided by the found box, so a single pixel on the object is perfect. "
        "Divide by the union.",
    ),
    Misconception(
        "part of the smaller box",
        sweeping(iou=lambda a, b: common(a, b) / torch.minimum(area(a), area(b))),
        "The intersection is divided by the smaller box. Divide by the union.",
    ),
    Misconception(
        "both areas",
        sweeping(iou=without_taking_apart),
        "The intersection is divided by the sum of both areas, in which it counts twice. Subtract it once.",
    ),
    Misconception(
        "Dice",
        sweeping(iou=lambda a, b: 2 * without_taking_apart(a, b)),
        "This is the Dice coefficient, twice the intersection over the sum of the areas. "
        "Divide the intersection by the union.",
    ),
    Misconception(
        "boxes that do not meet",
        sweeping(iou=unclamped),
        "Of boxes that do not meet, height and width of the intersection are negative, and their product is "
        "not. "
        "Set each to at least 0 before you multiply.",
    ),
    Misconception(
        "pixels instead of the box",
        of_pixels,
        "The pixels that are left are compared with the true box. Put a box around them first.",
    ),
)

ACCURACIES = (
    Misconception(
        "a half is enough",
        sweeping(accuracy=lambda iou, thresholds: (iou >= 0.5).double().mean(1)),
        "An overlap of exactly a half counts as found. It has to be more: compare with >.",
    ),
    Misconception(
        "mean overlap",
        sweeping(accuracy=lambda iou, thresholds: iou.mean(1)),
        "The second result is the mean overlap. Return the part of the maps whose overlap is above a half.",
    ),
    Misconception(
        "number of successes",
        sweeping(accuracy=lambda iou, thresholds: (iou > 0.5).double().sum(1)),
        "The second result is a number of maps. Divide it by how many there are.",
    ),
    Misconception(
        "a threshold for each map",
        sweeping(accuracy=lambda iou, thresholds: (iou.amax(0) > 0.5).double().mean().expand(len(iou))),
        "Each map gets the threshold that suits it best, which only the true box can tell. "
        "One threshold holds for all maps; give the accuracy of each.",
    ),
    Misconception(
        "overlap above the threshold",
        sweeping(accuracy=lambda iou, thresholds: (iou > thresholds[:, None]).double().mean(1)),
        "The overlap is compared with the threshold of the map. These are two things: "
        "the overlap has to be above a half, always.",
    ),
    Misconception(
        "best threshold only",
        sweeping(accuracy=lambda iou, thresholds: (iou > 0.5).double().mean(1).amax()),
        "The second result is the best accuracy alone. Return one for each threshold.",
    ),
    Misconception(
        "maps before thresholds",
        sweeping(final=lambda iou, accuracy: (iou.T, accuracy)),
        "The table of overlaps has a row for each map. Give it a row for each threshold: (T, B).",
    ),
)

MISCONCEPTIONS = THRESHOLDS + BOXES + OVERLAPS + ACCURACIES
