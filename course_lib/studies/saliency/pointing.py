"""The pointing game of every method at every stage, and of its maps combined over the stages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.localisation import hits, pointing_score, to_size
from course_lib.methods import saliency
from course_lib.methods.saliency.capture import INPUT, passing_through
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import worlds
from course_lib.studies.saliency.parts import Pairs, Subject
from course_lib.studies.saliency.setting import METHODS, Setting

IMAGES = {"all": "all", "difficult": "difficult only"}
WEIGHTS = ("accuracy", "spread", "linear", "uniform")
MODES = {"sum": "+", "product": "×"}


@dataclass(frozen=True)
class Pointing(Setting):
    """What is asked.

    Attributes:
        methods: tags out of ``METHODS``.
        weights: how stages are weighted when maps are combined.
        weighed_on: images for the weights that are measured, sampled uniformly over classes.
    """

    methods: tuple[str, ...] = tuple(METHODS)
    weights: tuple[str, ...] = WEIGHTS
    weighed_on: int = 600


def measure_pointing(config: Pointing, seed: int) -> dict[Cell, float]:
    """Pointing accuracy (%), by (net, images, method, where).

    ``where`` is a stage, or a combination of all but the image, such as "accuracy product".
    """
    found: dict[Cell, float] = {}
    for net in config.nets:
        asked = worlds.subject(config, net, seed)
        weights = stage_weights(config, asked)
        found |= {(net, *cell): value for cell, value in points(config, asked, weights).items()}
    return found


def points(config: Pointing, asked: Subject, weights: Mapping[str, list[float]]) -> dict[Cell, float]:
    """Pointing accuracy (%) of one net, by (images, method, where)."""
    told: dict[Cell, list[Tensor]] = {}
    classes, hard = [], []
    for batch in worlds.pairs(config):
        classes.append(batch.y.cpu())
        hard.append(batch.hard.cpu())
        for cell, maps in candidates(config, asked, batch, weights):
            told.setdefault(cell, []).append(hits(maps, batch.masks, config.tolerance).cpu())
    y, difficult = torch.cat(classes), torch.cat(hard)
    chosen = {"all": torch.ones_like(difficult), "difficult": difficult}
    return {
        (images, *cell): 100 * pointing_score(torch.cat(each), y, subset).mean
        for cell, each in told.items()
        for images, subset in chosen.items()
        if subset.any()
    }


def candidates(
    config: Pointing, asked: Subject, batch: Pairs, weights: Mapping[str, list[float]]
) -> Iterator[tuple[Cell, Tensor]]:
    """Every map that points, of the size of the masks, by (method, where); the centre points as well."""
    size = batch.masks.shape[1:]
    centre = torch.zeros(len(batch.y), 1, *size, device=batch.x.device)
    centre[:, :, size[0] // 2, size[1] // 2] = 1
    yield ("centre", "centre"), centre
    for tag, maps in maps_by_stage(asked, batch.x, batch.y, config.methods).items():
        large = {stage: at_image(each, size, smoothed=stage == INPUT) for stage, each in maps.items()}
        for stage, each in large.items():
            yield (tag, stage), each
        inner = [each for stage, each in large.items() if stage != INPUT]
        for name, gamma in weights.items():
            for mode in MODES:
                yield (tag, f"{name} {mode}"), saliency.combine(inner, gamma, mode=mode)


def maps_by_stage(asked: Subject, x: Tensor, y: Tensor, tags: Iterable[str]) -> dict[str, dict[str, Tensor]]:
    """Maps by method's tag and stage, each at its layer's own size."""
    stage_of = {layer or INPUT: stage for stage, layer in asked.stages.items()}
    tags = list(tags)
    maps = saliency.compare(asked.net, x, y, [METHODS[tag] for tag in tags], list(asked.stages.values()))
    tag_of = {METHODS[tag]: tag for tag in tags}
    found: dict[str, dict[str, Tensor]] = {tag: {} for tag in tags}
    for (method, layer), each in maps.items():
        found[tag_of[method]][stage_of[layer]] = each
    return found


def at_image(maps: Tensor, size: Sequence[int], smoothed: bool) -> Tensor:
    """Maps at the image's size; those of the image itself are smoothed, as the source's program does."""
    large = to_size(maps, tuple(size))
    return saliency.smooth(large) if smoothed else large


def stage_weights(config: Pointing, asked: Subject) -> dict[str, list[float]]:
    """γ of every stage but the image, by the name of the scheme."""
    stages = [stage for stage in asked.stages if stage != INPUT]
    found: dict[str, list[float]] = {}
    if {"accuracy", "spread"} & set(config.weights):
        x, y = worlds.labelled(config, "train", config.weighed_on)
        features = stage_features(asked, x)
        if "accuracy" in config.weights:
            found["accuracy"] = list(saliency.accuracy_weights(features, y).values())
        if "spread" in config.weights:
            found["spread"] = list(saliency.spread_weights(features).values())
    if "linear" in config.weights:
        found["linear"] = saliency.linear_weights(len(stages))
    if "uniform" in config.weights:
        found["uniform"] = saliency.uniform_weights(len(stages))
    return {name: found[name] for name in config.weights}


def stage_features(asked: Subject, x: Tensor, batch_size: int = 100) -> dict[str, Tensor]:
    """Spatial means (M, K) of the activations of every stage but the image, by stage."""
    stages = {stage: layer for stage, layer in asked.stages.items() if layer is not None}
    means: dict[str, list[Tensor]] = {stage: [] for stage in stages}
    for some in x.split(batch_size):
        with passing_through(asked.net, some, list(stages.values())) as (_, caught):
            for stage, layer in stages.items():
                means[stage].append(caught[layer].x.detach().mean((2, 3)))
    return {stage: torch.cat(each) for stage, each in means.items()}
