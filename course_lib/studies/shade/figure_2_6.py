"""Fig. 2.6, declared: what the source draws of the layers' entropies, as claims."""

from collections.abc import Mapping
from itertools import pairwise

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.information import Information, measure_information

WEIGHT = 0.1  # that of the chapter's other studies
LOST = 0.05  # nats of I(H, Y) that still count as none
KINDS = {
    "rounded": "in the net that rounds",
    "relative": "in the ordinary net, in bins relative to each unit's deviation",
    "fixed": "in the ordinary net, in bins of one width",
}


def along(
    at: Mapping[Cell, float], quantity: str, code: str, method: str = "none", weight: float = 0.0
) -> list[float]:
    """A quantity by layer, the first layer first.

    Raises:
        KeyError: it was not measured.
    """
    layers = sorted(cell[4] for cell in at if cell[:4] == (quantity, code, method, weight))
    if not layers:
        raise KeyError((quantity, code, method, weight))
    return [at[quantity, code, method, weight, layer] for layer in layers]


def falls(at: Mapping[Cell, float], quantity: str, code: str) -> list[float]:
    """By how much a quantity of the plain net falls from each layer to the next."""
    return [before - behind for before, behind in pairwise(along(at, quantity, code))]


def change(
    at: Mapping[Cell, float], quantity: str, code: str, method: str = "shade", weight: float = WEIGHT
) -> float:
    """What a method adds to a quantity of the plain net, on average over the layers."""
    plain, other = along(at, quantity, code), along(at, quantity, code, method, weight)
    return sum(b - a for a, b in zip(plain, other, strict=True)) / len(plain)


def label_part(at: Mapping[Cell, float], code: str, method: str, weight: float = WEIGHT) -> float:
    """Of what a method takes from H(H) = I(H, Y) + H(H | Y), the part (%) that was about the label.

    Raises:
        KeyError: it was not measured, or the method takes nothing.
    """
    about, besides = (-change(at, what, code, method, weight) for what in ("information", "conditional"))
    if about + besides <= 0:
        raise KeyError(method)
    return 100 * about / (about + besides)


def lowers(code: str, weight: float) -> tuple[Claim, Claim]:
    """SHADE lowers H(H | Y) (b), and not I(H, Y) (c)."""
    return (
        Claim(
            f"SHADE with weight {weight} lowers H(H|Y) {KINDS[code]}, on average over the layers.",
            lambda at: change(at, "conditional", code, weight=weight),
            below=0,
        ),
        Claim(
            f"SHADE with weight {weight} costs less than {LOST} nats of I(H,Y) {KINDS[code]}, on average.",
            lambda at: change(at, "information", code, weight=weight),
            above=-LOST,
        ),
    )


CLAIMS = (
    *(
        Claim(
            f"Without a penalty, H(H|Y) falls at each layer {where}.",
            lambda at, code=code: min(falls(at, "conditional", code)),
            above=0,
        )
        for code, where in KINDS.items()
    ),
    *(
        Claim(
            f"From the first layer to the last H(H|Y) falls further than I(H,Y) does, {where}.",
            lambda at, code=code: sum(falls(at, "conditional", code)) - sum(falls(at, "information", code)),
            above=0,
        )
        for code, where in KINDS.items()
    ),
    *(claim for code in KINDS for weight in (0.01, WEIGHT) for claim in lowers(code, weight)),
    *(
        Claim(
            f"Of what each takes away {KINDS[code]} with weight {WEIGHT}, a smaller part (%) is about the "
            "label with SHADE than with VarEntropy.",
            lambda at, code=code: label_part(at, code, "shade") - label_part(at, code, "varentropy"),
            below=0,
        )
        for code in ("rounded", "fixed")
    ),
)

SHOWN = (
    *(
        (quantity, code, *method, layer)
        for code in KINDS
        for quantity in ("information", "conditional")
        for method in (("none", 0.0), ("shade", 0.01), ("shade", WEIGHT), ("varentropy", WEIGHT))
        if code == "rounded" or method[1] != 0.01
        for layer in (1, 2, 3, 4)
    ),
    *(("alone", code, "none", 0.0, layer) for code in KINDS for layer in (1, 2, 3, 4)),
    *(
        ("accuracy", code, *method, "output")
        for code in ("rounded", "relative")
        for method in (("none", 0.0), ("shade", 0.01), ("shade", WEIGHT), ("varentropy", WEIGHT))
    ),
)
COUNTED = (
    "Entropies are counted over test images, with the correction of Miller and Madow. "
    "So many images cannot show more than the logarithm of their number. "
    "Where many codes stand alone in their class, as in the first layer, the entropy is therefore larger "
    "than measured; this makes the fall with depth and the effect of a penalty look smaller. "
)
NET = (
    "The net is a chain of four layers of six units on the small ConvNet, because the joint code of a wider "
    "layer is a different one for each image. "
    "Only the chain is looked at, but all layers are penalised. "
    "Batch norm stands before each ReLU, and what enters the ReLU is penalised and looked at. "
    "One kind of net rounds that to steps of a half and computes on with it, so that its codes are a Markov "
    "chain and Eq. A.1 holds exactly: there the fall with depth could not fail. "
    "Its gradients pass the rounding as if it were not there. "
    "The other kind is an ordinary net whose layers are put in bins, each by itself, only to be counted. "
    "Those codes are no Markov chain, and Eq. A.1 need not hold for them. "
    "Bins of one width also count a smaller scale as less entropy; bins of half a standard deviation do not. "
    "The weights are 0.01 and 0.1, not tuned. "
    "VarEntropy and the bound of 0.05 nats are no part of the source's figure. "
)

FIGURE_2_6 = Study(
    id="shade.figure_2_6",
    title="What the layers say of the label, and besides",
    source="Robert 2019, Fig. 2.6",
    claim="H(H|Y) shrinks with depth, and SHADE shrinks it further, without affecting I(H, Y).",
    axes=("quantity", "code", "method", "weight", "layer"),
    unit="nats; codes alone in their class and test accuracy in %",
    names={
        "information": "I(H,Y)",
        "conditional": "H(H|Y)",
        "units": "sum of H(H|Y) over units",
        "alone": "codes alone in their class",
        "accuracy": "accuracy",
        "rounded": "net that rounds",
        "relative": "relative bins",
        "fixed": "fixed bins",
        "none": "baseline",
        "shade": "SHADE",
        "varentropy": "VarEntropy",
    },
    paper={},
    reading=(
        "The source draws it as a schematic and gives no number: it is measured here for the first time. "
        "The entropies in it are those of discrete codes, and a net has none until it is rounded. "
        "The claims about the three kinds of code and about VarEntropy are the course's own."
    ),
    digits=2,
    configs={
        "smoke": Information("glyphs", size=16, learned=100, looked_at=200, width=2, steps=2),
        "cpu": Information("glyphs", size=16, looked_at=20_000, width=8, steps=500),
        "gpu": Information("mnist_m", size=32, width=64, steps=10_000, batch_size=128, lr=1e-3),
    },
    protocol={
        "smoke": "Only a few steps are taken on a few images, so the numbers mean nothing.",
        "cpu": (
            "The images are Glyphs of 16×16, printed digits of twenty faces, moved, turned and slanted. "
            "They are drawn by code, so that 20 000 test images can be counted. "
            + COUNTED
            + NET
            + "Training takes 500 steps of Adam."
        ),
        "gpu": (
            "The images are MNIST-M at 32×32, and the entropies are counted over its test split. "
            + COUNTED
            + NET
            + "Training takes 10 000 steps of Adam on 128 images."
        ),
    },
    shown=SHOWN,
    measure=measure_information,
    claims=CLAIMS,
)
