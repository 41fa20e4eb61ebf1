"""The pointing game (Rebuffi 2020, Chapter 8, supplement A; Zhang et al. 2016), and a map's mass in a mask.

Several objects of one class are one region. Images of different sizes go through ``hit`` one by one, and
``pointing_score`` adds them up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.localisation.inputs import check_bool, check_maps, regions
from course_lib.localisation.resizing import to_size


class PointingScore(NamedTuple):
    """How often the highest point lies on the object."""

    per_class: dict[int, float]  # accuracy of each class that occurs
    mean: float  # of those accuracies: a rare class counts as much as a frequent one
    n: int  # pairs of an image and a class that it rests on


def peaks(maps: Tensor) -> Tensor:
    """The place of each map's largest value; the first, row by row, of equal ones.

    So a constant map points at its first pixel, the corner.

    Args:
        maps: (B, 1, H, W).

    Returns:
        (B, 2) int64, (row, column).

    Raises:
        ValueError: the shape is another, or a map contains NaN.
    """
    check_maps(maps)
    if maps.isnan().any():
        raise ValueError("maps contain NaN, which has no largest value.")
    place = maps.flatten(1).argmax(1)
    return torch.stack((place // maps.shape[-1], place % maps.shape[-1]), dim=1)


def hits(maps: Tensor, masks: Tensor, tolerance: float) -> Tensor:
    """Whether the peak of each map lies closer than ``tolerance`` to some pixel of its mask.

    The squared distance, in pixels of the mask, must be below tolerance², not equal to it. A tolerance of 0
    (as any up to 1) asks that the peak itself is in the mask. Maps of another size than the masks are brought
    to theirs first (``to_size``); the peak is taken after that.

    Args:
        maps: (B, 1, h, w).
        masks: (B, 1, H, W) or (B, H, W) bool, the region of each map's own class; an empty one is never hit.
        tolerance: pixels, 0 or more.

    Returns:
        (B,) bool.

    Raises:
        ValueError: the shapes do not fit, a map contains NaN, or the tolerance is negative.
        TypeError: the masks are not bool.
    """
    region = regions(masks, len(maps)).to(maps.device)
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}, possible is 0 or more pixels.")
    size = region.shape[1:]
    places = peaks(to_size(maps, size)).int()
    rows, columns = (torch.arange(n, device=maps.device, dtype=torch.int32) for n in size)
    distance = ((rows - places[:, :1]) ** 2)[:, :, None] + ((columns - places[:, 1:]) ** 2)[:, None, :]
    near = (distance == 0) | (distance < tolerance**2)  # (B, H, W)
    return (near & region).flatten(1).any(1)


def hit(map: Tensor, mask: Tensor, tolerance: float) -> bool:
    """``hits`` for one image: a map (h, w) or (1, h, w), and its mask (H, W) or (1, H, W)."""
    if any(one.ndim not in (2, 3) or one.shape[:-2].numel() != 1 for one in (map, mask)):
        raise ValueError(
            f"map has shape {tuple(map.shape)} and mask {tuple(mask.shape)}, needed are (h, w) and (H, W)."
        )
    map, mask = (one.reshape(1, 1, *one.shape[-2:]) for one in (map, mask))
    return hits(map, mask, tolerance).item()


def pointing_game(
    maps: Tensor,
    masks: Tensor,
    classes: Tensor | Sequence[int],
    tolerance: float,
    subset: Tensor | None = None,
) -> PointingScore:
    """The accuracy of ``hits`` for each class, and the mean of these accuracies.

    Args:
        maps: (B, 1, h, w), one for each pair of an image and a class that is in it.
        masks: (B, C, H, W) bool, the image's regions of all classes, of which that of ``classes`` counts;
            or (B, 1, H, W), that region alone.
        classes: (B,) the class that each map explains.
        tolerance: as in ``hits``.
        subset: (B,) bool, the pairs that count, such as ``difficult``; all by default. A class without a
            pair among them has no accuracy and stays out of the mean.

    Raises:
        ValueError: as in ``hits``; also if a class is not in its image, or no pair is left.
        TypeError: the masks or the subset are not bool.
    """
    return pointing_score(hits(maps, _own(masks, classes), tolerance), classes, subset)


def pointing_score(
    hit: Tensor | Sequence[bool], classes: Tensor | Sequence[int], subset: Tensor | None = None
) -> PointingScore:
    """The score of ``pointing_game`` where hits and misses, (B,), are known already."""
    hit, classes = torch.as_tensor(hit).cpu(), torch.as_tensor(classes).cpu()
    counts = torch.ones(len(hit), dtype=torch.bool) if subset is None else torch.as_tensor(subset).cpu()
    if not hit.shape == classes.shape == counts.shape or hit.ndim != 1:
        raise ValueError(
            f"hit has shape {tuple(hit.shape)}, classes {tuple(classes.shape)} and subset "
            f"{tuple(counts.shape)}, needed is (B,) for all."
        )
    if counts.dtype != torch.bool:
        raise TypeError(f"subset has type {counts.dtype}, needed is bool.")
    if not counts.any():
        raise ValueError(f"none of the {len(hit)} pairs counts, so there is no accuracy.")
    hit, classes = hit[counts].double(), classes[counts]
    per_class = {c: hit[classes == c].mean().item() for c in classes.unique().tolist()}
    return PointingScore(per_class, sum(per_class.values()) / len(per_class), len(hit))


def difficult(masks: Tensor, classes: Tensor | Sequence[int]) -> Tensor:
    """The pairs whose object is small and not alone: below 25 % of the image, and another class is there.

    Args:
        masks: (B, C, H, W) bool, the image's regions of all classes (boxes filled in, for VOC).
        classes: (B,) the class that is asked for.

    Returns:
        (B,) bool.

    Raises:
        ValueError: the shapes do not fit, or a class is not in its image.
        TypeError: the masks are not bool.
    """
    own = _own(masks, classes)
    small = own.flatten(1).sum(1) < 0.25 * own[0].numel()
    return small & (masks.flatten(2).any(2).sum(1) >= 2)


def energy_inside(maps: Tensor, masks: Tensor) -> Tensor:
    """The part of each map's positive values that lies in its mask; a flat positive map gets the mask's area.

    Values below 0, which speak against the class, count as 0.

    Args:
        maps: (B, 1, H, W).
        masks: (B, 1, H, W) or (B, H, W) bool, of the same size.

    Returns:
        (B,) float64 in [0, 1]; NaN for a map without a positive value.

    Raises:
        ValueError: the shapes do not fit, or a map is not finite.
        TypeError: the masks are not bool.
    """
    check_maps(maps, finite=True)
    region = regions(masks, len(maps)).to(maps.device)
    if region.shape[1:] != maps.shape[2:]:
        raise ValueError(f"maps are {tuple(maps.shape[2:])} and masks {tuple(region.shape[1:])}: resize one.")
    positive = maps[:, 0].double().clamp(min=0)
    return (positive * region).flatten(1).sum(1) / positive.flatten(1).sum(1)


def _own(masks: Tensor, classes: Tensor | Sequence[int]) -> Tensor:
    """The region (B, H, W) of each pair's own class, none of them empty."""
    check_bool(masks)
    classes = torch.as_tensor(classes, device=masks.device)
    if masks.ndim != 4 or masks.numel() == 0 or classes.shape != masks.shape[:1]:
        raise ValueError(
            f"masks have shape {tuple(masks.shape)} and classes {tuple(classes.shape)}, "
            "needed are (B, C, H, W) and (B,), not empty."
        )
    if classes.is_floating_point():
        raise ValueError(f"classes have type {classes.dtype}, needed are whole numbers.")
    n = masks.shape[1]
    impossible = classes[(classes < 0) | (classes >= n)].tolist()
    if n > 1 and impossible:
        raise ValueError(
            f"classes contain {impossible[0]}, possible with {n} masks an image is 0 to {n - 1}."
        )
    own = masks[:, 0] if n == 1 else masks[torch.arange(len(masks), device=masks.device), classes]
    empty = ~own.flatten(1).any(1)
    if empty.any():
        i = int(empty.int().argmax())
        raise ValueError(f"class {int(classes[i])} of pair {i} is not in its image: its mask is empty.")
    return own
