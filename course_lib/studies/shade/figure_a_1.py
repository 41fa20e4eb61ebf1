"""Fig. A.1, declared: what the source says about unlearning, and what it leaves out."""

import math
from collections.abc import Mapping
from itertools import pairwise

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.unlearning import Unlearning, measure_unlearning

METHODS = ("shade", "detached", "varentropy")
STEPS = (0, 5, 10, 20, 30, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 240)
EPOCHS = (0, 5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 70, 74)
PAPER_SHADE = (91.0, 88.2, 81.2, 70.2, 56.8, 45.1, 35.3, 28.9, 24.3, 18.2, 14.9, 13.0, 12.6)
PAPER_VARENTROPY = (91.2, 86.7, 74.5, 57.5, 41.2, 29.3, 22.3, 18.7, 16.4, 14.0, 12.6, 12.0, 11.9)
PAPER = {
    ("accuracy", method, "epochs", epoch): value
    for method, values in (("shade", PAPER_SHADE), ("varentropy", PAPER_VARENTROPY))
    for epoch, value in zip(EPOCHS, values, strict=True)
}


def leads(at: Mapping[Cell, float], other: str) -> list[float]:
    """Points of accuracy that SHADE is ahead of another method at each moment after the start.

    Raises:
        KeyError: nothing was measured after the start.
    """
    moments = [cell[2:] for cell in at if cell[:2] == ("accuracy", "shade") and cell[3] > 0]
    if not moments:
        raise KeyError("accuracy")
    return [at["accuracy", "shade", *moment] - at["accuracy", other, *moment] for moment in moments]


def mean_lead(at: Mapping[Cell, float], other: str) -> float:
    """The same on average over the moments."""
    found = leads(at, other)
    return sum(found) / len(found)


def accuracy_with(at: Mapping[Cell, float], method: str, left: float) -> float:
    """Accuracy when the variance has first fallen to ``left`` % of that at the start.

    Between two moments it is interpolated along the logarithm of the variance.

    Raises:
        KeyError: the variance was not measured, or never fell that far.
    """
    moments = sorted(cell[2:] for cell in at if cell[:2] == ("variance", method))
    curve = [(at["variance", method, *moment], at["accuracy", method, *moment]) for moment in moments]
    for (high, before), (low, behind) in pairwise(curve):
        if high >= left >= low > 0 and high > low:
            share = math.log(high / left) / math.log(high / low)
            return before + share * (behind - before)
    raise KeyError(left)


def lead_with(at: Mapping[Cell, float], other: str, left: float) -> float:
    """Points of accuracy that SHADE is ahead of another method when both have ``left`` % of the variance."""
    return accuracy_with(at, "shade", left) - accuracy_with(at, other, left)


def mean_lead_with(at: Mapping[Cell, float], other: str, lefts: tuple[int, ...]) -> float:
    """The same on average over several rests of the variance."""
    return sum(lead_with(at, other, left) for left in lefts) / len(lefts)


def claims(*lefts: int) -> tuple[Claim, ...]:
    """What is claimed step by step, and the control: what is claimed at these rests of the variance, in %."""
    listed = f"{', '.join(map(str, lefts[:-1]))} and {lefts[-1]} %"
    return (
        Claim(
            "After the same steps SHADE has more accuracy left than VarEntropy, each time we look.",
            lambda at: min(leads(at, "varentropy")),
            above=0,
        ),
        Claim(
            "After the same steps SHADE has more accuracy left than VarEntropy, on average over the run.",
            lambda at: mean_lead(at, "varentropy"),
            above=0,
        ),
        *(
            Claim(
                f"At the same remaining variance ({left} %) SHADE keeps more accuracy than VarEntropy.",
                lambda at, left=left: lead_with(at, "varentropy", left),
                above=0,
            )
            for left in lefts
        ),
        Claim(
            f"At the same remaining variance SHADE keeps more accuracy, on average over {listed}.",
            lambda at: mean_lead_with(at, "varentropy", lefts),
            above=0,
        ),
        Claim(
            "After the same steps the gradient through σ has kept accuracy, on average over the run.",
            lambda at: mean_lead(at, "detached"),
            above=0,
        ),
        Claim(
            f"At the same remaining variance the gradient through σ keeps more, on average over {listed}.",
            lambda at: mean_lead_with(at, "detached", lefts),
            above=0,
        ),
    )


SHOWN = (
    *(cell for cell in PAPER if cell[3] in (0, 10, 20, 30, 40, 60, 74)),
    *(
        (quantity, method, "steps", after)
        for quantity in ("accuracy", "variance")
        for method in METHODS
        for after in (0, 10, 20, 40, 80, 160, 240)
        if (quantity, after) != ("variance", 0)
    ),
    *(("accuracy", "detached", "epochs", epoch) for epoch in EPOCHS),
    *(("variance", method, "epochs", epoch) for method in METHODS for epoch in EPOCHS[1:]),
)
COMMON = {
    "axes": ("quantity", "method", "unit", "after"),
    "unit": "test accuracy (%), and variance of the pre-activations (% of that at the start)",
    "names": {
        "shade": "SHADE",
        "detached": "SHADE, σ held constant",
        "varentropy": "VarEntropy",
        "variance": "variance left",
    },
    "paper": PAPER,
    "shown": SHOWN,
    "measure": measure_unlearning,
}
READING = (
    "The source plots 75 epochs without a table or a spread; they are read off the figure, to about 0.1. "
    "It gives neither the learning rate nor the weight of the penalty. "
    "So its epochs and our steps cannot be aligned, and they stand in rows of their own. "
    "It does not say how much variance is left, so it has no value at the same variance. "
    "The claims without a value of the source are the course's own: they ask what its figure leaves open."
)
FORGETTING = (
    "Then SGD at 0.01 follows the penalty alone. "
    "SHADE first moves its averages for 15 batches; VarEntropy takes the mean of each batch itself. "
    "SHADE with σ held constant and the variance that is left are no part of the source's figure. "
    "The variance is that of each unit on test images, its mean over a layer, and the sum over the layers."
)
EVERY_FIFTH = "The net is looked at after the same epochs as in the source's values above."

FIGURE_A_1 = Study(
    id="shade.figure_a_1",
    title="Unlearning with the penalty alone",
    source="Robert 2019, Fig. A.1",
    claim=(
        "A trained net that goes on with SHADE alone forgets more slowly than with VarEntropy alone, "
        "so SHADE spares what the class needs."
    ),
    reading=READING,
    configs={
        "smoke": Unlearning("digits_m", after=(0, 1, 2), width=8, train_steps=3, warm_up=2),
        "cpu": Unlearning("digits_m", after=STEPS),
        "gpu": Unlearning(
            "cifar10",
            after=EPOCHS,
            unit="epochs",
            net="inception",
            width=1.0,
            crop=28,
            train_steps=39_100,
            train_lr=0.1,
            momentum=0.9,
            batch_size=128,
        ),
    },
    protocol={
        "smoke": "Only a few steps are taken, so the numbers mean nothing.",
        "cpu": (
            "The images are Digits-M instead of CIFAR-10. "
            "The net is the small ConvNet with 24 maps a layer and without batch norm, instead of an "
            "Inception, and learns for 300 steps of Adam. " + FORGETTING
        ),
        "gpu": (
            "The small Inception is that of Zhang et al. 2017, with batch norm. "
            "It learns for 100 epochs of SGD on random windows of 28×28, flipped at random. "
            + FORGETTING
            + " "
            + EVERY_FIFTH
        ),
    },
    claims=claims(50, 20, 10, 5),
    **COMMON,
)

WITH_BATCH_NORM = Study(
    id="shade.figure_a_1_batch_norm",
    title="Unlearning with the penalty alone, with batch norm",
    source="Robert 2019, Fig. A.1, with batch norm",
    claim=(
        "The same as without; the source's Inception is that of Zhang et al. 2017, which has batch norm "
        "before each ReLU."
    ),
    reading=READING,
    configs={
        "smoke": Unlearning("digits_m", after=(0, 1, 2), batch_norm=True, width=8, train_steps=3, warm_up=2),
        "cpu": Unlearning("digits_m", after=STEPS, batch_norm=True),
        "gpu": Unlearning(
            "mnist_m",
            after=EPOCHS,
            unit="epochs",
            batch_norm=True,
            width=64,
            size=32,
            train_steps=10_000,
            batch_size=128,
        ),
    },
    protocol={
        "smoke": "Only a few steps are taken, so the numbers mean nothing.",
        "cpu": (
            "The images are Digits-M instead of CIFAR-10. "
            "The net is the small ConvNet with 24 maps a layer, with batch norm before each ReLU, instead of "
            "an Inception, and learns for 300 steps of Adam. "
            "What enters the ReLU is penalised. "
            "Its variance is the square of the norm's scale, so VarEntropy moves the scales and little "
            "else, while SHADE moves the filters too. " + FORGETTING
        ),
        "gpu": (
            "The images are MNIST-M at 32×32 instead of CIFAR-10. "
            "The net is the small ConvNet with 64 maps a layer and batch norm, instead of an Inception, and "
            "learns for 10 000 steps of Adam. " + FORGETTING + " " + EVERY_FIFTH
        ),
    },
    claims=claims(90, 80),  # the norm keeps most of the variance
    **COMMON,
)
