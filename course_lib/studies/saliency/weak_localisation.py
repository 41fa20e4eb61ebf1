"""§2.5.3: a box around what is left of a map, and the threshold that every method wants for itself."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.setting import METHODS, NAMES, NETS, STAGES
from course_lib.studies.saliency.weak_boxes import COMBINED, WeakBoxes, measure_weak_boxes

PLACES = ("3", "last", COMBINED)


def best(at: Mapping[Cell, float], net: str, method: str, place: str) -> tuple[float, float]:
    """The best accuracy over the thresholds, and the threshold that has it."""
    curve = {cell[3]: value for cell, value in at.items() if cell[:3] == (net, method, place)}
    if not curve:
        raise KeyError((net, method, place))
    threshold = max(curve, key=curve.get)
    return curve[threshold], threshold


def price_of_one_threshold(at: Mapping[Cell, float], net: str, place: str) -> float:
    """What methods lose, in the mean (points), under the one threshold that suits them together best."""
    thresholds = sorted({cell[3] for cell in at})
    own = sum(best(at, net, method, place)[0] for method in METHODS) / len(METHODS)
    common = max(sum(at[net, method, place, t] for method in METHODS) / len(METHODS) for t in thresholds)
    return own - common


def range_of_thresholds(at: Mapping[Cell, float], net: str, place: str) -> float:
    """From the lowest to the highest of the methods' best thresholds."""
    found = [best(at, net, method, place)[1] for method in METHODS]
    return max(found) - min(found)


WEAK_LOCALISATION = Study(
    id="saliency.weak_localisation",
    title="Boxes around what is left of a map above a threshold",
    source="Rebuffi 2020, §2.5.3, described and not run",
    claim="The threshold has to be chosen anew for every method.",
    axes=("net", "method", "place", "threshold"),
    unit="boxes (%) that overlap the object's by more than half",
    names=NETS | NAMES | STAGES | {COMBINED: "stages combined"},
    paper={},
    reading="The source describes the task and its weakness, and gives no numbers.",
    configs={
        "smoke": scales.smoke(WeakBoxes, asked=10),
        "cpu": WeakBoxes(nets=("gap",)),
        "gpu": WeakBoxes(**scales.VOC, asked=4000),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": scales.SCENES_SAY
        + " The first 300 pairs of a scene and a class are asked; the combination is a "
        "product with uniform weights.",
        "gpu": scales.VOC_SAYS,
    },
    measure=measure_weak_boxes,
    shown=tuple(
        ("gap", method, place, threshold)
        for place in ("last", COMBINED)
        for method in METHODS
        for threshold in (0.1, 0.3, 0.5, 0.7)
    ),
    claims=(
        Claim(
            "The methods' best thresholds at stage 3 lie at least 0.3 of the range apart.",
            lambda at: range_of_thresholds(at, "gap", "3"),
            above=0.29,
        ),
        Claim(
            "Under one common threshold the methods lose more than 5 points at stage 3, in the mean.",
            lambda at: price_of_one_threshold(at, "gap", "3"),
            above=5,
        ),
        Claim(
            "The best method for boxes combines stages.",
            lambda at: (
                max(best(at, "gap", method, COMBINED)[0] for method in METHODS)
                - max(best(at, "gap", method, place)[0] for method in METHODS for place in ("3", "last"))
            ),
            above=0,
        ),
    ),
)
