"""Wrong answers to saliency.localisation: a right one in pieces, and each wrong one replaces a piece."""

import torch
from scipy import ndimage
from torch import Tensor

from course_lib.grading.task import Misconception


def part_of_the_range(maps: Tensor, t: Tensor) -> Tensor:
    """What is kept, (B, H, W)."""
    up = maps - maps.amin((1, 2), keepdim=True)
    return up >= t * up.amax((1, 2), keepdim=True)


def tightest(kept: Tensor) -> Tensor:
    """(B, 4): top, left, bottom, right; all 0 where nothing is kept."""
    ends = []
    for line in (kept.any(2), kept.any(1)):
        first, last = line.int().argmax(1), line.shape[1] - line.flip(1).int().argmax(1)
        ends.append((first, torch.where(line.any(1), last, 0)))
    (top, bottom), (left, right) = ends
    return torch.stack([top, left, bottom, right], dim=1)


def area(box: Tensor) -> Tensor:
    return (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])


def common(a: Tensor, b: Tensor, least: float = 0) -> Tensor:
    """Pixels that two boxes share."""
    height = torch.minimum(a[:, 2], b[:, 2]) - torch.maximum(a[:, 0], b[:, 0])
    width = torch.minimum(a[:, 3], b[:, 3]) - torch.maximum(a[:, 1], b[:, 1])
    return height.clamp(min=least) * width.clamp(min=least)


def over_union(a: Tensor, b: Tensor) -> Tensor:
    both = common(a, b)
    return both / (area(a) + area(b) - both)


def success(iou: Tensor, thresholds: Tensor) -> Tensor:
    return (iou > 0.5).double().mean(1)


def sweeping(
    kept=part_of_the_range, box=tightest, iou=over_union, accuracy=success, final=lambda iou, accuracy: (iou, accuracy)
):
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(maps, boxes, thresholds):
        found = [box(kept(maps[:, 0], t)) for t in thresholds]
        table = torch.stack([iou(each, boxes).double() for each in found])
        return final(table, accuracy(table, thresholds))

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def more_than(maps: Tensor, t: Tensor) -> Tensor:
    up = maps - maps.amin((1, 2), keepdim=True)
    return up > t * up.amax((1, 2), keepdim=True)


def range_of_the_batch(maps: Tensor, t: Tensor) -> Tensor:
    return maps - maps.min() >= t * (maps.max() - maps.min())


def normalised(maps: Tensor, t: Tensor) -> Tensor:
    """0 / 0 in a constant map, which is not at least anything."""
    up = maps - maps.amin((1, 2), keepdim=True)
    return up / up.amax((1, 2), keepdim=True) >= t


def quantile(maps: Tensor, t: Tensor) -> Tensor:
    return maps >= maps.flatten(1).quantile(t.to(maps.dtype), dim=1)[:, None, None]


def from_the_top(maps: Tensor, t: Tensor) -> Tensor:
    return part_of_the_range(maps, 1 - t)


def largest_part(kept: Tensor) -> Tensor:
    parts = []
    for one in kept.cpu().numpy():
        labels, count = ndimage.label(one)
        sizes = ndimage.sum_labels(one, labels, range(1, count + 1))
        parts.append(torch.from_numpy(labels == 1 + sizes.argmax()))
    return tightest(torch.stack(parts).to(kept.device))


def inside(kept: Tensor) -> Tensor:
    """The last row and column as they are counted, so that they fall out of the box."""
    return tightest(kept) - torch.tensor([0, 0, 1, 1], device=kept.device)


def with_ones(a: Tensor, b: Tensor) -> Tensor:
    """As if bottom and right lay inside the boxes."""
    one = torch.tensor([0, 0, 1, 1], device=a.device)
    return over_union(a + one, b + one)


def without_taking_apart(a: Tensor, b: Tensor) -> Tensor:
    return common(a, b) / (area(a) + area(b))


def unclamped(a: Tensor, b: Tensor) -> Tensor:
    both = common(a, b, least=-torch.inf)
    return both / (area(a) + area(b) - both)


def of_pixels(maps: Tensor, boxes: Tensor, thresholds: Tensor):
    rows, columns = torch.arange(maps.shape[2], device=maps.device), torch.arange(maps.shape[3], device=maps.device)
    top, left, bottom, right = (end[:, None] for end in boxes.T)
    true = ((rows >= top) & (rows < bottom))[:, :, None] & ((columns >= left) & (columns < right))[:, None]
    table = []
    for t in thresholds:
        kept = part_of_the_range(maps[:, 0], t)
        table.append((kept & true).sum((1, 2)).double() / (kept | true).sum((1, 2)))
    return torch.stack(table), success(torch.stack(table), thresholds)


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
        "The threshold is counted from the largest value down. At 0 all pixels stay and at 1 only the highest.",
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
        "The box found is (left, top, right, bottom). The true ones are (top, left, bottom, right), rows first.",
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
        "Of boxes that do not meet, height and width of the intersection are negative, and their product is not. "
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
