"""Wrong answers to saliency.pointing_game: a right one in pieces, and each wrong one replaces a piece."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from course_lib.grading.task import Misconception


def bilinear(maps: Tensor, size: tuple[int, int], **how) -> Tensor:
    return interpolate(maps, tuple(size), **({"mode": "bilinear", "align_corners": False} | how))


def peak(large: Tensor) -> tuple[Tensor, Tensor]:
    place = large.flatten(1).argmax(1)
    return place // large.shape[3], place % large.shape[3]


def own_mask(masks: Tensor, classes: Tensor) -> Tensor:
    return masks[torch.arange(len(masks), device=masks.device), classes]


def steps_to(mask: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """How many rows and columns each pixel is away, (B, H, 1) and (B, 1, W)."""
    rows, columns = (torch.arange(n, device=mask.device) for n in mask.shape[1:])
    return (rows - row[:, None]).abs()[:, :, None], (columns - column[:, None]).abs()[:, None, :]


def near(rows: Tensor, columns: Tensor, tolerance: float) -> Tensor:
    return rows**2 + columns**2 < tolerance**2


def by_class(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    counts = torch.ones_like(hit) if subset is None else subset
    return torch.stack([hit[counts & (classes == k)].double().mean() for k in range(count)])


def game(
    point=lambda maps, size: peak(bilinear(maps, size)),
    region=own_mask,
    within=near,
    touched=None,
    per_class=by_class,
    joined=lambda per_class, hit, subset: per_class.nanmean(),
    subset_of=lambda subset: subset,
):
    """An answer from its pieces; each argument is one thing to get wrong."""

    def closest(mask, row, column, tolerance):
        return (within(*steps_to(mask, row, column), tolerance) & mask).flatten(1).any(1)

    def answer(maps, masks, classes, tolerance, subset=None):
        row, column = point(maps, masks.shape[2:])
        hit = (touched or closest)(region(masks, classes), row, column, tolerance)
        subset = subset_of(subset)
        found = per_class(hit, classes, masks.shape[1], subset)
        return found, joined(found, hit, subset)

    return answer


# --- pieces that are wrong: where a map points -------------------------------------------------


def first_then_scaled(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    return tuple(at * n // cells for at, n, cells in zip(peak(maps), size, maps.shape[2:]))


def middle_of_the_cell(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    return tuple((at + 0.5) * n / cells - 0.5 for at, n, cells in zip(peak(maps), size, maps.shape[2:]))


def rows_of_height(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    place = bilinear(maps, size).flatten(1).argmax(1)
    return place // size[0], place % size[0]


def column_by_column(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    place = bilinear(maps, size).mT.flatten(1).argmax(1)
    return place % size[0], place // size[0]


def last_of_equals(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    large = bilinear(maps, size).flatten(1)
    place = large.shape[1] - 1 - large.flip(1).argmax(1)
    return place // size[1], place % size[1]


def middle_if_constant(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    flat = (maps == maps[..., :1, :1]).flatten(1).all(1)
    return tuple(
        at.where(~flat, torch.full_like(at, n // 2)) for at, n in zip(peak(bilinear(maps, size)), size)
    )


def centre_of_mass(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    weight = bilinear(maps, size)[:, 0]
    weight = weight - weight.amin((1, 2), keepdim=True) + 1e-9
    rows, columns = (torch.arange(n, device=maps.device, dtype=maps.dtype) for n in size)
    total = weight.sum((1, 2))
    return (weight.sum(2) @ rows) / total, (weight.sum(1) @ columns) / total


# --- pieces that are wrong: what is a hit ------------------------------------------------------


def box_around(mask: Tensor) -> Tensor:
    """The mask filled up to its tightest box."""

    def filled(line: Tensor) -> Tensor:
        return (line.cumsum(1) > 0) & (line.flip(1).cumsum(1).flip(1) > 0)

    return filled(mask.any(2))[:, :, None] & filled(mask.any(1))[:, None, :]


def to_the_middle(mask: Tensor, row: Tensor, column: Tensor, tolerance: float) -> Tensor:
    rows, columns = (torch.arange(n, device=mask.device).double() for n in mask.shape[1:])
    area = mask.sum((1, 2))
    middle = (mask.sum(2).double() @ rows) / area, (mask.sum(1).double() @ columns) / area
    return (middle[0] - row) ** 2 + (middle[1] - column) ** 2 < tolerance**2


def shrunk(maps: Tensor, masks: Tensor, classes: Tensor, tolerance: float, subset: Tensor | None = None):
    """Everything at the size of the map, the tolerance too."""
    small = interpolate(masks.double(), maps.shape[2:], mode="area") > 0
    scale = masks.shape[3] / maps.shape[3]
    return game(point=lambda maps, _: peak(maps))(maps, small, classes, tolerance / scale, subset)


def any_of_the_highest(maps: Tensor, masks: Tensor, classes: Tensor, tolerance: float, subset=None):
    large = bilinear(maps, masks.shape[2:])
    top = large == large.amax((2, 3), keepdim=True)
    hit = torch.zeros_like(classes, dtype=torch.bool)
    for number, row, column in zip(*(each.tolist() for each in top[:, 0].nonzero(as_tuple=True))):
        place = torch.tensor([row], device=maps.device), torch.tensor([column], device=maps.device)
        mask = own_mask(masks, classes)[number : number + 1]
        hit[number] |= (near(*steps_to(mask, *place), tolerance) & mask).any()
    found = by_class(hit, classes, masks.shape[1], subset)
    return found, found.nanmean()


# --- pieces that are wrong: the accuracies -----------------------------------------------------


def pooled(per_class: Tensor, hit: Tensor, subset: Tensor | None) -> Tensor:
    return (hit if subset is None else hit[subset]).double().mean()


def others_miss(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    return by_class(hit if subset is None else hit & subset, classes, count, None)


def share_of_all(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    counts = torch.ones_like(hit) if subset is None else subset
    share = torch.stack([(hit & counts & (classes == k)).sum() / counts.sum() for k in range(count)]).double()
    return share.where(~by_class(hit, classes, count, subset).isnan(), torch.nan)


def numbers_of_hits(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    return by_class(hit, classes, count, subset) * torch.stack(
        [((classes == k) & (True if subset is None else subset)).sum() for k in range(count)]
    )


POINTS = (
    Misconception(
        "rows and columns swapped",
        game(point=lambda maps, size: peak(bilinear(maps, size))[::-1]),
        "Row and column of the point are swapped. The first axis of a map is its rows: place // W is the row.",
    ),
    Misconception(
        "divided by the height",
        game(point=rows_of_height),
        "The place is divided by the height. A row holds W pixels: row = place // W, column = place % W.",
    ),
    Misconception(
        "columns first",
        game(point=column_by_column),
        "Of equal values the first is taken going down the columns. Go along the rows, as flatten does.",
    ),
    Misconception(
        "last of equals",
        game(point=last_of_equals),
        "Of equal values the last one is taken. Take the first in reading order; a constant map points at its corner.",
    ),
    Misconception(
        "constant maps point at the middle",
        game(point=middle_if_constant),
        "A constant map points at the middle here, and there many objects are. "
        "It knows nothing and should not be rewarded: it points at its first pixel, like any argmax.",
    ),
    Misconception(
        "any of the highest places",
        any_of_the_highest,
        "All places that share the largest value may score. One point is asked for: the first of them.",
    ),
    Misconception(
        "not enlarged",
        game(point=lambda maps, size: peak(maps)),
        "The point is counted in cells of the small map, the mask in pixels. Enlarge the map to (H, W) first.",
    ),
    Misconception(
        "point first, scaled after",
        game(point=first_then_scaled),
        "You take the largest cell and scale its place, which gives the corner of the cell. "
        "Enlarge the map first, then look for the largest value.",
    ),
    Misconception(
        "middle of the largest cell",
        game(point=middle_of_the_cell),
        "You take the middle of the largest cell, which need not be a pixel. "
        "Enlarge the map first: the neighbours decide which of its pixels is the highest.",
    ),
    Misconception(
        "corners aligned",
        game(point=lambda maps, size: peak(bilinear(maps, size, align_corners=True))),
        "The map is enlarged with align_corners=True, which stretches it towards the borders. "
        "Use align_corners=False: then each cell stays over its own pixels.",
    ),
    Misconception(
        "nearest",
        game(point=lambda maps, size: peak(bilinear(maps, size, mode="nearest", align_corners=None))),
        "The map is enlarged with mode='nearest', the default of interpolate: each cell becomes a flat block, and its "
        "first pixel wins. Use mode='bilinear'.",
    ),
    Misconception(
        "bicubic",
        game(point=lambda maps, size: peak(bilinear(maps, size, mode="bicubic"))),
        "The map is enlarged with cubic curves, which overshoot between cells. Use mode='bilinear'.",
    ),
    Misconception(
        "masks shrunk",
        shrunk,
        "The masks are shrunk to the size of the map, where an object may be less than a cell. Enlarge the map.",
    ),
    Misconception(
        "largest magnitude",
        game(point=lambda maps, size: peak(bilinear(maps, size).abs())),
        "The largest magnitude is taken, and a strongly negative place speaks against the class. Leave the signs.",
    ),
    Misconception(
        "smallest value",
        game(point=lambda maps, size: peak(-bilinear(maps, size))),
        "The map points at its smallest value. Use argmax.",
    ),
    Misconception(
        "centre of mass",
        game(point=centre_of_mass),
        "The map points at its centre of mass. The game asks for its highest point.",
    ),
)

HITS = (
    Misconception(
        "tolerance as a box",
        game(within=lambda rows, columns, tolerance: torch.maximum(rows, columns) < tolerance),
        "The larger of row and column distance is compared, so the tolerance is a square. "
        "It is a circle: add the squares.",
    ),
    Misconception(
        "tolerance along the axes",
        game(within=lambda rows, columns, tolerance: rows + columns < tolerance),
        "Row and column distance are added up. Distance is Euclid's: add their squares, and compare with tolerance².",
    ),
    Misconception(
        "at the tolerance is a hit",
        game(within=lambda rows, columns, tolerance: rows**2 + columns**2 <= tolerance**2),
        "A distance of exactly the tolerance counts as a hit. It is a miss: compare with <, not with <=.",
    ),
    Misconception(
        "tolerance not squared",
        game(within=lambda rows, columns, tolerance: rows**2 + columns**2 < tolerance),
        "A squared distance is compared with the tolerance. Square the tolerance as well.",
    ),
    Misconception(
        "no tolerance",
        game(within=lambda rows, columns, tolerance: rows + columns < 1),
        "Only points inside the mask score. Points that are closer to it than the tolerance do so, too.",
    ),
    Misconception(
        "box around the object",
        game(region=lambda masks, classes: box_around(own_mask(masks, classes))),
        "The distance is that to the box around the object. Measure it to the pixels of the mask.",
    ),
    Misconception(
        "middle of the object",
        game(touched=to_the_middle),
        "The distance is that to the middle of the object. Measure it to the closest pixel of the mask.",
    ),
    Misconception(
        "any object",
        game(region=lambda masks, classes: masks.any(1)),
        "A point on any object scores. Only the mask of the class that the map explains counts.",
    ),
    Misconception(
        "another object",
        game(region=lambda masks, classes: own_mask(masks, (classes + 1) % masks.shape[1])),
        "The mask is that of the next class. Classes count from 0, as the axis of the masks does.",
    ),
)

ACCURACIES = (
    Misconception(
        "pooled",
        game(joined=pooled),
        "The mean is over all pairs, so frequent classes decide it. "
        "Take the accuracy of each class first, then the mean over the classes.",
    ),
    Misconception(
        "a class without pairs counts 0",
        game(
            per_class=lambda *given: by_class(*given).nan_to_num(nan=0.0),
            joined=lambda per_class, *_: per_class.mean(),
        ),
        "A class without pairs gets accuracy 0, as if it had been missed. It was not asked for: NaN, and no part "
        "of the mean.",
    ),
    Misconception(
        "absent only from the list",
        game(joined=lambda per_class, *_: per_class.nansum() / len(per_class)),
        "The mean divides by the number of all classes. Divide by the number of those that have pairs.",
    ),
    Misconception(
        "NaN spreads",
        game(joined=lambda per_class, *_: per_class.mean()),
        "One class without pairs makes the mean NaN. Leave such classes out of it.",
    ),
    Misconception(
        "only classes that occur",
        game(per_class=lambda *given: (lambda found: found[~found.isnan()])(by_class(*given))),
        "per_class holds only the classes that have pairs, so its places are no longer the classes. "
        "Give one number for each of the K classes, NaN where there are no pairs.",
    ),
    Misconception(
        "subset ignored",
        game(subset_of=lambda subset: None),
        "The subset is ignored. Only the pairs for which it is true count, as hits and as misses.",
    ),
    Misconception(
        "left out means missed",
        game(per_class=others_miss),
        "Pairs outside the subset count as misses. They do not count at all: leave them out of both numbers.",
    ),
    Misconception(
        "subset turned round",
        game(subset_of=lambda subset: None if subset is None else ~subset),
        "The pairs outside the subset are counted. True means that a pair counts.",
    ),
    Misconception(
        "share of all pairs",
        game(per_class=share_of_all),
        "The hits of a class are divided by the number of all pairs. Divide by the pairs of this class.",
    ),
    Misconception(
        "numbers of hits",
        game(per_class=numbers_of_hits),
        "per_class holds numbers of hits. Divide each by the number of pairs of its class.",
    ),
    Misconception(
        "misses",
        game(per_class=lambda hit, *given: by_class(~hit, *given)),
        "Misses are counted. The accuracy is the part of the pairs that are hits.",
    ),
)

MISCONCEPTIONS = POINTS + HITS + ACCURACIES
