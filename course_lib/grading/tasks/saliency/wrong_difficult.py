"""Wrong answers to saliency.difficult: a right one in pieces, and each wrong one replaces a piece."""

import torch
from torch import Tensor

from course_lib.grading.task import Misconception


def areas(masks: Tensor) -> Tensor:
    """Pixels of each mask, (B, K)."""
    return masks.flatten(2).sum(2)


def own(values: Tensor, classes: Tensor) -> Tensor:
    """Of (B, K) the entry of each pair's class, (B,)."""
    return values.gather(1, classes[:, None])[:, 0]


def pixels(masks: Tensor) -> int:
    return masks.shape[2] * masks.shape[3]


def small(masks: Tensor, classes: Tensor) -> Tensor:
    return own(areas(masks), classes) < pixels(masks) / 4


def company(masks: Tensor, classes: Tensor) -> Tensor:
    return (areas(masks) > 0).sum(1) >= 2


def both(small=small, company=company):
    return lambda masks, classes: small(masks, classes) & company(masks, classes)


def boxes(masks: Tensor, classes: Tensor) -> Tensor:
    """Whether the box around the object is small."""
    mask = masks[torch.arange(len(masks), device=masks.device), classes]
    sides = []
    for line in (mask.any(2), mask.any(1)):
        inside = (line.cumsum(1) > 0) & (line.flip(1).cumsum(1).flip(1) > 0)
        sides.append(inside.sum(1))
    return sides[0] * sides[1] < pixels(masks) / 4


def others(masks: Tensor, classes: Tensor) -> Tensor:
    """Pixels that any other class covers, (B,)."""
    rest = masks.clone()
    rest[torch.arange(len(masks), device=masks.device), classes] = False
    return rest.any(1).flatten(1).sum(1)


def of_the_numbered_image(masks: Tensor, classes: Tensor) -> Tensor:
    """masks[classes]: the class picks an image."""
    picked = masks[classes % len(masks)]
    return areas(picked)[:, 0] < pixels(masks) / 4


MISCONCEPTIONS = (
    Misconception(
        "only small",
        small,
        "You ask only whether the object is small. A small object that is alone is easy to find: "
        "some other class has to be in the image as well.",
    ),
    Misconception(
        "only company",
        company,
        "You ask only whether other classes are there. The object must also be small, below a quarter of "
        "the image.",
    ),
    Misconception(
        "one of the two",
        lambda masks, classes: small(masks, classes) | company(masks, classes),
        "You ask for one of the two. Both must hold: small, and not alone.",
    ),
    Misconception(
        "neither",
        lambda masks, classes: ~(small(masks, classes) & company(masks, classes)),
        "These are the pairs that are easy. Return True for the difficult ones.",
    ),
    Misconception(
        "a quarter is small",
        both(small=lambda masks, classes: own(areas(masks), classes) <= pixels(masks) / 4),
        "An object of exactly a quarter of the image counts as small. It has to be less: compare with <.",
    ),
    Misconception(
        "a quarter of a pixel",
        both(small=lambda masks, classes: own(areas(masks), classes) < 0.25),
        "A number of pixels is compared with 0.25, so nothing is small. "
        "Divide it by the pixels of the image first.",
    ),
    Misconception(
        "other classes' area",
        both(small=lambda masks, classes: others(masks, classes) < pixels(masks) / 4),
        "The area is that of the other classes. It is the own class that has to be small.",
    ),
    Misconception(
        "area of all classes",
        both(small=lambda masks, classes: masks.any(1).flatten(1).sum(1) < pixels(masks) / 4),
        "The area is that of all classes together. Only the mask of the own class has to be small.",
    ),
    Misconception(
        "all must be small",
        both(small=lambda masks, classes: (areas(masks) < pixels(masks) / 4).all(1)),
        "Every class of the image has to be small in your answer. Only the one that is asked for has to.",
    ),
    Misconception(
        "any may be small",
        both(small=lambda masks, classes: ((areas(masks) > 0) & (areas(masks) < pixels(masks) / 4)).any(1)),
        "Any small object makes all pairs of its image difficult. Each pair is judged by its own class.",
    ),
    Misconception(
        "smaller than the others",
        both(small=lambda masks, classes: own(areas(masks), classes) < others(masks, classes)),
        "The object is compared with the others. Compare it with a quarter of the image.",
    ),
    Misconception(
        "a quarter of the objects",
        both(small=lambda masks, classes: own(areas(masks), classes) < masks.any(1).flatten(1).sum(1) / 4),
        "The object is compared with a quarter of what all objects cover. "
        "Compare it with a quarter of the image.",
    ),
    Misconception(
        "box around the object",
        both(small=boxes),
        "The area is that of the box around the object. Count the pixels of its mask.",
    ),
    Misconception(
        "a quarter of the height",
        both(small=lambda masks, classes: own(areas(masks), classes) < masks.shape[2] / 4),
        "The number of pixels is compared with a quarter of the height. An image has H · W pixels.",
    ),
    Misconception(
        "two others",
        both(company=lambda masks, classes: (areas(masks) > 0).sum(1) > 2),
        "Two other classes have to be there in your answer. One is enough.",
    ),
    Misconception(
        "the class picks an image",
        both(small=of_the_numbered_image),
        "masks[classes] picks images, for their number is the first axis. "
        "Take masks[arange(B), classes]: of each image the mask of its class.",
    ),
)
