"""Meta-saliency while a net learns: on images that it learns, and on others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib import data, runtime
from course_lib.metrics import spearman
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import composed
from course_lib.studies.saliency.parts import Subject
from course_lib.studies.saliency.sensitivity import maps
from course_lib.studies.saliency.setting import RATES, Setting
from course_lib.training import cross_entropy, fit


@dataclass(frozen=True)
class OverTime(Setting):
    """How the net learns, and when it is asked.

    Attributes:
        net: which; only composed scenes are learned from nothing here.
        few: training scenes, few enough that the net comes to know them by heart.
        at: after which steps it is asked.
        methods: tags of methods.
        stages: where.
        eps: of the meta-step.
        asked: images of each split.
    """

    net: str = "gap"
    few: int = 240
    at: tuple[int, ...] = (20, 50, 100, 200, 400, 700, 1000)
    methods: tuple[str, ...] = ("NG", "sNG")
    stages: tuple[str, ...] = ("3", "last")
    eps: float = 0.01
    asked: int = 60


def measure_over_time(config: OverTime, seed: int) -> dict[Cell, float]:
    """Mean rank correlations by (what, method, stage, step).

    ``what``: "train" and "val", of the maps with a meta-step and without; "final", on validation images, of
    the meta-saliency at that step and at the last one. With the accuracies, "accuracy train" and
    "accuracy val" (%), at method and stage "net".
    """
    torch.manual_seed(seed)
    model = composed.tiny_vgg(config.net).to(runtime.device())
    learned = composed.scenes(config, "train", False, config.few)
    images = {
        "train": (composed.as_seen(learned)[: config.asked], learned.labels[: config.asked]),
        "val": composed.labelled(config, "test", config.asked),
    }
    asked = Subject(model, {stage: composed.STAGES[stage] for stage in config.stages}, {})
    found: dict[Cell, float] = {}
    meta: dict[int, dict[Cell, Tensor]] = {}

    def look(step: int) -> None:
        for split, (x, y) in images.items():
            with_step = maps(asked, x, y, config.methods, config.eps)
            plain = maps(asked, x, y, config.methods)
            found.update(
                {(split, *cell, step): mean(spearman(plain[cell], with_step[cell])) for cell in plain}
            )
            found[f"accuracy {split}", "net", "net", step] = 100 * composed.right(model, x, y)
            if split == "val":
                meta[step] = with_step

    batches = data.Batches(
        learned, config.batch_size, steps=max(config.at), seed=seed, channels_last=True, **composed.PIXELS
    )
    fit(
        model,
        batches,
        cross_entropy,
        epochs=1,
        optimizer=torch.optim.AdamW(
            model.parameters(), lr=RATES[config.net], weight_decay=config.weight_decay
        ),
        schedule=composed.falls_late,
        channels_last=True,
        on_step=lambda model, step: look(step.step + 1) if step.step + 1 in config.at else None,
        progress=False,
    )
    last = meta[max(config.at)]
    for step, then in meta.items():
        for cell in then:
            found["final", *cell, step] = mean(spearman(then[cell], last[cell]))
    return found


def mean(rho: Tensor) -> float:
    """Over the images that have a correlation."""
    return rho[rho.isfinite()].mean().item()
