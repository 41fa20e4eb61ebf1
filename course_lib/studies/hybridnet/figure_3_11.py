"""Figs. 3.6, 3.11, B.1 and B.2: what the partial reconstructions look like, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.lines import LINES, NAMES, relative_gap
from course_lib.studies.hybridnet.pictures import described, reconstructions
from course_lib.studies.hybridnet.setting import Setting
from course_lib.studies.hybridnet.shared import images, in_order, train
from course_lib.studies.registry import Cell, Claim, Study


@dataclass(frozen=True)
class Pictures(Setting):
    """Which nets are trained.

    Attributes:
        labels: labelled images.
        lines: names in ``LINES``, of nets with two branches and late fusion.
    """

    labels: int = 100
    lines: tuple[str, ...] = ("h", "i")


def measure_pictures(config: Pictures, seed: int) -> dict[Cell, float]:
    """What is in the test images and in each reconstruction of them, by (quantity, line, part)."""
    streams = images(config, config.labels, seed)
    found: dict[Cell, float] = {}
    for line in config.lines:
        net, _ = train(config, LINES[line], streams, seed)
        values = described(reconstructions(net, in_order(config, streams, streams.test)))
        found |= {(quantity, line, part): value for (quantity, part), value in values.items()}
    return found


def difference(at: Mapping[Cell, float], quantity: str, first: tuple[str, str], second: tuple[str, str]):
    """Of a quantity between two (line, part)."""
    return at[(quantity, *first)] - at[(quantity, *second)]


def gap(at: Mapping[Cell, float], line: str) -> float:
    """How far apart the partial errors are, over their sum."""
    return relative_gap(at["error", line, "c"], at["error", line, "u"])


FIGURE_3_11 = Study(
    id="hybridnet.figure_3_11",
    title="What each branch draws of photographs",
    source="Robert 2019, Figs. 3.6, 3.11, B.1 and B.2",
    claim="x̂_c is a blurred picture in approximate colours; x̂_u adds edges, texture and corrections.",
    axes=("quantity", "line", "part"),
    unit="error per pixel; % of the image's contrast; fine detail (%) and colour (%) of a picture",
    names=NAMES | {"c": "x̂_c", "u": "x̂_u", "x": "x̂"},
    paper={},
    reading=(
        "The source shows pictures. Here contrast is the variance over the pixels; fine detail is the part "
        "of it that goes when blocks of 4×4 pixels become flat; colour is the part of the energy that is no "
        "grey."
    ),
    configs={
        "smoke": scales.of(Pictures, scales.DIGITS_ON_GROUND, steps=2, tested=50),
        "cpu": scales.of(
            Pictures, scales.DIGITS_ON_GROUND, data="cifar10", options=(), steps=200, flip=True, tested=2000
        ),
        "gpu": scales.of(Pictures, scales.STL, labels=1000),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": (
            "The photographs are CIFAR-10 with 100 labels instead of STL-10. The net has one convolution a "
            "stage with 16 and 32 maps and takes 200 steps of 64 images, which is less than one pass; "
            "lines h (without balancing) and i of Table 3.5 are compared."
        ),
        "gpu": scales.STL_SAYS,
    },
    measure=measure_pictures,
    claims=(
        Claim(
            "Balancing gives x̂_c more contrast.",
            lambda at: difference(at, "contrast", ("i", "c"), ("h", "c")),
            above=0,
        ),
        Claim("Balancing brings the partial errors closer.", lambda at: gap(at, "i") - gap(at, "h"), below=0),
        Claim(
            "Without balancing, they differ by more than half their sum.", lambda at: gap(at, "h"), above=0.5
        ),
        Claim(
            "With balancing, x̂_c has less fine detail than x̂_u.",
            lambda at: difference(at, "fine detail", ("i", "c"), ("i", "u")),
            below=0,
        ),
        Claim(
            "With balancing, x̂_u is greyer than x̂_c.",
            lambda at: difference(at, "colour", ("i", "u"), ("i", "c")),
            below=0,
        ),
    ),
)
