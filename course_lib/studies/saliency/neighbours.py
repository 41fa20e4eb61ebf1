"""The methods of the source and their neighbours, each at the layer where people use it."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.localisation import hits, pointing_score, to_size
from course_lib.methods import saliency
from course_lib.methods.saliency.capture import INPUT
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import worlds
from course_lib.studies.saliency.parts import Pairs, Subject
from course_lib.studies.saliency.setting import Setting

CUSTOMARY = {  # method -> the stage where its users take the map
    "gradient": "input",
    "deconvnet": "input",
    "guided_backprop": "input",
    "excitation_backprop": "3",
    "contrastive_excitation_backprop": "3",
    "grad_cam": "last",
    "occlusion": "input",
    "rise": "input",
    "meaningful_perturbation": "input",
    "extremal_perturbation": "input",
}
HIDING = ("occlusion", "rise", "meaningful_perturbation", "extremal_perturbation")


@dataclass(frozen=True)
class Neighbours(Setting):
    """What is asked.

    Attributes:
        methods: names out of ``CUSTOMARY``.
        pairs: how many pairs of an image and a class, the first ones.
        masks: random masks of RISE.
        iterations: of the two methods that optimise a mask.
    """

    methods: tuple[str, ...] = tuple(CUSTOMARY)
    pairs: int | None = None
    masks: int = 4000
    iterations: int = 800


def measure_neighbours(config: Neighbours, seed: int) -> dict[Cell, float]:
    """Pointing accuracy (%) by (net, images, method), and milliseconds an image by (net, "time", method)."""
    found: dict[Cell, float] = {}
    for net in config.nets:
        asked = worlds.subject(config, net, seed)
        batches = _first(config)
        y, hard = (torch.cat([getattr(batch, name).cpu() for batch in batches]) for name in ("y", "hard"))
        for method in config.methods:
            begun = time.perf_counter()
            told = [
                hits(map_of(config, asked, batch, method, seed), batch.masks, config.tolerance)
                for batch in batches
            ]
            spent = time.perf_counter() - begun
            hit = torch.cat(told).cpu()
            found[net, "all", method] = 100 * pointing_score(hit, y).mean
            if hard.any():
                found[net, "difficult", method] = 100 * pointing_score(hit, y, hard).mean
            found[net, "time", method] = 1000 * spent / len(y)
    return found


def map_of(config: Neighbours, asked: Subject, batch: Pairs, method: str, seed: int) -> Tensor:
    """A method's maps of the size of the masks, at its customary layer."""
    stage = CUSTOMARY[method]
    options = options_of(config, method, seed)
    maps = saliency.saliency(asked.net, batch.x, batch.y, method, asked.stages[stage], **options)
    large = to_size(maps, tuple(batch.masks.shape[1:]))
    return saliency.smooth(large) if stage == INPUT and method not in HIDING else large


def options_of(config: Neighbours, method: str, seed: int) -> dict:
    """What a method is told about its effort."""
    if method == "rise":
        return {"n_masks": config.masks, "seed": seed}
    if method in ("meaningful_perturbation", "extremal_perturbation"):
        return {"iterations": config.iterations}
    return {}


def _first(config: Neighbours) -> list[Pairs]:
    found, left = [], config.pairs
    for batch in worlds.pairs(config):
        if left is not None:
            batch = Pairs(*(each[:left] for each in batch))
            left -= len(batch.y)
        found.append(batch)
        if left == 0:
            break
    return found
