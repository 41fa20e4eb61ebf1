"""Fig. 3: the pointing game of every method at every stage, and the centre of the image."""

from collections.abc import Mapping
from dataclasses import dataclass

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.pointing import IMAGES, Pointing, measure_pointing
from course_lib.studies.saliency.setting import METHODS, NAMES, NETS, STAGES

CENTRE = {"centre": "centre of the image"}
VGG = ("1", "2", "3", "4", "last")
INNER = RESNET = ("1", "2", "3", "last")
BY_LAYER = {  # of the authors' program, PASCAL VOC 2007, all images
    "fc": {
        "CEB": (76.00, 75.71, 75.65, 77.74, 82.12),
        "EB": (73.78, 73.76, 73.68, 75.32, 77.58),
        "GC": (59.07, 58.35, 55.42, 58.15, 86.64),
        "Gd": (76.42, 78.12, 80.65, 82.09, 39.53),
        "Gds": (75.51, 76.84, 74.18, 66.37, 55.58),
        "Gui": (75.38, 72.59, 70.55, 73.11, 25.49),
        "LA": (81.50, 83.01, 83.11, 84.62, 86.49),
        "NG": (78.86, 81.01, 81.87, 81.93, 77.69),
        "sNG": (81.39, 81.37, 81.94, 84.85, 86.02),
    },
    "gap": {
        "CEB": (88.07, 89.33, 90.72, 89.74),
        "EB": (82.13, 83.30, 84.52, 84.56),
        "GC": (54.45, 52.87, 66.29, 90.37),
        "Gd": (78.60, 83.92, 82.79, 18.02),
        "Gds": (79.59, 80.05, 70.44, 6.72),
        "Gui": (76.87, 77.70, 82.32, 18.02),
        "LA": (83.28, 85.53, 85.60, 90.24),
        "NG": (81.85, 84.05, 84.61, 78.77),
        "sNG": (82.27, 86.30, 86.89, 87.44),
    },
}
PAPER = {
    (net, "all", method, stage): value
    for net, stages in (("fc", VGG), ("gap", RESNET))
    for method, values in BY_LAYER[net].items()
    for stage, value in zip(stages, values, strict=True)
} | {
    (net, images, "centre", "centre"): value
    for net in NETS
    for images, value in (("all", 69.6), ("difficult", 42.4))
}


@dataclass(frozen=True)
class ByStage(Pointing):
    """The same game, without combinations of stages."""

    weights: tuple[str, ...] = ()


def over_centre(at: Mapping[Cell, float], net: str, method: str, stage: str) -> float:
    """How much better than the centre of the image a map points, in points."""
    return at[net, "all", method, stage] - at[net, "all", "centre", "centre"]


def stages_ahead(at: Mapping[Cell, float], net: str, first: str, second: str) -> float:
    """The mean lead of a method over another, in points, over the stages before the last."""
    gaps = [at[net, "all", first, stage] - at[net, "all", second, stage] for stage in ("1", "2", "3")]
    return sum(gaps) / len(gaps)


def claims() -> tuple[Claim, ...]:
    """What the caption and the text say, for both nets."""
    found = []
    for net, ends in NETS.items():
        found += [
            Claim(
                f"Grad-CAM is worse than linear approximation before the last maps, net that {ends}.",
                lambda at, net=net: stages_ahead(at, net, "GC", "LA"),
                below=0,
            ),
            Claim(
                f"Grad-CAM is worse than NormGrad before the last maps, net that {ends}.",
                lambda at, net=net: stages_ahead(at, net, "GC", "NG"),
                below=0,
            ),
            Claim(
                f"Grad-CAM at stage 1 is worse than the centre of the image, net that {ends}.",
                lambda at, net=net: over_centre(at, net, "GC", "1"),
                below=0,
            ),
            Claim(
                f"Grad-CAM gains from stage 3 to the last maps, net that {ends}.",
                lambda at, net=net: at[net, "all", "GC", "last"] - at[net, "all", "GC", "3"],
                above=0,
            ),
            Claim(
                f"The gradient breaks down at the last maps: it loses more than 20 points, net that {ends}.",
                lambda at, net=net: at[net, "all", "Gd", "last"] - at[net, "all", "Gd", "3"],
                below=-20,
            ),
            Claim(
                f"NormGrad loses against its selective form at the last maps, net that {ends}.",
                lambda at, net=net: at[net, "all", "NG", "last"] - at[net, "all", "sNG", "last"],
                below=0,
            ),
        ]
    return tuple(found)


FIGURE_3 = Study(
    id="saliency.figure_3",
    title="The pointing game, stage by stage",
    source="Rebuffi 2020, Chapter 8, Figs. 3 and 4",
    claim="Grad-CAM works at the last maps only; at the others it is worse than pointing at the centre.",
    axes=("net", "images", "method", "stage"),
    unit="pointing accuracy (%), mean over classes",
    names=NETS | NAMES | IMAGES | CENTRE | STAGES,
    paper=PAPER,
    reading="The values of the curves are those that the authors' program prints; the source shows the "
    "figure for "
    "ResNet50 and its caption gives the two of the centre. VGG16 has a fourth stage that the small net "
    "lacks.",
    configs=scales.pointing(ByStage),
    protocol=scales.POINTING_SAYS,
    measure=measure_pointing,
    shown=tuple(
        (net, "all", method, stage)
        for net in NETS
        for method in METHODS
        for stage in ("input", "1", "2", "3", "4", "last")
    )
    + tuple((net, images, "centre", "centre") for net in NETS for images in IMAGES),
    claims=claims(),
)

FIGURE_3_PLAIN = Study(
    id="saliency.figure_3_plain",
    title="The pointing game in a world without clutter",
    source="Rebuffi 2020, Chapter 8, Fig. 3",
    claim="A control of the course's own: where nothing but objects is to be seen, any map of edges points "
    "well.",
    axes=("net", "images", "method", "stage"),
    unit="pointing accuracy (%), mean over classes",
    names=NETS | NAMES | IMAGES | CENTRE | STAGES,
    paper={},
    reading="The source has no such control.",
    configs=scales.plain(ByStage),
    protocol=scales.PLAIN_SAYS,
    measure=measure_pointing,
    shown=(
        *(("gap", "all", method, stage) for method in METHODS for stage in ("input", *INNER)),
        ("gap", "all", "centre", "centre"),
    ),
    claims=(
        Claim(
            "Excitation backprop, which hardly knows the class, points right nearly always: above 90 %.",
            lambda at: max(at["gap", "all", "EB", stage] for stage in ("1", "2", "3")),
            above=90,
        ),
        Claim(
            "Guided backprop, too: above 90 %.",
            lambda at: max(at["gap", "all", "Gui", stage] for stage in ("input", "1", "2")),
            above=90,
        ),
    ),
)
