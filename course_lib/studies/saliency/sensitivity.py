"""How alike the maps of the likeliest and of the least likely class are, with meta-saliency and without."""

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from course_lib.localisation import to_size
from course_lib.methods import saliency
from course_lib.methods.saliency.capture import INPUT
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import worlds
from course_lib.studies.saliency.parts import Subject
from course_lib.studies.saliency.setting import METHODS, Setting


@dataclass(frozen=True)
class ClassSensitivity(Setting):
    """What is compared.

    Attributes:
        methods: tags out of ``METHODS``.
        asked: images of one class each.
        steps: ε of meta-saliency; 0 is the plain method.
    """

    methods: tuple[str, ...] = tuple(METHODS)
    asked: int = 300
    steps: tuple[float, ...] = (0.0,)


def measure_sensitivity(config: ClassSensitivity, seed: int) -> dict[Cell, float]:
    """Mean rank correlation of the two maps, by (net, method, stage, ε).

    Images where one of the maps is constant have none and are left out; a cell without any image is left out.
    """
    found: dict[Cell, float] = {}
    for net in config.nets:
        asked = worlds.subject(config, net, seed)
        x, _ = worlds.labelled(config, "test", config.asked)
        for eps in config.steps:

            def maps_of(model: nn.Module, x: Tensor, y: Tensor, asked=asked, eps=eps) -> dict[Cell, Tensor]:
                return maps(asked._replace(net=model), x, y, config.methods, eps)

            told = saliency.class_sensitivity(maps_of, asked.net, x, batch_size=50)
            found |= {(net, *cell, eps): each.mean for cell, each in told.items() if each.n_valid}
    return found


def maps(asked: Subject, x: Tensor, y: Tensor, tags: tuple[str, ...], eps: float = 0.0) -> dict[Cell, Tensor]:
    """Maps of the image's size by (method's tag, stage), after a meta-step where ε is not 0."""
    layers = list(asked.stages.values())
    compute = partial(_compare, methods=[METHODS[tag] for tag in tags], layers=layers)
    made = saliency.meta_saliency(compute, asked.net, x, y, eps) if eps else compute(asked.net, x, y)
    tag_of = {METHODS[tag]: tag for tag in tags}
    stage_of = {layer or INPUT: stage for stage, layer in asked.stages.items()}
    return {
        (tag_of[method], stage_of[layer]): to_size(each, tuple(x.shape[2:]))
        for (method, layer), each in made.items()
    }


def _compare(
    model: nn.Module, x: Tensor, y: Tensor, methods: list[str], layers: list
) -> dict[tuple[str, str], Tensor]:
    return saliency.compare(model, x, y, methods, layers)
