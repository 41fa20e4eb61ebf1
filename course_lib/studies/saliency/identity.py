"""NormGrad with the virtual identity and without it: the same maps?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.localisation import hits, pointing_score
from course_lib.methods import saliency
from course_lib.metrics import spearman
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import worlds
from course_lib.studies.saliency.parts import Subject
from course_lib.studies.saliency.setting import Setting


@dataclass(frozen=True)
class Identity(Setting):
    """What is compared.

    Attributes:
        asked: images of one class each, for the correlation.
        pointed: whether both also play the pointing game.
    """

    asked: int = 600
    pointed: bool = True


def measure_identity(config: Identity, seed: int) -> dict[Cell, float]:
    """Rank correlation (×100) by ("correlation", net, stage), and points of accuracy between the two games.

    The second are at ("pointing", net, stage), and their mean size at ("pointing", "both", "mean").
    """
    found: dict[Cell, float] = {}
    for net in config.nets:
        asked = worlds.subject(config, net, seed)
        x, y = worlds.labelled(config, "test", config.asked)
        rho: dict[str, list[Tensor]] = {stage: [] for stage in asked.convolutions}
        for some in torch.arange(len(x), device=x.device).split(50):
            for stage, both in two_maps(asked, x[some], y[some], tuple(x.shape[2:])).items():
                rho[stage].append(spearman(*both))
        found |= {
            ("correlation", net, stage): 100 * torch.cat(each).mean().item() for stage, each in rho.items()
        }
        if config.pointed:
            found |= {("pointing", net, stage): gap for stage, gap in pointing_gaps(config, asked).items()}
    gaps = [abs(value) for (what, *_), value in found.items() if what == "pointing"]
    if gaps:
        found["pointing", "both", "mean"] = sum(gaps) / len(gaps)
    return found


def two_maps(asked: Subject, x: Tensor, y: Tensor, size: tuple[int, int]) -> dict[str, tuple[Tensor, Tensor]]:
    """NormGrad of each convolution, and of an identity imagined behind it, by stage."""
    names = list(asked.convolutions.values())
    real = saliency.saliency(asked.net, x, y, "normgrad_conv", names, size=size)
    virtual = saliency.saliency(asked.net, x, y, "normgrad", names, size=size)
    return {stage: (real[name], virtual[name]) for stage, name in asked.convolutions.items()}


def pointing_gaps(config: Identity, asked: Subject) -> dict[str, float]:
    """How much better (points) the game goes with the real convolution, by stage."""
    told: dict[str, tuple[list, list]] = {stage: ([], []) for stage in asked.convolutions}
    classes = []
    for batch in worlds.pairs(config):
        classes.append(batch.y.cpu())
        for stage, both in two_maps(asked, batch.x, batch.y, tuple(batch.masks.shape[1:])).items():
            for kept, maps in zip(told[stage], both):
                kept.append(hits(maps, batch.masks, config.tolerance).cpu())
    y = torch.cat(classes)
    scores = {
        stage: [100 * pointing_score(torch.cat(each), y).mean for each in both]
        for stage, both in told.items()
    }
    return {stage: real - virtual for stage, (real, virtual) in scores.items()}
