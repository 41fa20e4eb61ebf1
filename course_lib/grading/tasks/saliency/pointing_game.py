"""saliency.pointing_game: does a map point at the object?  (Rebuffi 2020, Chapter 8, supplement A.)"""

import math
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.nan_apart import as_tensor, is_missing, nan_apart
from course_lib.grading.tasks.saliency.pointed_scenes import pointed
from course_lib.grading.tasks.saliency.wrong_pointing_game import MISCONCEPTIONS


def enlarged(cells: list[list[float]], height: int, width: int) -> list[list[float]]:
    """Bilinear: a cell's value stands in the middle of its pixels; outside the outer middles nothing "
    "changes."""

    def between(pixel: int, pixels: int, count: int) -> tuple[int, int, float]:
        place = min(max((pixel + 0.5) * count / pixels - 0.5, 0.0), count - 1.0)
        return int(place), min(int(place) + 1, count - 1), place - int(place)

    rows = []
    for row in range(height):
        upper, lower, down = between(row, height, len(cells))
        rows.append([])
        for column in range(width):
            left, right, across = between(column, width, len(cells[0]))
            above = (1 - across) * cells[upper][left] + across * cells[upper][right]
            below = (1 - across) * cells[lower][left] + across * cells[lower][right]
            rows[-1].append((1 - down) * above + down * below)
    return rows


def highest(values: list[list[float]]) -> tuple[int, int]:
    """The place of the largest value, the first in reading order of equal ones."""
    best = (0, 0)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if value > values[best[0]][best[1]]:
                best = (row, column)
    return best


def is_hit(point: tuple[int, int], mask: list[list[bool]], tolerance: float) -> bool:
    """Whether some pixel of the mask is closer to the point than the tolerance."""
    for row, line in enumerate(mask):
        for column, inside in enumerate(line):
            if inside and (row - point[0]) ** 2 + (column - point[1]) ** 2 < tolerance**2:
                return True
    return False


def oracle(
    maps: Tensor, masks: Tensor, classes: Tensor, tolerance: float, subset: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Pair by pair: enlarge, point, hit or miss; then class by class; then the mean of the classes."""
    count, (height, width) = masks.shape[1], masks.shape[2:]
    hits, pairs = [0] * count, [0] * count
    for number, k in enumerate(classes.tolist()):
        if subset is not None and not subset[number]:
            continue
        point = highest(enlarged(maps[number, 0].tolist(), height, width))
        hits[k] += is_hit(point, masks[number, k].tolist(), tolerance)
        pairs[k] += 1
    per_class = [h / n if n else math.nan for h, n in zip(hits, pairs)]
    known = [accuracy for accuracy in per_class if not math.isnan(accuracy)]
    mean = torch.tensor(sum(known) / len(known), dtype=torch.float64)
    return *nan_apart(torch.tensor(per_class, dtype=torch.float64)), mean


def use(
    answer: Any,
    maps: Tensor,
    masks: Tensor,
    classes: Tensor,
    tolerance: float,
    subset: Tensor | None = None,
) -> Any:
    """Play, and tell where an accuracy is NaN from the accuracies."""
    given = (maps, masks, classes, tolerance)
    result = answer(*given) if subset is None else answer(*given, subset)
    if is_missing(result):
        return result
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Unfit("The result must be a tuple of two, per_class and mean")
    per_class, mean = (as_tensor(name, each, maps) for name, each in zip(("per_class", "mean"), result))
    return *nan_apart(per_class), mean


# Rows and columns from the point to the object: well within the tolerance, just within, just as far, too far.
AROUND_5 = ((0, 0), (4, 2), (3, 4), (5, 0), (4, 4), (1, 1), (0, 5), (3, 3), (0, 4), (5, 4))
AROUND_3 = ((0, 0), (2, 1), (2, 2), (3, 0), (0, 2), (0, 3), (1, 1), (3, 1), (2, 0), (2, 3))

TASK = Task(
    id="saliency.pointing_game",
    title="The pointing game",
    difficulty=3,
    minutes=35,
    points=4,
    function="pointing_game",
    takes={
        "maps": "(B, 1, h, w)",
        "masks": "(B, K, H, W)",
        "classes": "(B,)",
        "tolerance": "number",
        "subset": "(B,) = None",
    },
    gives={"number of NaNs in per_class": "(K,)", "per_class": "(K,)", "mean": "scalar"},
    written="pointing_game(maps, masks, classes, tolerance, subset=None) -> per_class (K,), mean",
    use=use,
    hints=(
        "Do one pair first: where does its map point, in pixels of the image, and how far is the object "
        "from there? "
        "Then think of the mean: a class with a thousand pairs and one with ten shall count alike.",
        "point = place of the largest value of the map, enlarged to (H, W); the first of equal ones\n"
        "hit   = some pixel of the mask of the own class has (row - point row)² + (column - point column)² "
        "< tolerance²\n"
        "per_class[k] = hits / pairs, over the pairs of class k (in the subset); NaN if there are none\n"
        "mean  = mean of per_class, over the classes that have pairs",
        "large  <- maps enlarged to (H, W), bilinear, align_corners=False    # (B, 1, H, W)\n"
        "place  <- argmax of each, flattened                                 # (B,)\n"
        "row, column <- place // W, place % W\n"
        "d2     <- (0 .. H-1 minus row)² as a column + (0 .. W-1 minus column)² as a row   # (B, H, W)\n"
        "own    <- of each pair the mask of its class                        # (B, H, W)\n"
        "hit    <- whether own holds a pixel with d2 < tolerance²            # (B,)\n"
        "for each class k:\n"
        "  per_class[k] <- mean of hit over the pairs with class k that are in the subset\n"
        "return per_class, its mean without the NaNs",
    ),
    oracle=oracle,
    tolerance=1e-5,  # hits may be counted in float32
    cases=(
        Case(
            "12 pairs of 3 classes on images of 16×32 pixels",
            pointed("012012012012", (4, 8), (16, 32), 5, AROUND_5),
        ),
        Case("classes of 9, 3 and 1 pairs", pointed("0010201000010", (8, 4), (32, 16), 5, AROUND_5)),
        Case(
            "a class that no pair asks for, and maps of 3×5 cells",
            pointed("031103311030", (3, 5), (8, 16), 2.5, AROUND_3, count=5),
        ),
        Case(
            "a subset that leaves a class without pairs",
            pointed("0120210021210120", (4, 4), (16, 8), 3, AROUND_3, subset="1101010100011101"),
        ),
        Case(
            "maps as large as the images, some of them constant",
            pointed("011100110101", (8, 16), (8, 16), 2.5, AROUND_3, kind="flat"),
        ),
        Case(
            "maps that are negative everywhere",
            pointed("0120120101", (5, 3), (16, 8), 2.5, AROUND_3, kind="negative"),
        ),
        Case(
            "maps whose largest value stands in several places",
            pointed("1010110100", (16, 8), (16, 8), 3, AROUND_3, kind="twice"),
        ),
        Case(
            "10 pairs in float32", pointed("1022110201", (5, 3), (16, 16), 2.5, AROUND_3), dtype=torch.float32
        ),
    ),
    large=Case("45 pairs on images of 16×32 pixels", pointed("012" * 15, (4, 8), (16, 32), 5, AROUND_5)),
    misconceptions=MISCONCEPTIONS,
)
