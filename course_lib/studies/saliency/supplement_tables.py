"""Tables 1 to 3 of the supplement: the identity trick, the best stages, and what each combination adds."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.figure_3 import ByStage
from course_lib.studies.saliency.identity import Identity, measure_identity
from course_lib.studies.saliency.pointing import IMAGES, MODES, WEIGHTS, Pointing, measure_pointing
from course_lib.studies.saliency.setting import NAMES, NETS, STAGES

# --- Table 1: NormGrad with the virtual identity and without ------------------------------------

CORRELATIONS = {
    ("correlation", "gap", "1"): (99.48, 0.55),
    ("correlation", "gap", "2"): (99.32, 0.35),
    ("correlation", "gap", "3"): (99.16, 0.42),
    ("correlation", "gap", "last"): (98.35, 1.05),
    ("correlation", "fc", "1"): (97.77, 1.34),
    ("correlation", "fc", "2"): (99.15, 0.42),
    ("correlation", "fc", "3"): (98.99, 0.57),
    ("correlation", "fc", "4"): (97.79, 1.42),
    ("correlation", "fc", "last"): (94.33, 3.09),
}
GAP = ("pointing", "both", "mean")
ORDER = ("input", "1", "2", "3", "4", "last")


def lowest(at: Mapping[Cell, float]) -> float:
    """The lowest of the mean correlations (×100)."""
    return min(value for (what, *_), value in at.items() if what == "correlation")


SUPPLEMENT_TABLE_1 = Study(
    id="saliency.supplement_table_1",
    title="NormGrad of a real convolution, and of an identity imagined behind it",
    source="Rebuffi 2020, Chapter 8, §4.1 and supplement, Table 1",
    claim="The virtual identity gives nearly the map of the real convolution: they correlate at over 95 %.",
    axes=("quantity", "net", "stage"),
    unit="rank correlation (×100), and points of pointing accuracy",
    names=NETS
    | STAGES
    | {"correlation": "correlation", "pointing": "pointing, real less virtual", "both": "both nets"}
    | {"mean": "mean size"},
    paper={cell: mean for cell, (mean, _) in CORRELATIONS.items()} | {GAP: 0.53},
    spread={cell: spread for cell, (_, spread) in CORRELATIONS.items()} | {GAP: 0.62},
    reading="The text says that every mean is above 95 %; its table has 94.33. The spread is over images.",
    configs={
        "smoke": scales.smoke(Identity, asked=6),
        "cpu": Identity(),
        "gpu": scales.imagenet(Identity, asked=5000, pointed=False),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": scales.SCENES_SAY + " Both nets have 3×3 convolutions; those of ResNet50 are 1×1.",
        "gpu": scales.IMAGENET_SAYS
        + " 5000 of them are asked, where the source asks 50 000. The pointing game of this study is "
        "played at cpu scale only.",
    },
    measure=measure_identity,
    shown=(*(("correlation", net, stage) for net in NETS for stage in ORDER[1:]), GAP),
    claims=(
        Claim("Every mean correlation is above 90 %.", lowest, above=90),
        Claim(
            "The two differ by less than 2 points in the pointing game, in the mean.",
            lambda at: at[GAP],
            below=2,
        ),
        Claim(
            "The last maps of the net that ends in dense layers have a lower correlation than stage 3.",
            lambda at: at["correlation", "fc", "last"] - at["correlation", "fc", "3"],
            below=0,
        ),
    ),
)

# --- Table 2: the best single stage -------------------------------------------------------------

PLACE = {stage: place for place, stage in enumerate(ORDER)}
BEST = {  # (net, images) by method
    "CEB": ("3", "last", "last", "last"),
    "EB": ("last", "last", "last", "last"),
    "GC": ("last", "last", "last", "last"),
    "Gd": ("2", "2", "last", "4"),
    "Gds": ("2", "2", "2", "2"),
    "Gui": ("3", "3", "input", "input"),
    "LA": ("last", "last", "last", "last"),
    "NG": ("3", "3", "4", "4"),
    "sNG": ("last", "last", "last", "last"),
}
BEST_COLUMNS = [(net, images) for net in NETS for images in IMAGES]


def measure_best_stage(config: ByStage, seed: int) -> dict[Cell, float]:
    """The place of the best stage, 0 for the image to 5 for the last maps, by (net, images, method)."""
    found = measure_pointing(config, seed)
    best: dict[Cell, tuple[float, str]] = {}
    for (net, images, method, stage), value in found.items():
        if method != "centre":
            cell = (net, images, method)
            best[cell] = max(best.get(cell, (value, stage)), (value, stage), key=lambda one: one[0])
    return {cell: float(PLACE[stage]) for cell, (_, stage) in best.items()}


SUPPLEMENT_TABLE_2 = Study(
    id="saliency.supplement_table_2",
    title="Which stage points best",
    source="Rebuffi 2020, Chapter 8, supplement, Table 2",
    claim="The image is never the best place for a map, though most people look there.",
    axes=("net", "images", "method"),
    unit="place of the best stage: 0 the image, 1 to 4 the stages, 5 the last maps",
    names=NETS | NAMES | IMAGES,
    paper={
        (*column, method): PLACE[stage]
        for method, stages in BEST.items()
        for column, stage in zip(BEST_COLUMNS, stages, strict=True)
    },
    reading="The text says that the earliest layer never wins; its table has guided backprop on VGG16 best "
    "at the image. The gradient's last layer for VGG16 is a slip: the authors' program has the fourth stage.",
    configs=scales.pointing(ByStage),
    protocol=scales.POINTING_SAYS,
    measure=measure_best_stage,
    claims=tuple(
        Claim(
            f"The image is never the best place of {NAMES[method]}.",
            lambda at, method=method: min(at[net, "all", method] for net in NETS),
            above=0.5,
        )
        for method in ("LA", "NG", "sNG", "GC", "Gd", "CEB")
    ),
)

# --- Table 3: what each way to combine adds -----------------------------------------------------

GAINS = {  # a row for each weighting
    ("LA", "sum"): (
        (0.57, 1.47, 0.22, 2.09),
        (0.81, 1.66, -3.01, -7.18),
        (0.68, 0.74, 0.36, 2.22),
        (0.58, 1.29, -0.61, -0.20),
    ),
    ("LA", "product"): (
        (0.87, 1.84, 0.42, 2.91),
        (1.01, 1.78, -2.92, -6.80),
        (0.52, 0.72, 0.49, 2.87),
        (0.32, 0.83, -0.25, 0.52),
    ),
    ("sNG", "sum"): (
        (1.08, 1.37, 0.48, 0.85),
        (0.94, 1.40, -3.66, -6.43),
        (0.94, 1.67, 0.62, 0.85),
        (0.25, 0.54, -0.93, -2.55),
    ),
    ("sNG", "product"): (
        (1.26, 1.65, 0.83, 1.88),
        (1.12, 2.09, -3.13, -6.18),
        (0.63, 0.95, 0.72, 0.62),
        (0.89, 1.79, -0.27, -1.76),
    ),
}


def measure_gains(config: Pointing, seed: int) -> dict[Cell, float]:
    """Points above the best single stage, by (net, images, method, mode, weights)."""
    found = measure_pointing(config, seed)
    gains: dict[Cell, float] = {}
    for (net, images, method, where), value in found.items():
        weights, _, mode = where.partition(" ")
        if mode in MODES:
            single = [
                v for (n, i, m, w), v in found.items() if (n, i, m) == (net, images, method) and w in PLACE
            ]
            gains[net, images, method, mode, weights] = value - max(single)
    return gains


SUPPLEMENT_TABLE_3 = Study(
    id="saliency.supplement_table_3",
    title="What each way to combine stages adds to the best one",
    source="Rebuffi 2020, Chapter 8, supplement, Table 3",
    claim="A product is the most effective, and only the accuracies of linear probes are good weights for "
    "both nets and both methods.",
    axes=("net", "images", "method", "mode", "weights"),
    unit="points of pointing accuracy above the best single stage",
    names=NETS
    | NAMES
    | IMAGES
    | {"sum": "sum", "product": "product"}
    | {"accuracy": "by accuracy", "spread": "by spread", "linear": "linear", "uniform": "uniform"},
    paper={
        (*column, method, mode, weights): value
        for (method, mode), rows in GAINS.items()
        for weights, row in zip(WEIGHTS, rows, strict=True)
        for column, value in zip(BEST_COLUMNS, row, strict=True)
    },
    reading="The spread of a stage's features is a vector in the source; here it is averaged over channels. "
    "Every map is brought to [0, 1] before it is combined, as in the authors' program; the source does not "
    "say so.",
    configs=scales.pointing(Pointing, methods=("LA", "sNG")),
    protocol=scales.POINTING_SAYS,
    measure=measure_gains,
    digits=2,
    claims=(
        *(
            Claim(
                f"A product with weights by accuracy gains, {NAMES[method]}, net that {NETS[net]}.",
                lambda at, net=net, method=method: at[net, "all", method, "product", "accuracy"],
                above=0,
            )
            for net in NETS
            for method in ("LA", "sNG")
        ),
        Claim(
            "The product is better than the sum, in the mean over all weights, methods and nets.",
            lambda at: product_over_sum(at),
            above=0,
        ),
        Claim(
            "Weights by accuracy are better than uniform ones, in the mean over modes, methods and nets.",
            lambda at: over_uniform(at, "accuracy"),
            above=0,
        ),
    ),
)


def product_over_sum(at: Mapping[Cell, float]) -> float:
    """The mean lead of products over sums, on all images, in points."""
    gaps = [
        at[net, "all", method, "product", weights] - at[net, "all", method, "sum", weights]
        for net in NETS
        for method in ("LA", "sNG")
        for weights in WEIGHTS
    ]
    return sum(gaps) / len(gaps)


def over_uniform(at: Mapping[Cell, float], weights: str) -> float:
    """The mean lead of a weighting over the uniform one, on all images, in points."""
    gaps = [
        at[net, "all", method, mode, weights] - at[net, "all", method, mode, "uniform"]
        for net in NETS
        for method in ("LA", "sNG")
        for mode in MODES
    ]
    return sum(gaps) / len(gaps)
