"""Fig. 3.10: who reconstructs, pass by pass, with branch balancing and without."""

from collections.abc import Mapping
from dataclasses import dataclass

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.lines import LINES, relative_gap
from course_lib.studies.hybridnet.setting import Setting
from course_lib.studies.hybridnet.shared import images, train
from course_lib.studies.registry import Cell, Claim, Study

BALANCING = {"without": "h", "with": "i"}
PARTS = ("c", "u", "x")
PAPER_EPOCHS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 35, 40, 45)
# The first three points of the curves without balancing lie above the axis of the figure.
PAPER = {
    ("without", "c"): (
        0.951, 0.636, 0.466, 0.378, 0.330, 0.285, 0.270, 0.262, 0.241, 0.240, 0.228, 0.212, 0.208, 0.206,
    ),
    ("without", "u"): (
        0.964, 0.557, 0.329, 0.204, 0.135, 0.072, 0.051, 0.039, 0.040, 0.041, 0.032, 0.022, 0.017, 0.015,
    ),
    ("without", "x"): (
        0.705, 0.375, 0.207, 0.121, 0.078, 0.043, 0.032, 0.024, 0.020, 0.016, 0.013, 0.012, 0.011, 0.010,
    ),
    ("with", "c"): (
        0.691, 0.454, 0.335, 0.295, 0.248, 0.267, 0.178, 0.202,
        0.198, 0.138, 0.141, 0.119, 0.104, 0.093, 0.094,
    ),
    ("with", "u"): (
        0.898, 0.521, 0.322, 0.219, 0.161, 0.183, 0.109, 0.085,
        0.089, 0.080, 0.077, 0.078, 0.082, 0.081, 0.084,
    ),
    ("with", "x"): (
        1.238, 0.659, 0.362, 0.213, 0.136, 0.166, 0.073, 0.051,
        0.051, 0.034, 0.029, 0.021, 0.023, 0.017, 0.015,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Curves(Setting):
    """How a net is trained with balancing and without.

    Attributes:
        labels: labelled images.
        passes: after which passes over the unlabelled images the errors are told; later ones than the run
            has are left out.
    """

    labels: int = 100
    passes: tuple[int, ...] = PAPER_EPOCHS


def measure_curves(config: Curves, seed: int) -> dict[Cell, float]:
    """Errors per pixel on the training images, by (balancing, part, pass), and "end", the last pass."""
    found: dict[Cell, float] = {}
    streams = images(config, config.labels, seed)
    for balancing, line in BALANCING.items():
        _, history = train(config, LINES[line], streams, seed)
        for part in PARTS:
            curve = history.losses[part]
            told = [n for n in config.passes if n <= len(curve)]
            found |= {(balancing, part, n): curve[n - 1] for n in told}
            found[balancing, part, "end"] = curve[-1]
    return found


def error(at: Mapping[Cell, float], balancing: str, part: str) -> float:
    """The error at the end, or after the last pass that the source's figure has."""
    cell = (balancing, part, "end")
    return at[cell] if cell in at else at[balancing, part, PAPER_EPOCHS[-1]]


def gap(at: Mapping[Cell, float], balancing: str) -> float:
    """How far apart the partial errors are in the end, over their sum."""
    return relative_gap(error(at, balancing, "c"), error(at, balancing, "u"))


FIGURE_3_10 = Study(
    id="hybridnet.figure_3_10",
    title="Who reconstructs, with branch balancing and without",
    source="Robert 2019, Fig. 3.10",
    claim="Without balancing x̂_u redraws the image almost alone; with it, both branches contribute alike.",
    axes=("balancing", "part", "pass"),
    unit="squared error per pixel",
    names={"c": "x̂_c alone", "u": "x̂_u alone", "x": "x̂", "with": "balanced", "without": "not balanced"},
    paper={
        (balancing, part, n): value
        for (balancing, part), values in PAPER.items()
        for n, value in zip(PAPER_EPOCHS[-len(values) :], values, strict=True)
    },
    reading="The source plots the curves; the values are read off its vector graphics, to about 0.005.",
    configs={
        "smoke": scales.of(Curves, scales.DIGITS_ON_GROUND, steps=26),
        "cpu": scales.of(Curves, scales.DIGITS_ON_GROUND, steps=1000),
        "gpu": scales.of(Curves, scales.CIFAR, labels=2000),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": (
            "The images are digits on a weak coloured ground (Digits-M at strength 0.4). "
            "The net has one convolution a stage with 16 and 32 maps, and takes 1000 steps of 64 images, "
            "which are 45 passes over the unlabelled ones. Pixels are standardised, so that an empty picture "
            "has error 1, where the source's have about 0.26. Lines h and i of Table 3.5 are compared: "
            "the source does not say whether its curves have the stability term."
        ),
        "gpu": scales.CIFAR_SAYS,
    },
    measure=measure_curves,
    shown=tuple((b, p, n) for b in BALANCING for p in PARTS for n in (1, 5, 10, 20, 40, "end")),
    digits=3,
    claims=(
        Claim(
            "Without balancing, one branch does nearly all: the partial errors differ by more than half "
            "their sum.",
            lambda at: gap(at, "without"),
            above=0.5,
        ),
        Claim(
            "With balancing they are close: they differ by less than a quarter of their sum.",
            lambda at: gap(at, "with"),
            above=-0.25,
            below=0.25,
        ),
        Claim("Balancing brings them closer.", lambda at: gap(at, "with") - gap(at, "without"), below=0),
        Claim(
            "Balancing lowers the error of x̂_c alone.",
            lambda at: error(at, "with", "c") - error(at, "without", "c"),
            below=0,
        ),
        Claim(
            "Balancing raises the error of x̂_u alone.",
            lambda at: error(at, "with", "u") - error(at, "without", "u"),
            above=0,
        ),
        Claim(
            "Balancing costs some of the reconstruction.",
            lambda at: error(at, "with", "x") - error(at, "without", "x"),
            above=0,
        ),
    ),
)
