"""Boxes for weakly supervised localisation (Rebuffi 2020, §2.5.3, after Cao et al. 2015).

A box is (top, left, bottom, right) with bottom and right outside it: its area is its number of pixels.
VOC's (xmin, ymin, xmax, ymax), which count from 1 and lie inside, become (ymin - 1, xmin - 1, ymax, xmax).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from course_lib.localisation.inputs import check_bool, check_maps


class ThresholdSearch(NamedTuple):
    """Localisation accuracies of one method over thresholds."""

    threshold: float  # the best one, the first of equals; chosen on what it is scored on
    accuracy: float  # its accuracy
    by_threshold: dict[float, float]


def boxes_of(masks: Tensor) -> Tensor:
    """The tightest box around all pixels of each mask: (..., H, W) bool to (..., 4) int64; empty: all 0."""
    check_bool(masks)
    ends = []
    for along in (masks.any(-1), masks.any(-2)):  # rows, columns
        first, last = along.int().argmax(-1), along.shape[-1] - along.int().flip(-1).argmax(-1)
        ends.append((first, last * along.any(-1)))
    (top, bottom), (left, right) = ends
    return torch.stack((top, left, bottom, right), dim=-1)


def box_of_map(maps: Tensor, threshold: float, *, largest_component: bool = False) -> Tensor:
    """The tightest box around what remains of each map at or above a part of its range.

    A pixel remains if its value is at least min + threshold · (max - min): everything at 0, the peak at 1,
    and everything of a constant map.

    Args:
        maps: (B, 1, H, W), of the image's size.
        threshold: 0 to 1.
        largest_component: keep only the largest set of remaining pixels that touch by their edges.

    Returns:
        (B, 4) int64.

    Raises:
        ValueError: the shape is another, a map is not finite, or the threshold is impossible.
    """
    check_maps(maps, finite=True)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, possible is 0 to 1, a part of each map's range.")
    above = maps[:, 0].double() - maps[:, 0].double().amin((1, 2), keepdim=True)
    remains = above >= threshold * above.amax((1, 2), keepdim=True)
    if largest_component:
        parts = [_largest_component(one) for one in remains.cpu().numpy()]
        remains = torch.from_numpy(np.stack(parts)).to(maps.device)
    return boxes_of(remains)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), in float64; 0 for two empty ones.

    Raises:
        ValueError: the shape is another, or a box ends before it begins.
    """
    for name, boxes in (("a", a), ("b", b)):
        if boxes.shape[-1:] != (4,):
            raise ValueError(f"{name} has shape {tuple(boxes.shape)}, needed are boxes (..., 4).")
        upside_down = boxes[(boxes[..., 2:] < boxes[..., :2]).any(-1)].tolist()
        if upside_down:
            raise ValueError(f"{name} contains {upside_down[0]}, needed is (top, left, bottom, right).")
    a, b = a.double(), b.double().to(a.device)
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    both = sides.clamp(min=0).prod(-1)
    either = sum((box[..., 2:] - box[..., :2]).prod(-1) for box in (a, b)) - both
    return torch.where(both > 0, both / either, 0.0)


def overlaps(maps: Tensor, boxes: Tensor, threshold: float, *, largest_component: bool = False) -> Tensor:
    """``iou`` of each map's box with the true one, (B,).

    Args:
        maps: (B, 1, H, W), of the image's size.
        boxes: (B, 4), the true ones.
        threshold, largest_component: as in ``box_of_map``.

    Raises:
        ValueError: as in ``box_of_map``, or the number of boxes is another.
    """
    found = box_of_map(maps, threshold, largest_component=largest_component)
    if boxes.shape != found.shape:
        raise ValueError(
            f"boxes have shape {tuple(boxes.shape)}, for {len(maps)} maps it is ({len(maps)}, 4)."
        )
    return iou(found, boxes)


def localisation_accuracy(
    maps: Tensor, boxes: Tensor, threshold: float, iou: float = 0.5, *, largest_component: bool = False
) -> float:
    """The part of the maps whose box overlaps the true one by more than ``iou`` (not by just as much).

    Args:
        maps, boxes, threshold, largest_component: as in ``overlaps``.
        iou: the intersection over union that has to be exceeded.

    Raises:
        ValueError: as in ``overlaps``.
    """
    overlap = overlaps(maps, boxes, threshold, largest_component=largest_component)
    return (overlap > iou).double().mean().item()


def best_threshold(
    maps: Tensor,
    boxes: Tensor,
    thresholds: Sequence[float],
    iou: float = 0.5,
    *,
    largest_component: bool = False,
) -> ThresholdSearch:
    """``localisation_accuracy`` at each of the thresholds: every method needs one of its own."""
    if not len(thresholds):
        raise ValueError("thresholds are empty, needed is at least one number from 0 to 1.")
    found = {
        float(t): localisation_accuracy(maps, boxes, float(t), iou, largest_component=largest_component)
        for t in thresholds
    }
    best = max(found, key=found.get)
    return ThresholdSearch(best, found[best], found)


def _largest_component(remains: np.ndarray) -> np.ndarray:
    labels, _ = ndimage.label(remains)  # 0 is what does not remain; something always does
    return labels == 1 + np.bincount(labels.ravel())[1:].argmax()
