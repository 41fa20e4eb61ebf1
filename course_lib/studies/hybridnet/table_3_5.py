"""Table 3.5: the ablation, a line for each set of terms in the loss."""

from collections.abc import Mapping

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.lines import LINES, NAMES, TERMS, Lines, measure_lines
from course_lib.studies.registry import Cell, Claim, Study

ABLATION = tuple(TERMS)
CONTROLS = ("unpool in both", "unpool in neither", "early")
CIFAR = dict(zip(ABLATION, (71.5, 74.6, 72.4, 74.0, 75.2, 77.7, 77.4, 80.8, 81.6), strict=True))
STL = {"a": 65.6, "b": 69.8, "c": 67.8, "f": 71.5, "h": 72.2, "i": 74.1}
QUANTITIES = ("class from h_c", "class from h_u", "ground from h_c", "ground from h_u")


def at_line(cells: Mapping[Cell, float], line: str, quantity: str = "accuracy") -> float:
    """The value of a line; the table has one number of labels."""
    for (what, name, _), value in cells.items():
        if (what, name) == (quantity, line):
            return value
    raise KeyError(quantity, line)


def gain(line: str, other: str, text: str, quantity: str = "accuracy", **bounds: float) -> Claim:
    """A claim about the difference of two lines, larger than 0 unless told otherwise."""
    return Claim(
        text,
        lambda at: at_line(at, line, quantity) - at_line(at, other, quantity),
        **(bounds or {"above": 0}),
    )


STEPS = (
    gain("b", "a", "Stability raises the accuracy of the classifier."),
    gain("c", "a", "Reconstruction by two branches raises it."),
    gain("i", "a", "All terms together raise it."),
    gain("i", "b", "All terms together are ahead of stability alone."),
    gain("f", "b", "Beside stability, reconstruction raises it."),
    gain("h", "f", "Beside stability, the intermediate terms raise it further."),
    gain("i", "h", "With all terms, balancing raises it."),
)
WITHOUT_STABILITY = (
    gain("d", "c", "Without stability, the intermediate terms raise the accuracy."),
    gain("e", "d", "Without stability, balancing raises it."),
    gain("g", "f", "Without intermediate terms, balancing does not raise it.", below=0),
)
MEASURED = (
    gain("i", "h", "Balancing lowers the error of x̂_c alone.", "error of c", below=0),
    gain("i", "h", "Balancing raises the error of x̂_u alone.", "error of u"),
    gain("i", "h", "Balancing raises the share of x̂_c in the reconstruction.", "share of c"),
    gain("i", "h", "Balancing costs some of the reconstruction.", "error"),
)
SORTED = (
    Claim(
        "With all terms, h_c tells more about the class than h_u.",
        lambda at: at_line(at, "i", "class from h_c") - at_line(at, "i", "class from h_u"),
        above=0,
    ),
    Claim(
        "With all terms, h_u tells more about the ground than h_c.",
        lambda at: at_line(at, "i", "ground from h_u") - at_line(at, "i", "ground from h_c"),
        above=0,
    ),
    gain("i", "a", "Reconstruction raises what h_c tells about the class.", "class from h_c"),
    gain("i", "untrained", "h_c tells more about the class than before training.", "class from h_c"),
    gain("i", "untrained", "h_u tells less about the class than before training.", "class from h_u", below=0),
)
PICTURES = (  # Table 3.5b
    Claim(
        "Reconstruction alone leaves x̂_c flat: it has less than a tenth of the image's contrast.",
        lambda at: at_line(at, "c", "contrast of c"),
        below=10,
    ),
    gain("d", "c", "The intermediate terms give x̂_c more contrast.", "contrast of c"),
    gain("e", "d", "Balancing gives x̂_c more contrast, beside the intermediate terms.", "contrast of c"),
    gain(
        "i",
        "e",
        "Stability changes the contrast of x̂_c by less than a tenth of the image's.",
        "contrast of c",
        above=-10,
        below=10,
    ),
    Claim(
        "With all terms, x̂_c has less fine detail than x̂_u.",
        lambda at: at_line(at, "i", "fine detail of c") - at_line(at, "i", "fine detail of u"),
        below=0,
    ),
    Claim(
        "With all terms, x̂_u is greyer than x̂_c.",
        lambda at: at_line(at, "i", "colour of u") - at_line(at, "i", "colour of c"),
        below=0,
    ),
)


def _study(id: str, column: str, paper: Mapping[str, float], labels: int, **more) -> Study:
    return Study(
        id=id,
        title=f"The ablation, {column}",
        source=f"Robert 2019, Table 3.5 ({column})",
        claim="Every term adds to the accuracy, and all of them together are best.",
        axes=("quantity", "line", "labels"),
        unit="test accuracy and probes (%), errors per pixel, share of x̂_c (%)",
        names=NAMES,
        paper={("accuracy", line, labels): value for line, value in paper.items()},
        measure=measure_lines,
        **more,
    )


TABLE_3_5 = _study(
    "hybridnet.table_3_5",
    "CIFAR-10",
    CIFAR,
    2000,
    reading="The source gives no spread: its steps of a point may be within it.",
    configs={
        "smoke": scales.of(
            Lines, scales.DIGITS, steps=2, lines=(*ABLATION, *CONTROLS), labels=(20,), probed=True, tested=100
        ),
        "cpu": scales.of(Lines, scales.DIGITS, lines=(*ABLATION, "unpool in neither", "early"), labels=(50,)),
        "gpu": scales.of(Lines, scales.CIFAR, lines=tuple(LINES), labels=(2000,), probed=True),
    },
    protocol={"smoke": scales.SMOKE_SAYS, "cpu": scales.DIGITS_SAY, "gpu": scales.CIFAR_SAYS},
    claims=(*STEPS, *WITHOUT_STABILITY, *MEASURED),
)

TABLE_3_5_STL = _study(
    "hybridnet.table_3_5_stl",
    "STL-10",
    STL,
    1000,
    reading=(
        "The thesis has 72.2 and 74.1 for lines h and i; "
        "some prints of the conference paper have 72.5 and 74.5."
    ),
    configs={
        "smoke": scales.of(
            Lines, scales.DIGITS_ON_GROUND, steps=2, lines=ABLATION, labels=(20,), probed=True, tested=100
        ),
        "cpu": scales.of(Lines, scales.DIGITS_ON_GROUND, lines=ABLATION, labels=(100,), probed=True),
        "gpu": scales.of(Lines, scales.STL, lines=ABLATION, labels=(1000,)),
    },
    protocol={"smoke": scales.SMOKE_SAYS, "cpu": scales.GROUND_SAYS, "gpu": scales.STL_SAYS},
    claims=(*STEPS, *MEASURED, *SORTED, *PICTURES),
)
