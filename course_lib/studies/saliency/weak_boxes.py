"""Weak localisation: a box around what remains of a map above a threshold, for many thresholds."""

from dataclasses import dataclass

import torch

from course_lib.localisation import boxes_of, localisation_accuracy, to_size
from course_lib.methods import saliency
from course_lib.methods.saliency.capture import INPUT
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import worlds
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
        kept: dict[Cell, list] = {}
        boxes, left = [], config.asked
        for batch in worlds.pairs(config):
            x, y, masks = batch.x[:left], batch.y[:left], batch.masks[:left]
            left -= len(y)
            boxes.append(boxes_of(masks))
            for tag, maps in maps_by_stage(asked, x, y, config.methods).items():
                large = {stage: to_size(each, tuple(masks.shape[1:])) for stage, each in maps.items()}
                inner = [each for stage, each in large.items() if stage != INPUT]
                large[COMBINED] = saliency.combine(inner, mode="product")
                for stage in config.stages:
                    kept.setdefault((tag, stage), []).append(large[stage])
            if left == 0:
                break
        truth = torch.cat(boxes)
        for cell, parts in kept.items():
            maps = torch.cat(parts)
            for threshold in config.thresholds:
                score = localisation_accuracy(maps, truth, threshold)
                found[net, *cell, threshold] = 100 * score
    return found
