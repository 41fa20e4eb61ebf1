"""Wrong answers to saliency.pointing_game, each a right one with a wrong piece."""

import torch

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.pointing_pieces import (
    any_of_the_highest,
    bilinear,
    box_around,
    by_class,
    centre_of_mass,
    column_by_column,
    first_then_scaled,
    game,
    last_of_equals,
    middle_if_constant,
    middle_of_the_cell,
    numbers_of_hits,
    others_miss,
    own_mask,
    peak,
    pooled,
    rows_of_height,
    share_of_all,
    shrunk,
    to_the_middle,
)

POINTS = (
    Misconception(
        "rows and columns swapped",
        game(point=lambda maps, size: peak(bilinear(maps, size))[::-1]),
        "Row and column of the point are swapped. The first axis of a map is its rows: "
        "place // W is the row.",
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
        "Of equal values the last one is taken. Take the first in reading order; a constant map points at "
        "its corner.",
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
        "The point is counted in cells of the small map, the mask in pixels. "
        "Enlarge the map to (H, W) first.",
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
        "The map is enlarged with mode='nearest', the default of interpolate: "
        "each cell becomes a flat block, and its "
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
        "The masks are shrunk to the size of the map, where an object may be less than a cell. "
        "Enlarge the map.",
    ),
    Misconception(
        "largest magnitude",
        game(point=lambda maps, size: peak(bilinear(maps, size).abs())),
        "The largest magnitude is taken, and a strongly negative place speaks against the class. "
        "Leave the signs.",
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
        "Row and column distance are added up. Distance is Euclid's: "
        "add their squares, and compare with tolerance².",
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
        "A class without pairs gets accuracy 0, as if it had been missed. It was not asked for: "
        "NaN, and no part "
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
