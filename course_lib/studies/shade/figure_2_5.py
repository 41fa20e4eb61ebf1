"""Fig. 2.5, declared: what lower entropy does to a representation, with the label given and without."""

import math
from collections.abc import Mapping
from itertools import pairwise

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.representation import METHODS, Representation, measure_representation

WEIGHT = 0.1  # that of the chapter's other studies
LEFT = 10.0  # % of the plain net's variance: all methods come down to it


def share_with(at: Mapping[Cell, float], units: int, method: str, left: float = LEFT) -> float:
    """The share (%) of the variance that lies between classes when ``left`` % of the plain net's remain.

    Between two weights it is interpolated along the logarithm of the variance; the plain net is weight 0.

    Raises:
        KeyError: it was not measured, or the variance never fell that far.
    """
    weights = sorted(cell[3] for cell in at if cell[:3] == ("total", units, method))
    nets = [("none", 0.0), *((method, weight) for weight in weights)]
    curve = [(at["total", units, *net], at["share", units, *net]) for net in nets]
    for (high, before), (low, behind) in pairwise(curve):
        if high >= left >= low > 0 and high > low:
            return before + math.log(high / left) / math.log(high / low) * (behind - before)
    raise KeyError(left)


def lead(at: Mapping[Cell, float], quantity: str, units: int, method: str, other: str) -> float:
    """By how much a method exceeds another at the chapter's weight; ``none`` is the plain net."""

    def value(method: str) -> float:
        return at[quantity, units, method, 0.0 if method == "none" else WEIGHT]

    return value(method) - value(other)


def claims(units: int) -> tuple[Claim, ...]:
    """What is claimed of a representation of so many units."""
    where = f"with {units} units"
    named = {"class": "the class-conditional variance", "shade": "SHADE", "varentropy": "VarEntropy"}
    larger = (("class", "varentropy"), ("shade", "varentropy"), ("class", "shade"))
    return (
        Claim(
            f"VarEntropy draws the classes nearer to each other, {where}: it leaves less of the variance "
            "between them.",
            lambda at: at["between", units, "varentropy", WEIGHT],
            below=100,
        ),
        Claim(
            f"The class-conditional variance draws each class together, {where}: it leaves less of the "
            "variance within them.",
            lambda at: at["within", units, "class", WEIGHT],
            below=100,
        ),
        Claim(
            f"With the class-conditional variance a larger share lies between classes than without, {where}.",
            lambda at: lead(at, "share", units, "class", "none"),
            above=0,
        ),
        Claim(
            f"With VarEntropy no larger share lies between classes than without, {where}.",
            lambda at: lead(at, "share", units, "varentropy", "none"),
            below=0,
        ),
        *(
            Claim(
                f"With {named[method]} a larger share lies between classes than with {named[other]}, "
                f"{where}.",
                lambda at, method=method, other=other: lead(at, "share", units, method, other),
                above=0,
            )
            for method, other in larger
        ),
        *(
            Claim(
                f"The same at equal variance, {LEFT:g} % of the plain net's: {named[method]} against "
                f"{named[other]}, {where}.",
                lambda at, method=method, other=other: (
                    share_with(at, units, method) - share_with(at, units, other)
                ),
                above=0,
            )
            for method, other in larger
        ),
        Claim(
            f"The class-conditional variance keeps more accuracy than VarEntropy, {where}.",
            lambda at: lead(at, "accuracy", units, "class", "varentropy"),
            above=0,
        ),
    )


NET = (
    "The representation is a linear layer without ReLU between the small ConvNet and its head, and it alone "
    "is penalised. "
    "With two units it can be drawn; ten classes are then hard to part, so it is also measured with 16. "
    "The conditional entropy is played by the variance within the classes of a batch, which needs the "
    "labels: the course's oracle. "
    "Entropies are not measured: as in the source's losses, variances stand for them. "
    "Between and within are those of the test images, summed over units. "
    "Each net also minimises the cross-entropy, and its head can undo a smaller scale. "
    "Equal weights are not equally strong, so the share is also compared at equal variance. "
    "The weights are not tuned. "
)

NETS = (("none", 0.0), *((method, weight) for method in METHODS for weight in (0.01, WEIGHT, 1.0)))
SHOWN = tuple(
    (quantity, units, *net)
    for units in (2, 16)
    for quantity, nets in (
        ("total", NETS[1:]),
        ("between", [net for net in NETS if net[1] == WEIGHT]),
        ("within", [net for net in NETS if net[1] == WEIGHT]),
        ("share", NETS),
        ("accuracy", [net for net in NETS if net[1] != 0.01]),
    )
    for net in nets
)

FIGURE_2_5 = Study(
    id="shade.figure_2_5",
    title="Lower entropy, with the class given and without",
    source="Robert 2019, Fig. 2.5",
    claim="Lower H(H) draws all representations together; lower H(H|Y) each class by itself.",
    axes=("quantity", "units", "method", "weight"),
    unit="variance (% of the plain net's), share of it between classes (%), and test accuracy (%)",
    names={
        "total": "variance",
        "between": "variance between classes",
        "within": "variance within classes",
        "share": "share between classes",
        "accuracy": "accuracy",
        "none": "baseline",
        "shade": "SHADE",
        "varentropy": "VarEntropy",
        "class": "class-conditional variance",
    },
    paper={},
    reading=(
        "The source draws it as a schematic and gives no number: it is measured here for the first time. "
        "It draws H(H) and H(H|Y); SHADE and the comparison at equal variance are the course's own."
    ),
    configs={
        "smoke": Representation("glyphs", size=16, learned=100, looked_at=100, width=2, steps=2),
        "cpu": Representation("glyphs", size=16),
        "gpu": Representation("mnist_m", size=32, width=64, steps=10_000, batch_size=128, lr=1e-3),
    },
    protocol={
        "smoke": "Only a few steps are taken on a few images, so the numbers mean nothing.",
        "cpu": (
            "The images are Glyphs of 16×16, printed digits of twenty faces that are moved, turned and "
            "slanted, and training takes 400 steps of Adam. " + NET
        ),
        "gpu": (
            "The images are MNIST-M at 32×32, and training takes 10 000 steps of Adam on 128 images. " + NET
        ),
    },
    shown=SHOWN,
    measure=measure_representation,
    claims=(*claims(2), *claims(16)),
)
