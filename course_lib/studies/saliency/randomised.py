"""What is left of a map when the net's weights are drawn anew, from the output backwards."""

from dataclasses import dataclass

from torch import Tensor

from course_lib.methods import saliency
from course_lib.metrics import spearman
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import worlds
from course_lib.studies.saliency.parts import Subject
from course_lib.studies.saliency.sensitivity import maps
from course_lib.studies.saliency.setting import Setting
from course_lib.training import predict

META = " + meta"


@dataclass(frozen=True)
class Randomised(Setting):
    """What is compared.

    Attributes:
        methods: tags out of ``METHODS``.
        with_meta: those that are also asked after a meta-step.
        eps: of the meta-step.
        stages: where.
        asked: images of one class each.
        every: how many of the parts that are drawn anew lie between two looks; the last one is always seen.
    """

    methods: tuple[str, ...] = ("sNG", "LA", "NG", "GC", "Gd", "Gui", "EB")
    with_meta: tuple[str, ...] = ("sNG", "LA")
    eps: float = 0.01
    stages: tuple[str, ...] = ("2", "3", "last")
    asked: int = 60
    every: int = 1


def measure_randomised(config: Randomised, seed: int) -> dict[Cell, float]:
    """Mean rank correlation with the trained net's map, by (net, method, stage, last part drawn anew).

    The class is the one that the trained net says, all along. Constant maps have no correlation and are left
    out.
    """
    found: dict[Cell, float] = {}
    for net in config.nets:
        asked = worlds.subject(config, net, seed)
        x, _ = worlds.labelled(config, "test", config.asked)
        y, _ = saliency.extreme_classes(predict(asked.net, x))
        before = _maps(config, asked, x, y)
        unseen = None
        for n, (name, model) in enumerate(saliency.cascade(asked.net, seed), start=1):
            unseen = (name, model)
            if n % config.every == 0:
                found |= _left(config, net, asked._replace(net=model), name, before, x, y)
                unseen = None
        if unseen is not None:
            name, model = unseen
            found |= _left(config, net, asked._replace(net=model), name, before, x, y)
    return found


def _left(
    config: Randomised, net: str, anew: Subject, name: str, before: dict[Cell, Tensor], x: Tensor, y: Tensor
) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    for (method, stage), each in _maps(config, anew, x, y).items():
        rho = spearman(before[method, stage], each)
        if rho.isfinite().any():
            found[net, method, stage, name.removeprefix("body.")] = rho[rho.isfinite()].mean().item()
    return found


def _maps(config: Randomised, asked: Subject, x: Tensor, y: Tensor) -> dict[Cell, Tensor]:
    here = asked._replace(stages={stage: asked.stages[stage] for stage in config.stages})
    found = maps(here, x, y, config.methods)
    after_a_step = maps(here, x, y, config.with_meta, config.eps) if config.with_meta else {}
    return found | {(tag + META, stage): each for (tag, stage), each in after_a_step.items()}
