"""Photographs of birds: what a pointing game says where the object is large, alone and in the middle."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency.bird_photographs import COMBINED, Birds, measure_birds
from course_lib.studies.saliency.setting import METHODS, NAMES, STAGES

TASKS = {"pointing": "pointing game", "boxes": "boxes", "class": "class"}
NETS = {"trained": "trained net", "untrained": "untrained net", "none": "no net"}
PLACES = ("input", "1", "2", "3", "last", COMBINED)


def best(at: Mapping[Cell, float], net: str, method: str, task: str = "pointing") -> float:
    """The best place of a method."""
    return max(at[task, net, method, place] for place in PLACES)


def trained_over_untrained(at: Mapping[Cell, float], task: str = "pointing") -> float:
    """What training adds, in the mean over methods and places, in points."""
    gaps = [
        at[task, "trained", method, place] - at[task, "untrained", method, place]
        for method in METHODS
        for place in PLACES
    ]
    return sum(gaps) / len(gaps)


BIRDS = Study(
    id="saliency.birds",
    title="The pointing game on photographs of birds",
    source="Rebuffi 2020, Chapter 8, §4 (other photographs)",
    claim="A control of the course's own: photographs with one large object in the middle say little about "
    "a map.",
    axes=("task", "net", "method", "place"),
    unit="accuracy (%)",
    names=TASKS
    | NETS
    | NAMES
    | STAGES
    | {COMBINED: "stages combined", "centre": "centre of the image", "net": "the net"},
    paper={},
    reading="The source plays on PASCAL VOC. These are twenty species of CUB-200-2011, with a box around "
    "each bird.",
    configs={
        "smoke": Birds(steps=2, asked=20, size=32, tolerance=1.0),
        "cpu": Birds(),
        "gpu": Birds(size=128, width=4, steps=8000, tolerance=4.0),
    },
    protocol={
        "smoke": "A few steps and a few photographs: it shows that the study runs, and no more.",
        "cpu": "Photographs of 64×64 pixels. A TinyVGG that ends in an average learns the species from "
        "600 of them, "
        "for 2000 steps of 32; the other 589 are asked about. A hit may be less than 2 pixels off the box. "
        "The threshold of a box is the one that is best on the training photographs.",
        "gpu": "The same with 128×128 pixels, four times as many maps, and 8000 steps.",
    },
    measure=measure_birds,
    shown=tuple(
        (task, net, method, place)
        for task in ("pointing", "boxes")
        for net in ("trained", "untrained")
        for method in METHODS
        for place in ("last", COMBINED)
    )
    + tuple((task, "none", "centre", "centre") for task in ("pointing", "boxes"))
    + tuple(("class", net, "net", "net") for net in ("trained", "untrained")),
    claims=(
        Claim(
            "The centre of the photograph is on the bird more than nine times in ten.",
            lambda at: at["pointing", "none", "centre", "centre"],
            above=90,
        ),
        *(
            Claim(
                f"{NAMES[method]} points better than the centre of the photograph, at its best place.",
                lambda at, method=method: (
                    best(at, "trained", method) - at["pointing", "none", "centre", "centre"]
                ),
                above=0,
            )
            for method in ("LA", "sNG", "GC", "CEB")
        ),
        Claim(
            "Training helps the pointing, in the mean over methods and places.",
            trained_over_untrained,
            above=0,
        ),
        Claim(
            "Linear approximation with combined stages draws better boxes than the whole photograph.",
            lambda at: at["boxes", "trained", "LA", COMBINED] - at["boxes", "none", "centre", "centre"],
            above=0,
        ),
    ),
)
