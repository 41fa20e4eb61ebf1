"""What saliency.pointing_game is tried on: maps, and masks that are so far from the maps' highest points.

All values are multiples of 1/64, and the sides of the images are powers of two.  So enlarging is exact in
every order of computation, equal values stay equal, and which is the highest is no matter of rounding.
"""

import math
from random import Random
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from course_lib.grading.draws import normal

Place = tuple[int, int]  # row, column


def pointed(
    classes: str,
    cells: Place,
    size: Place,
    tolerance: float,
    steps: tuple[Place, ...],
    *,
    count: int | None = None,
    kind: str = "",
    subset: str | None = None,
):
    """What makes a case: a map and the masks of an image for each pair.

    Args:
        classes: the class of each pair, a digit each.
        cells, size: height and width of the maps and of the images.
        tolerance: as handed over.
        steps: rows and columns from a map's highest point to the closest pixel of its mask, in turn.
        count: the number of classes; None means those that occur.
        kind: "flat": every third map is constant; "negative": all values are below 0; "twice": the largest
            value stands in two places.
        subset: 1 for a pair that counts and 0 for one that does not.
    """

    def make(generator: Generator) -> dict[str, Any]:
        asked = [int(k) for k in classes]
        maps = hilly(generator, len(asked), *cells, twice=kind == "twice")
        if kind == "flat":
            maps[::3] = 0.5
        if kind == "negative":
            maps -= 5
        chance = Random(generator.initial_seed())  # torch's would take most of the time here
        large = interpolate(maps, size, mode="bilinear", align_corners=False)
        count_of = count or 1 + max(asked)
        masks = torch.zeros(len(asked), count_of, *size, dtype=torch.bool)
        for number, (k, place) in enumerate(zip(asked, large.flatten(1).argmax(1).tolist())):
            for other in range(count_of):
                turn = number if other == k else chance.randrange(len(steps))
                drawn = hook(chance, divmod(place, size[1]), steps[turn % len(steps)], size)
                if other == k or chance.randrange(3):
                    masks[number, other].view(-1)[drawn] = True
        made = {"maps": maps, "masks": masks, "classes": torch.tensor(asked), "tolerance": tolerance}
        return made | ({"subset": torch.tensor([each == "1" for each in subset])} if subset else {})

    return make


def hilly(generator: Generator, pairs: int, height: int, width: int, twice: bool) -> Tensor:
    """Maps in which one cell stands out, or two alike; in every other map one below 0 is larger in size."""
    maps = 0.7 * normal(generator, pairs, 1, height, width).clamp(-2.5, 2.5)
    low = (height - 1) * width
    for number, one in enumerate(maps.flatten(1)):
        cells = torch.randperm(len(one), generator=generator)
        one[cells[cells != low][: 1 + twice]] = 3 + 0.3 * normal(generator).clamp(-1, 1)
        one[low] = -2.5 if number % 2 else -4.0
    return (64 * maps).round() / 64


def hook(chance: Random, point: Place, steps: Place, size: Place) -> list[int]:
    """The pixels of a mask, of which the closest is so many rows and columns from the point.

    A bar leads away from that pixel, and from the bar's end another one goes across.  So neither the middle
    of the mask nor the box around it tells how far it is.
    """
    (row, down), (column, across) = (
        pick_side(chance, at, step, end) for at, step, end in zip(point, steps, size)
    )
    far = math.ceil(math.hypot(*steps)) - steps[0]  # the bar across is no closer than the closest pixel
    length = max(1, far) + chance.randrange(2)
    places = [(row + n * down, column) for n in range(length)]
    places += [(row + length * down, column - n * across) for n in range(steps[1] + 2 + chance.randrange(4))]
    return [r * size[1] + c for r, c in places if 0 <= r < size[0] and 0 <= c < size[1]]


def pick_side(chance: Random, at: int, step: int, end: int) -> tuple[int, int]:
    """A place so many steps before or after another one, within the image, and on which side it is."""
    sides = [side for side in (-1, 1) if 0 <= at + side * step < end]
    side = chance.choice(sides)
    return at + side * step, side
