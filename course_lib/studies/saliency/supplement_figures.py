"""Figs. 1 to 3 of the supplement: weights of the stages, and meta-saliency while a net learns."""

from collections.abc import Mapping
from dataclasses import dataclass

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales, worlds
from course_lib.studies.saliency.over_time import OverTime, measure_over_time
from course_lib.studies.saliency.pointing import Pointing, stage_weights
from course_lib.studies.saliency.setting import NAMES, NETS, STAGES

RESNET, VGG = ("1", "2", "3", "last"), ("1", "2", "3", "4", "last")
SCHEMES = {"accuracy": "by accuracy", "spread": "by spread", "linear": "linear"}
RELEASED = {
    ("fc", "accuracy"): (0.0327, 0.1253, 0.2120, 0.3041, 0.3260),
    ("fc", "spread"): (0.2119, 0.3226, 0.3907, 0.0675, 0.0073),
    ("fc", "linear"): (0.0667, 0.1333, 0.2, 0.2667, 0.3333),
    ("gap", "accuracy"): (0.0778, 0.1120, 0.1960, 0.6142),
    ("gap", "spread"): (0.1699, 0.1950, 0.1931, 0.4420),
    ("gap", "linear"): (0.1, 0.2, 0.3, 0.4),
}


@dataclass(frozen=True)
class StageWeights(Pointing):
    """The weights alone."""

    weights: tuple[str, ...] = tuple(SCHEMES)


def measure_weights(config: StageWeights, seed: int) -> dict[Cell, float]:
    """γ by (net, scheme, stage)."""
    found: dict[Cell, float] = {}
    for net in config.nets:
        asked = worlds.subject(config, net, seed)
        stages = [stage for stage, layer in asked.stages.items() if layer is not None]
        for scheme, gammas in stage_weights(config, asked).items():
            found |= {(net, scheme, stage): gamma for stage, gamma in zip(stages, gammas, strict=True)}
    return found


SUPPLEMENT_FIGURE_1 = Study(
    id="saliency.supplement_figure_1",
    title="How much each stage counts when maps are combined",
    source="Rebuffi 2020, Chapter 8, supplement, Fig. 1",
    claim="Both measured weights grow with depth, but for the spread in VGG16, which falls in the last two "
    "layers.",
    axes=("net", "weights", "stage"),
    unit="weight, of all stages together 1",
    names=NETS | SCHEMES | STAGES,
    paper={
        (net, scheme, stage): value
        for (net, scheme), values in RELEASED.items()
        for stage, value in zip(RESNET if net == "gap" else VGG, values, strict=True)
    },
    reading="The numbers are those of the authors' program; the source plots them.",
    configs=scales.pointing(StageWeights),
    protocol=scales.POINTING_SAYS,
    measure=measure_weights,
    digits=3,
    claims=(
        *(
            Claim(
                f"The accuracy of a linear probe grows from stage 1 to the last maps, net that {NETS[net]}.",
                lambda at, net=net: at[net, "accuracy", "last"] - at[net, "accuracy", "1"],
                above=0,
            )
            for net in NETS
        ),
        Claim(
            "The spread grows with depth in the net that ends in an average.",
            lambda at: at["gap", "spread", "last"] - at["gap", "spread", "1"],
            above=0,
        ),
        Claim(
            "The spread falls at the last maps of the net that ends in dense layers, below that of stage 3.",
            lambda at: at["fc", "spread", "last"] - at["fc", "spread", "3"],
            below=0,
        ),
    ),
)


def gap_at_the_end(at: Mapping[Cell, float], method: str, stage: str = "last") -> float:
    """Correlation on training images less that on validation images, after the last step."""
    last = max((cell[3] for cell in at), default=0)
    return at["train", method, stage, last] - at["val", method, stage, last]


def settling(at: Mapping[Cell, float], method: str = "sNG", stage: str = "last") -> float:
    """How much more late maps with a meta-step resemble the final ones than early ones do."""
    steps = sorted({cell[3] for cell in at if cell[0] == "final"})
    if len(steps) < 2:
        raise KeyError("fewer than two steps")
    return at["final", method, stage, steps[-2]] - at["final", method, stage, steps[0]]


SUPPLEMENT_FIGURE_2 = Study(
    id="saliency.supplement_figure_2",
    title="Meta-saliency while the net learns, on images that it learns and on others",
    source="Rebuffi 2020, Chapter 8, supplement, Figs. 2 and 3",
    claim="A meta-step changes the maps of unseen images more, and the maps settle at the end of training.",
    axes=("what", "method", "stage", "steps"),
    unit="rank correlation with and without the meta-step; with the final one; accuracy (%)",
    names=NAMES
    | STAGES
    | {"train": "training images", "val": "other images", "final": "with the final maps", "net": "the net"}
    | {"accuracy train": "accuracy, training images", "accuracy val": "accuracy, other images"},
    paper={},
    reading="The source plots curves for ResNet50 over its training on ImageNet, without numbers.",
    configs={
        "smoke": scales.smoke(OverTime, few=24, at=(1, 2), asked=4),
        "cpu": OverTime(),
        "gpu": OverTime(few=3000, at=(100, 300, 1000, 3000, 6000, 9000), asked=600),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": "A TinyVGG that ends in an average learns 240 scenes with one object, and little else, for "
        "1000 steps of 32; 60 of them and 60 others are asked about, with ε = 0.01.",
        "gpu": "The same with 3000 scenes and 9000 steps, which are 96 passes; 600 of each are asked "
        "about. The source trains ResNet50 on ImageNet for some ninety passes.",
    },
    measure=measure_over_time,
    digits=2,
    claims=(
        *(
            Claim(
                f"The maps of unseen images change more with the meta-step, {NAMES[method]}.",
                lambda at, method=method: gap_at_the_end(at, method),
                above=0,
            )
            for method in ("NG", "sNG")
        ),
        Claim(
            "The maps with a meta-step settle: late ones resemble the final ones more than early ones do.",
            settling,
            above=0,
        ),
    ),
)
