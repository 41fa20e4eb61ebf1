"""Table 3.4: HybridNet beside what is left when parts of it are switched off."""

from collections.abc import Mapping

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.lines import NAMES, Lines, measure_lines
from course_lib.studies.registry import Cell, Claim, Study

ROWS = ("a", "b", "ae", "ae+stab", "d", "i")
PAPER_LABELS = (1000, 2000, 4000)
PAPER = {
    "a": (63.4, 71.5, 79.0),
    "b": (65.6, 74.6, 81.3),
    "ae": (65.0, 73.6, 79.8),
    "ae+stab": (71.8, 80.4, 84.9),
    "d": (63.2, 74.0, 80.3),
    "i": (74.1, 81.6, 86.6),
}
TITLES = {
    "a": "classification",
    "b": "classification and stability",
    "ae": "auto-encoder",
    "ae+stab": "auto-encoder and stability",
    "d": "HybridNet's architecture",
    "i": "HybridNet, full loss",
}


def mean_lead(at: Mapping[Cell, float], row: str, other: str) -> float:
    """Points of accuracy that a row is ahead of another, on average over the numbers of labels."""
    sizes = sorted({cell[2] for cell in at if cell[0] == "accuracy"})
    if not sizes:
        raise KeyError("accuracy")
    return sum(at["accuracy", row, n] - at["accuracy", other, n] for n in sizes) / len(sizes)


def leads(row: str, other: str, text: str) -> Claim:
    """The claim that a row is ahead of another on average."""
    return Claim(text, lambda at: mean_lead(at, row, other), above=0)


CLAIMS = (
    leads(
        "i",
        "a",
        "The full HybridNet is ahead of classification alone, on average over the labels.",
    ),
    leads("i", "b", "It is ahead of classification and stability."),
    leads("i", "ae", "It is ahead of the auto-encoder."),
    leads("i", "ae+stab", "It is ahead of the auto-encoder with stability."),
    leads("i", "d", "It is ahead of its architecture without stability and balancing."),
    leads("b", "a", "Stability alone is ahead of classification."),
    leads("ae", "a", "The auto-encoder alone is ahead of classification."),
    leads("ae+stab", "b", "The auto-encoder adds something to stability."),
    leads("d", "a", "The architecture alone is ahead of classification."),
)

TABLE_3_4 = Study(
    id="hybridnet.table_3_4",
    title="HybridNet, and what is left without its parts",
    source="Robert 2019, Table 3.4",
    claim="The full HybridNet is ahead of each of its parts, whatever the number of labels.",
    axes=("quantity", "row", "labels"),
    unit="test accuracy (%), errors per pixel, share of x̂_c (%)",
    names=NAMES | TITLES,
    paper={
        ("accuracy", row, n): value
        for row, values in PAPER.items()
        for n, value in zip(PAPER_LABELS, values, strict=True)
    },
    reading="The source gives neither a spread nor the number of runs.",
    configs={
        "smoke": scales.of(Lines, scales.DIGITS, steps=2, lines=ROWS, labels=(20, 50), tested=50),
        "cpu": scales.of(Lines, scales.DIGITS, lines=ROWS, labels=(20,)),
        "gpu": scales.of(Lines, scales.CIFAR, lines=ROWS, labels=PAPER_LABELS),
    },
    protocol={"smoke": scales.SMOKE_SAYS, "cpu": scales.DIGITS_SAY, "gpu": scales.CIFAR_SAYS},
    measure=measure_lines,
    shown=tuple(("accuracy", row, n) for row in ROWS for n in (20, *PAPER_LABELS)),
    claims=CLAIMS,
)
