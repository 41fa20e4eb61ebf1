"""Weak localisation: a box around what remains of a map above a threshold, for many thresholds."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.localisation import boxes_of, overlaps, to_size
from course_lib.methods import saliency
from course_lib.methods.saliency.capture import INPUT
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import worlds
from course_lib.studies.saliency.parts import Subject
from course_lib.studies.saliency.pointing import maps_by_stage
from course_lib.studies.saliency.setting import METHODS, Setting

COMBINED = "combined"


@dataclass(frozen=True)
class WeakBoxes(Setting):
    """What is asked.

    Attributes:
        methods: tags out of ``METHODS``.
        stages: where; "combined" is the uniform product over all stages but the image.
        thresholds: parts of a map's range.
        asked: pairs of an image and a class.
    """

    methods: tuple[str, ...] = tuple(METHODS)
    stages: tuple[str, ...] = ("3", "last", COMBINED)
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    asked: int = 300


def measure_weak_boxes(config: WeakBoxes, seed: int) -> dict[Cell, float]:
    """Boxes with IoU above ½ (%), by (net, method, stage, threshold)."""
    found: dict[Cell, float] = {}
    for net in config.nets:
        asked = worlds.subject(config, net, seed)
        overlap: dict[Cell, list[Tensor]] = {}
        left = config.asked
        for batch in worlds.pairs(config):
            x, y, masks = batch.x[:left], batch.y[:left], batch.masks[:left]
            left -= len(y)
            boxes = boxes_of(masks)
            for cell, maps in large_maps(config, asked, x, y, tuple(masks.shape[1:])).items():
                for threshold in config.thresholds:
                    overlap.setdefault((*cell, threshold), []).append(overlaps(maps, boxes, threshold))
            if left == 0:
                break
        for cell, each in overlap.items():
            found[net, *cell] = 100 * (torch.cat(each) > 0.5).double().mean().item()
    return found


def large_maps(
    config: WeakBoxes, asked: Subject, x: Tensor, y: Tensor, size: tuple[int, int]
) -> dict[Cell, Tensor]:
    """Maps of the size of the masks by (method's tag, stage or "combined")."""
    found: dict[Cell, Tensor] = {}
    for tag, maps in maps_by_stage(asked, x, y, config.methods).items():
        large = {stage: to_size(each, size) for stage, each in maps.items()}
        inner = [each for stage, each in large.items() if stage != INPUT]
        large[COMBINED] = saliency.combine(inner, mode="product")
        found |= {(tag, stage): large[stage] for stage in config.stages}
    return found
