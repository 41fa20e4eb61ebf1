"""Table 3: the best single stage and the best combination of stages, in the pointing game."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.pointing import IMAGES, MODES, Pointing, measure_pointing
from course_lib.studies.saliency.setting import METHODS, NAMES, NETS, STAGES

CHOICES = {"b.s.": "best stage", "b.w.": "best combination"}
COLUMNS = [(images, net, choice) for images in IMAGES for net in NETS for choice in CHOICES]
ROWS = {
    "CEB": (90.7, 88.6, 82.1, 78.2, 82.2, 82.2, 67.0, 65.2),
    "EB": (84.5, 83.1, 77.5, 75.7, 71.5, 71.3, 57.8, 56.1),
    "GC": (90.3, 90.5, 86.6, 80.6, 82.3, 82.6, 74.0, 67.8),
    "Gd": (83.9, 83.3, 86.6, 82.7, 70.3, 69.4, 66.4, 67.4),
    "Gds": (80.0, 77.4, 76.8, 77.2, 62.9, 59.5, 57.9, 59.4),
    "Gui": (82.3, 81.0, 75.8, 74.4, 67.9, 63.4, 53.0, 51.6),
    "LA": (90.2, 91.2, 86.4, 86.9, 81.9, 83.8, 74.5, 77.4),
    "NG": (84.6, 83.5, 81.9, 81.8, 72.2, 70.2, 64.8, 64.6),
    "sNG": (87.4, 88.7, 86.0, 86.8, 77.0, 79.1, 72.6, 74.5),
}


def best_of(found: Mapping[Cell, float]) -> dict[Cell, float]:
    """From accuracies by (net, images, method, where) the best single one and the best combination."""
    best: dict[Cell, float] = {}
    for (net, images, method, where), value in found.items():
        if method == "centre":
            continue
        choice = "b.w." if where.split()[-1] in MODES else "b.s."
        cell = (net, images, method, choice)
        best[cell] = max(value, best.get(cell, value))
    return best


def measure_best(config: Pointing, seed: int) -> dict[Cell, float]:
    """The best stage and the best combination, chosen by the very accuracy that is told, as in the source."""
    return best_of(measure_pointing(config, seed))


def gain(at: Mapping[Cell, float], net: str, method: str, images: str = "all") -> float:
    """What combining adds to the best stage, in points."""
    return at[net, images, method, "b.w."] - at[net, images, method, "b.s."]


def lead(at: Mapping[Cell, float], net: str, images: str = "all") -> float:
    """How far linear approximation with combined stages is ahead of all other lines, in points."""
    others = [
        at[net, images, method, choice]
        for method in METHODS
        for choice in CHOICES
        if (method, choice) != ("LA", "b.w.")
    ]
    return at[net, images, "LA", "b.w."] - max(others)


TABLE_3 = Study(
    id="saliency.table_3",
    title="The pointing game: the best stage, and the best combination of stages",
    source="Rebuffi 2020, Chapter 8, Table 3",
    claim="Combining the maps of several stages beats the best single one for linear approximation and for "
    "selective NormGrad, and linear approximation with combined stages beats everything else.",
    axes=("net", "images", "method", "choice"),
    unit="pointing accuracy (%), mean over classes",
    names=NETS | NAMES | IMAGES | CHOICES | STAGES,
    paper={
        (net, images, method, choice): value
        for method, row in ROWS.items()
        for (images, net, choice), value in zip(COLUMNS, row, strict=True)
    },
    reading="The gradient's 86.6 for VGG16 repeats the cell of Grad-CAM: the authors' program has 82.1 at "
    "its best layer. The best of a row is chosen on the accuracy that is told, in the source and here.",
    configs=scales.pointing(Pointing),
    protocol=scales.POINTING_SAYS,
    measure=measure_best,
    claims=(
        *(
            Claim(
                f"Combining stages helps {NAMES[method]}, net that {NETS[net]}.",
                lambda at, net=net, method=method: gain(at, net, method),
                above=0,
            )
            for net in NETS
            for method in ("LA", "sNG")
        ),
        *(
            Claim(
                f"Linear approximation with combined stages is ahead of all else, net that {NETS[net]}.",
                lambda at, net=net: lead(at, net),
                above=0,
            )
            for net in NETS
        ),
        *(
            Claim(
                f"Selective NormGrad beats NormGrad, net that {NETS[net]}.",
                lambda at, net=net: at[net, "all", "sNG", "b.s."] - at[net, "all", "NG", "b.s."],
                above=0,
            )
            for net in NETS
        ),
        *(
            Claim(
                f"Contrastive excitation backprop beats excitation backprop, net that {NETS[net]}.",
                lambda at, net=net: at[net, "all", "CEB", "b.s."] - at[net, "all", "EB", "b.s."],
                above=0,
            )
            for net in NETS
        ),
    ),
)
