"""Photographs with boxes: twenty species of birds, a small net that learned them, and one that did not."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib import data, runtime
from course_lib.localisation import best_threshold, hits, localisation_accuracy, pointing_score
from course_lib.methods import saliency
from course_lib.methods.saliency.capture import INPUT
from course_lib.metrics import accuracy
from course_lib.nets import TinyVGG
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import composed
from course_lib.studies.saliency.parts import Subject
from course_lib.studies.saliency.pointing import at_image, maps_by_stage
from course_lib.studies.saliency.setting import METHODS
from course_lib.training import cross_entropy, fit, predict

COMBINED = "combined"


@dataclass(frozen=True)
class Birds:
    """The photographs, the net, and what is asked.

    Attributes:
        data: a set with boxes in its factors x0, y0, x1, y1.
        size: side of the photographs in pixels.
        width: of the net, see `TinyVGG`.
        steps, batch_size, lr, weight_decay: of AdamW.
        translate, flip: the augmentation.
        tolerance: how far from the box a map may point, in pixels.
        methods: tags out of ``METHODS``.
        thresholds: of the maps, for the boxes; the best on training photographs is used on the others.
        asked: photographs of each split; None is all.
    """

    data: str = "cub20"
    size: int = 64
    width: int = 1
    steps: int = 2000
    batch_size: int = 32
    lr: float = 3e-3
    weight_decay: float = 1e-2
    translate: int = 6
    flip: bool = True
    tolerance: float = 2.0
    methods: tuple[str, ...] = tuple(METHODS)
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    asked: int | None = None


def measure_birds(config: Birds, seed: int) -> dict[Cell, float]:
    """Accuracies (%) by (task, net, method, stage), with task "pointing", "boxes" or "class"."""
    train, test = (photographs(config, split) for split in ("train", "test"))
    torch.manual_seed(seed)
    model = TinyVGG(train.shape, train.num_classes, width=config.width).to(runtime.device())
    nets = {"untrained": Subject(deepcopy(model).eval(), composed.STAGES, {})}
    learn(config, model, train, seed)
    nets["trained"] = Subject(model.eval(), composed.STAGES, {})

    shown = {split: _look(config, train, chosen) for split, chosen in (("train", train), ("test", test))}
    found: dict[Cell, float] = {}
    for net, asked in nets.items():
        x, y, _ = shown["test"]
        found["class", net, "net", "net"] = 100 * accuracy(y, predict(asked.net, x))
        found |= {
            (task, net, *cell): value
            for (task, *cell), value in points_and_boxes(config, asked, shown).items()
        }
    found |= centre(config, shown["test"])
    return found


def photographs(config: Birds, split: str) -> data.ImageSet:
    """The photographs of a split, on the device."""
    return data.load(config.data, split, size=config.size).to(runtime.device())


def learn(config: Birds, model: nn.Module, train: data.ImageSet, seed: int) -> None:
    """Train the net on all training photographs."""
    batches = data.Batches(
        train,
        config.batch_size,
        augment=data.Augment(translate=config.translate, flip=config.flip),
        steps=config.steps,
        seed=seed,
        channels_last=True,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    fit(
        model,
        batches,
        cross_entropy,
        epochs=1,
        optimizer=optimizer,
        schedule=composed.falls_late,
        channels_last=True,
        progress=False,
    )


def points_and_boxes(config: Birds, asked: Subject, shown: dict) -> dict[Cell, float]:
    """Pointing and box accuracies (%) of one net, by (task, method, stage)."""
    by_split = {split: _large(config, asked, x, y) for split, (x, y, _) in shown.items()}
    found: dict[Cell, float] = {}
    _, y, boxes = shown["test"]
    masks = _filled(boxes, config.size)
    for cell, maps in by_split["test"].items():
        found["pointing", *cell] = 100 * pointing_score(hits(maps, masks, config.tolerance), y).mean
        chosen = best_threshold(by_split["train"][cell], shown["train"][2], config.thresholds).threshold
        found["boxes", *cell] = 100 * localisation_accuracy(maps, boxes, chosen)
    return found


def centre(config: Birds, shown: tuple[Tensor, Tensor, Tensor]) -> dict[Cell, float]:
    """What the centre of the photograph, and all of it as a box, would score."""
    _, y, boxes = shown
    middle = torch.zeros(len(y), 1, config.size, config.size, device=y.device)
    middle[:, :, config.size // 2, config.size // 2] = 1
    masks = _filled(boxes, config.size)
    return {
        ("pointing", "none", "centre", "centre"): 100
        * pointing_score(hits(middle, masks, config.tolerance), y).mean,
        ("boxes", "none", "centre", "centre"): 100
        * localisation_accuracy(torch.ones_like(middle), boxes, 0.5),
    }


def _look(config: Birds, train: data.ImageSet, chosen: data.ImageSet) -> tuple[Tensor, Tensor, Tensor]:
    """Photographs as the net sees them, their classes, and their boxes (top, left, bottom, right)."""
    if config.asked is not None:
        chosen = chosen.subset(data.balanced_subset(chosen.labels, config.asked, 0))
    mean, std = train.statistics()
    x = next(iter(data.Batches(chosen, len(chosen), shuffle=False, mean=mean, std=std))).x
    corners = torch.stack([chosen.factors[name] for name in ("y0", "x0", "y1", "x1")], 1).double()
    low, high = corners[:, :2].floor(), corners[:, 2:].ceil().clamp(max=config.size)
    return x, chosen.labels, torch.cat([low, high], 1).long()


def _large(config: Birds, asked: Subject, x: Tensor, y: Tensor) -> dict[Cell, Tensor]:
    kept: dict[Cell, list[Tensor]] = {}
    for some in torch.arange(len(x), device=x.device).split(100):
        for tag, maps in maps_by_stage(asked, x[some], y[some], config.methods).items():
            large = {s: at_image(m, (config.size, config.size), s == INPUT) for s, m in maps.items()}
            large[COMBINED] = saliency.combine([m for s, m in large.items() if s != INPUT], mode="product")
            for stage, each in large.items():
                kept.setdefault((tag, stage), []).append(each)
    return {cell: torch.cat(each) for cell, each in kept.items()}


def _filled(boxes: Tensor, size: int) -> Tensor:
    """Masks (N, size, size) of boxes."""
    line = torch.arange(size, device=boxes.device)
    rows = (line >= boxes[:, :1]) & (line < boxes[:, 2:3])
    columns = (line >= boxes[:, 1:2]) & (line < boxes[:, 3:])
    return rows[:, :, None] & columns[:, None, :]
