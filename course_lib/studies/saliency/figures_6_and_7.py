"""Figs. 6 and 7: does a map depend on the class, and does meta-saliency make it depend more?"""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.sensitivity import ClassSensitivity, measure_sensitivity
from course_lib.studies.saliency.setting import METHODS, NAMES, NETS, STAGES

INNER = ("1", "2", "3", "last")
SUMS = ("Gds", "LA", "GC")
STEPS = (0.0, 0.001, 0.01, 0.05)


def measure_plain(config: ClassSensitivity, seed: int) -> dict[Cell, float]:
    """Mean rank correlation by (net, method, stage)."""
    return {cell[:-1]: value for cell, value in measure_sensitivity(config, seed).items()}


def over_stages(
    at: Mapping[Cell, float], net: str, method: str, stages=INNER, eps: float | None = None
) -> float:
    """The mean correlation of a method over the stages that have one."""
    tail = () if eps is None else (eps,)
    cells = [(net, method, stage, *tail) for stage in stages]
    return mean([at[cell] for cell in cells if cell in at])


def mean(values: list[float]) -> float:
    """Of values that are there; a study in which none is lacks the cells.

    Raises:
        KeyError: there is none.
    """
    if not values:
        raise KeyError("no cell")
    return sum(values) / len(values)


def closest_to_zero(at: Mapping[Cell, float], net: str) -> float:
    """How much closer to 0 the contrastive excitation backprop is than the closest other method."""
    sizes = {method: abs(over_stages(at, net, method)) for method in METHODS}
    return min(size for method, size in sizes.items() if method != "CEB") - sizes["CEB"]


def plain_claims() -> tuple[Claim, ...]:
    """What the text says of Fig. 6."""
    found = []
    for net, ends in NETS.items():
        for method in ("EB", "Gui"):
            found.append(
                Claim(
                    f"{NAMES[method].capitalize()} hardly depends on the class: its correlation before the "
                    f"last "
                    f"maps is above 0.7, net that {ends}.",
                    lambda at, net=net, method=method: over_stages(at, net, method, ("1", "2", "3")),
                    above=0.7,
                )
            )
        found += [
            Claim(
                f"Contrastive excitation backprop is the closest to 0 of all, net that {ends}.",
                lambda at, net=net: closest_to_zero(at, net),
                above=0,
            ),
            Claim(
                f"Contrastive excitation backprop depends more on the class than the plain one, net that "
                f"{ends}.",
                lambda at, net=net: over_stages(at, net, "EB") - over_stages(at, net, "CEB"),
                above=0,
            ),
            *(
                Claim(
                    f"The maps of a sum are opposite for the two classes: {NAMES[method]}, net that {ends}.",
                    lambda at, net=net, method=method: over_stages(at, net, method),
                    below=0,
                )
                for method in SUMS
            ),
            Claim(
                f"NormGrad hardly depends on the class at stages 1 and 2: above 0.5, net that {ends}.",
                lambda at, net=net: over_stages(at, net, "NG", ("1", "2")),
                above=0.5,
            ),
            Claim(
                f"Selective NormGrad depends more on the class than NormGrad, net that {ends}.",
                lambda at, net=net: over_stages(at, net, "NG") - over_stages(at, net, "sNG"),
                above=0,
            ),
        ]
    return tuple(found)


FIGURE_6 = Study(
    id="saliency.figure_6",
    title="Maps of the likeliest class and of the least likely one",
    source="Rebuffi 2020, Chapter 8, Figs. 5 and 6",
    claim="Most maps hardly change with the class, least of all those of excitation and guided backprop; "
    "those of "
    "a sum turn into their opposite; contrastive excitation backprop comes closest to what one would wish.",
    axes=("net", "method", "stage"),
    unit="rank correlation of the two maps (0 is best)",
    names=NETS | NAMES | STAGES,
    paper={},
    reading="The source plots VGG16 without printing the numbers; the text says close to 1, closest to 0, "
    "negative.",
    configs={
        "smoke": scales.smoke(ClassSensitivity, asked=6),
        "cpu": ClassSensitivity(),
        "gpu": scales.imagenet(ClassSensitivity, asked=1000),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": scales.SCENES_SAY + " The maps of 300 scenes with one object are compared.",
        "gpu": scales.IMAGENET_SAYS,
    },
    measure=measure_plain,
    digits=2,
    shown=tuple(
        (net, method, stage)
        for net in NETS
        for method in METHODS
        for stage in ("input", "1", "2", "3", "4", "last")
    ),
    claims=plain_claims(),
)


def weaker(at: Mapping[Cell, float], net: str, method: str, eps: float) -> float:
    """By how much meta-saliency lowers the size of the correlation, in the mean over the stages."""
    gaps = [
        abs(at[net, method, stage, 0.0]) - abs(at[net, method, stage, eps])
        for stage in INNER
        if (net, method, stage, 0.0) in at and (net, method, stage, eps) in at
    ]
    return mean(gaps)


def share_weaker(at: Mapping[Cell, float], eps: float) -> float:
    """The part of all cells (%) in which the size of the correlation falls."""
    before = {cell[:3]: value for cell, value in at.items() if cell[3] == 0.0 and cell[2] in INNER}
    after = {cell[:3]: value for cell, value in at.items() if cell[3] == eps and cell[2] in INNER}
    both = before.keys() & after.keys()
    return 100 * mean([float(abs(after[cell]) < abs(before[cell])) for cell in both])


FIGURE_7 = Study(
    id="saliency.figure_7",
    title="The same after one step of learning the class",
    source="Rebuffi 2020, Chapter 8, Fig. 7",
    claim="With meta-saliency the two maps correlate less, for nearly all methods.",
    axes=("net", "method", "stage", "step"),
    unit="rank correlation of the two maps (0 is best)",
    names=NETS | NAMES | STAGES,
    paper={},
    reading="The source plots VGG16 at ε = 0.001 without printing the numbers; 2ε is the step that is taken.",
    configs={
        "smoke": scales.smoke(ClassSensitivity, asked=4, steps=STEPS),
        "cpu": ClassSensitivity(asked=100, steps=STEPS),
        "gpu": scales.imagenet(ClassSensitivity, asked=1000, steps=(0.0, 0.001)),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": scales.SCENES_SAY
        + " The maps of 100 scenes with one object are compared, at ε = 0.001, 0.01 and 0.05: these nets are "
        "small, and the same step moves them less.",
        "gpu": scales.IMAGENET_SAYS,
    },
    measure=measure_sensitivity,
    digits=2,
    shown=tuple(
        (net, method, stage, eps)
        for net in NETS
        for method in METHODS
        for stage in ("2", "last")
        for eps in STEPS
    ),
    claims=(
        *(
            Claim(
                f"With ε = {eps:g}, the size of the correlation falls in more than 80 % of all cells.",
                lambda at, eps=eps: share_weaker(at, eps),
                above=80,
            )
            for eps in STEPS[1:]
        ),
        *(
            Claim(
                f"With ε = 0.01, {NAMES[method]} correlates less, net that {NETS[net]}.",
                lambda at, net=net, method=method: weaker(at, net, method, 0.01),
                above=0,
            )
            for net in NETS
            for method in ("NG", "sNG", "LA", "Gd", "Gui")
        ),
    ),
)
