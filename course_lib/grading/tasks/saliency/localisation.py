"""saliency.localisation: boxes around what is left above a threshold (Rebuffi 2020, §2.5.3)."""

import torch
from torch import Tensor

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.saliency.wrong_localisation import MISCONCEPTIONS

Box = tuple[int, int, int, int]  # top, left, bottom, right; bottom and right are outside


def box_of(values: list[list[float]], threshold: float) -> Box:
    """The tightest box around the pixels that are at least so far up the range of the map."""
    low, high = min(min(row) for row in values), max(max(row) for row in values)
    kept = [
        (r, c)
        for r, row in enumerate(values)
        for c, value in enumerate(row)
        if value - low >= threshold * (high - low)
    ]
    rows, columns = [r for r, _ in kept], [c for _, c in kept]
    return min(rows), min(columns), max(rows) + 1, max(columns) + 1


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, by counting pixels."""

    def pixels(box: Box) -> set[tuple[int, int]]:
        return {(r, c) for r in range(box[0], box[2]) for c in range(box[1], box[3])}

    a, b = pixels(one), pixels(other)
    return len(a & b) / len(a | b)


def oracle(maps: Tensor, boxes: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Threshold by threshold and map by map."""
    table, accuracy = [], []
    for threshold in thresholds.tolist():
        row = [overlap(box_of(m[0], threshold), tuple(box)) for m, box in zip(maps.tolist(), boxes.tolist())]
        table.append(row)
        accuracy.append(sum(each > 0.5 for each in row) / len(row))
    return torch.tensor(table, dtype=torch.float64), torch.tensor(accuracy, dtype=torch.float64)


# --- inputs ----------------------------------------------------------------------------------

# The values of a map are multiples of 1/16 of its range, and ranges are powers of two.  So "at least" and
# "more than" differ, and whether a pixel stays is no matter of rounding.

SWEEP = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0)


def bumps(images: int, height: int, width: int, thresholds: tuple[float, ...] = SWEEP, kind: str = ""):
    """Maps that are high on an object, each with a range of its own, and the boxes of the objects.

    kind: "negative": all values are below 0; "flat": every other map is constant; "spots": a distant pixel is
        high as well; "apart": every other object is small and in a corner, its map high in the opposite one.
    """

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        size = torch.tensor([height, width])
        sides = 2 + (uniform(generator, images, 2) * (size / 2 - 1)).long()
        start = (uniform(generator, images, 2) * (size - sides + 1)).long()
        if kind == "apart":
            sides[::2], start[::2] = sides[::2].clamp(max=3), 0
        boxes = torch.cat([start, start + sides], dim=1)
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        maps = []
        for (top, left, bottom, right), tall in zip(boxes.tolist(), uniform(generator, images)):
            far = ((2 * rows + 1 - top - bottom) / (bottom - top)).abs() ** 2
            far = far + ((2 * columns + 1 - left - right) / (right - left)).abs() ** 2
            maps.append((-(0.3 + 0.6 * tall) * far).exp() + 0.09 * normal(generator, height, width))
        maps = torch.stack(maps)[:, None]
        if kind == "spots":
            for one, (top, left, _, _) in zip(maps[:, 0], boxes.tolist()):
                one[-1 if top < height / 3 else 0, -1 if left < width / 3 else 0] = one.max() - 0.15
        if kind == "apart":
            maps[::2] = maps[::2].flip(2, 3)
        low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
        maps = (16 * (maps - low) / (high - low)).round() / 16
        ranges = 2.0 ** torch.randint(-2, 3, (images, 1, 1, 1), generator=generator)
        shift = (4 * normal(generator, images, 1, 1, 1)).round() / 8
        maps = ranges * maps + (-ranges - 0.125 - shift.abs() if kind == "negative" else shift)
        if kind == "flat":
            maps[::2] = 0.25 * torch.arange(len(maps[::2]))[:, None, None, None]
        return {"maps": maps, "boxes": boxes, "thresholds": torch.tensor(thresholds, dtype=torch.float64)}

    return make


def half_of_it(generator: torch.Generator) -> dict[str, Tensor]:
    """What is found is exactly half of the object's box, twice it, and a little more than half."""
    maps = torch.zeros(3, 1, 5, 8, dtype=torch.float64)
    maps[0, 0, 1:3, 2:4], maps[1, 0, 0:4, 1:5], maps[2, 0, 1:4, 2:7] = 4.0, 2.0, 1.0
    boxes = torch.tensor([[1, 2, 3, 6], [0, 1, 2, 5], [1, 1, 5, 8]])
    return {"maps": maps, "boxes": boxes, "thresholds": torch.tensor([0.25, 0.75], dtype=torch.float64)}


TASK = Task(
    id="saliency.localisation",
    title="A box from a map, and the threshold it needs",
    difficulty=3,
    minutes=30,
    points=3,
    function="localisation_sweep",
    takes={"maps": "(B, 1, H, W)", "boxes": "(B, 4)", "thresholds": "(T,)"},
    gives={"iou": "(T, B)", "accuracy": "(T,)"},
    hints=(
        "Take one map and one threshold: which rows still hold a pixel, which columns? "
        "The first and the last of them are the box. "
        "Then ask what becomes of two boxes that do not meet.",
        "kept     = pixels with m - min ≥ t · (max - min),   min and max of this map\n"
        "box      = (first row, first column, last row + 1, last column + 1) of kept\n"
        "both     = max(0, smaller bottom - larger top) · max(0, smaller right - larger left)\n"
        "iou      = both / (area of one + area of the other - both)\n"
        "accuracy = part of the maps with iou > 0.5, for each t",
        "up <- maps minus their smallest value, map by map                  # (B, H, W)\n"
        "for each threshold t:\n"
        "  kept    <- up >= t * (largest of up, map by map)                 # (B, H, W)\n"
        "  rows    <- whether a row of kept holds a pixel; columns too      # (B, H), (B, W)\n"
        "  top, left     <- the first of rows, of columns\n"
        "  bottom, right <- the last of them, plus 1\n"
        "  both    <- height times width of what is common, each at least 0\n"
        "  iou[t]  <- both over (found area + true area - both)             # (B,)\n"
        "  accuracy[t] <- mean of iou[t] > 0.5",
    ),
    oracle=oracle,
    tolerance=1e-5,  # successes may be counted in float32
    cases=(
        Case("5 maps of 8×12 pixels", bumps(5, 8, 12)),
        Case("4 maps of 9×9 pixels that are negative everywhere", bumps(4, 9, 9, kind="negative")),
        Case("4 maps with a spot far from the object", bumps(4, 10, 7, (0.25, 0.5, 0.9375), kind="spots")),
        Case("4 maps of which two are constant", bumps(4, 6, 9, (0.0, 0.5, 1.0), kind="flat")),
        Case("boxes that overlap by exactly a half", half_of_it),
        Case("6 maps, half of them high elsewhere", bumps(6, 11, 8, (0.5, 0.75), kind="apart")),
        Case("1 map and 1 threshold", bumps(1, 7, 5, (0.375,))),
        Case("5 maps in float32", bumps(5, 6, 10), dtype=torch.float32),
    ),
    large=Case("40 maps of 16×16 pixels", bumps(40, 16, 16)),
    misconceptions=MISCONCEPTIONS,
)
