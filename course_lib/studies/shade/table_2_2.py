"""Table 2.2: four nets, six ways to regularise them, each at its best strength."""

from collections.abc import Callable, Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.tuned import METHODS, NAMES, Tuned, measure_tuned

NETS = ("mlp", "alexnet", "inception", "wideresnet")
CONVERGED = ("mlp", "inception", "wideresnet")  # those that a few hundred steps suffice for
ACCURACY = {
    "none": (62.38, 83.25, 90.97, 89.84),
    "weight_decay": (62.69, 83.54, 91.87, 91.71),
    "varentropy": (63.70, 83.61, 91.83, 91.72),
    "dropout": (65.37, 85.95, 91.11, 89.94),
    "shade": (66.05, 85.45, 93.28, 92.15),
    "shade_dropout": (66.12, 86.71, 92.51, 92.03),
}
PAPER = {
    ("accuracy", method, net, 0): value
    for method, values in ACCURACY.items()
    for net, value in zip(NETS, values, strict=True)
}


def lead(at: Mapping[Cell, float], net: str, method: str, other: str = "none") -> float:
    """Points of accuracy that a method is ahead of another on a net, with all labels or the only number."""
    (labels,) = {cell[3] for cell in at if cell[0] == "accuracy"}
    return at["accuracy", method, net, labels] - at["accuracy", other, net, labels]


def mean_lead(
    at: Mapping[Cell, float], method: str, other: str = "none", nets: tuple[str, ...] = NETS
) -> float:
    """The same on average over nets."""
    return sum(lead(at, net, method, other) for net in nets) / len(nets)


def mean(
    method: str, other: str = "none", nets: tuple[str, ...] = NETS
) -> Callable[[Mapping[Cell, float]], float]:
    """What `mean_lead` gives for these, as the quantity of a claim."""
    return lambda at: mean_lead(at, method, other, nets)


CLAIMS = (
    *(
        Claim(
            f"SHADE beats no regulariser on the {NAMES[net]}.",
            lambda at, net=net: lead(at, net, "shade"),
            above=0,
        )
        for net in NETS
    ),
    *(
        Claim(
            f"SHADE beats VarEntropy on the {NAMES[net]}.",
            lambda at, net=net: lead(at, net, "shade", "varentropy"),
            above=0,
        )
        for net in NETS
    ),
    Claim("SHADE beats VarEntropy on average over the nets.", mean("shade", "varentropy"), above=0),
    Claim("SHADE beats weight decay on average over the nets.", mean("shade", "weight_decay"), above=0),
    Claim("SHADE beats dropout on average over the nets.", mean("shade", "dropout"), above=0),
    Claim(
        "SHADE beats no regulariser on average over the nets but the AlexNet.",
        mean("shade", nets=CONVERGED),
        above=0,
    ),
    Claim(
        "SHADE beats VarEntropy on average over the nets but the AlexNet.",
        mean("shade", "varentropy", CONVERGED),
        above=0,
    ),
    Claim(
        "Dropout is ahead of SHADE on the AlexNet.",
        lambda at: lead(at, "alexnet", "dropout", "shade"),
        above=0,
    ),
    *(
        Claim(
            f"Dropout adds at least two points to the {NAMES[net]}.",
            lambda at, net=net: lead(at, net, "dropout"),
            above=2,
        )
        for net in ("mlp", "alexnet")
    ),
    *(
        Claim(
            f"Dropout moves the {NAMES[net]} by less than one point.",
            lambda at, net=net: lead(at, net, "dropout"),
            above=-1,
            below=1,
        )
        for net in ("inception", "wideresnet")
    ),
    Claim(
        "SHADE and dropout together beat SHADE on MLP and AlexNet, on average.",
        lambda at: sum(lead(at, net, "shade_dropout", "shade") for net in ("mlp", "alexnet")) / 2,
        above=0,
    ),
    Claim("Weight decay adds something on average over the nets.", mean("weight_decay"), above=0),
)

COMMON = {
    "axes": ("quantity", "method", "net", "labels"),
    "unit": "test accuracy (%), and the strength that validation chose",
    "names": NAMES,
    "paper": PAPER,
    "digits": 2,
    "reading": (
        "The source gives no spread, neither the strengths nor how they were searched, and no batch size, "
        "number of epochs, dropout rate, or depth of the ResNet. "
        "Its text gives two gains of weight decay otherwise than its table, 0.31 for the AlexNet and 0.87 "
        "for the ResNet; the values here are those of the table. "
        "The number 0 in the column of labels stands for all of them."
    ),
    "measure": measure_tuned,
    "claims": CLAIMS,
}
SMOKE = Tuned(
    "digits_m",
    NETS,
    weight_decays=(1e-3, 1e-2),
    dropouts=(0.5,),
    penalties=(0.1, 1.0),
    validation=50,
    inception_width=1 / 16,
    steps=1,
    tested=50,
)
SEARCH = (
    "For each seed, net and regulariser four strengths are tried: the net trains without {validation} "
    "labelled images, and the strength with the best accuracy on these is trained again with them. "
    "SHADE + dropout takes the two strengths found for each alone. "
)

TABLE_2_2 = Study(
    id="shade.table_2_2",
    title="SHADE against other regularisers on four nets",
    source="Robert 2019, Table 2.2",
    claim="SHADE is the best single regulariser on three of four nets, and second to dropout on the AlexNet.",
    shown=tuple(("accuracy", method, net, 0) for net in NETS for method in METHODS),
    configs={
        "smoke": SMOKE,
        "cpu": Tuned("digits_m", NETS, steps=200, lr=(1e-3, 1e-3, 1e-2, 1e-2), cosine=True),
        "gpu": Tuned(
            "cifar10",
            NETS,
            weight_decays=(1e-5, 1e-4, 5e-4, 1e-3),
            dropouts=(0.1, 0.3, 0.5, 0.7),
            penalties=(0.01, 0.03, 0.1, 0.3),
            validation=5000,
            inception_width=1.0,
            wideresnet=(16, 4),
            crop=28,
            batch_size=128,
            steps=39_100,
            lr=(0.01, 0.01, 0.1, 0.1),
            momentum=0.9,
        ),
    },
    protocol={
        "smoke": "Only one step is taken, so the numbers mean nothing.",
        "cpu": (
            "The images are Digits-M, 16×16 digits on coloured noise, 1200 for training, not CIFAR-10. "
            "The Inception has a quarter of its maps and the ResNet is WRN-10-1. "
            "Training takes 200 steps of Adam on 50 images, its rate falls along a cosine, and nothing is "
            "augmented. "
            "So few steps leave the AlexNet far from its end: without a penalty it does not fit its training "
            "images, so what it gains is help with the optimisation. "
            + SEARCH.format(validation=300)
            + "What enters the ReLU is penalised, so after batch norm where there is one."
        ),
        "gpu": (
            "The ResNet is WRN-16-4, whose depth and width the source does not give. "
            "Training takes 100 epochs of 128 images; the source gives neither. "
            + SEARCH.format(validation=5000)
            + "What enters the ReLU is penalised, so after batch norm where there is one."
        ),
    },
    **COMMON,
)

PHOTOGRAPHS = Study(
    id="shade.table_2_2_photographs",
    title="The same on a small part of CIFAR-10",
    source="Robert 2019, Table 2.2, with 1000 labels",
    claim="The same; the source takes all of CIFAR-10's labels, this study 1000, which two cores can bear.",
    shown=tuple(
        ("accuracy", method, net, labels) for labels in (0, 1000, 4000) for net in NETS for method in METHODS
    ),
    configs={
        "smoke": SMOKE,
        "cpu": Tuned(
            "cifar10",
            NETS,
            labels=(1000,),
            weight_decays=(1e-3, 3e-3, 1e-2),
            dropouts=(0.1, 0.3, 0.5),
            penalties=(0.03, 0.1, 0.3),
            validation=300,
            retrain=False,
            inception_width=0.125,
            crop=24,
            batch_size=32,
            steps=200,
            lr=(1e-3, 1e-3, 1e-2, 1e-2),
            cosine=True,
            tested=2000,
        ),
        "gpu": Tuned(
            "cifar10",
            NETS,
            labels=(4000,),
            weight_decays=(1e-5, 1e-4, 5e-4, 1e-3),
            dropouts=(0.1, 0.3, 0.5, 0.7),
            penalties=(0.01, 0.03, 0.1, 0.3),
            validation=1000,
            retrain=False,
            inception_width=1.0,
            wideresnet=(16, 4),
            crop=28,
            batch_size=128,
            steps=10_000,
            lr=(0.01, 0.01, 0.1, 0.1),
            momentum=0.9,
        ),
    },
    protocol={
        "smoke": "Only one step is taken, so the numbers mean nothing.",
        "cpu": (
            "Training sees 1000 labelled images of CIFAR-10 instead of 50 000, as random windows of 24×24, "
            "flipped at random, and takes 200 steps of Adam on 32 images, its rate falling along a cosine. "
            "The Inception has an eighth of its maps and the ResNet is WRN-10-1. "
            "For each seed, net and regulariser three strengths are tried on 300 further labelled images. "
            "The test is the first 2000 test images. "
            "What enters the ReLU is penalised, so after batch norm where there is one."
        ),
        "gpu": (
            "Training sees 4000 labelled images of CIFAR-10, the fewest of the source's Fig. 2.7b, and takes "
            "10 000 steps of 128 images. "
            "The ResNet is WRN-16-4, whose depth and width the source does not give. "
            "For each seed, net and regulariser four strengths are tried on 1000 further labelled images. "
            "What enters the ReLU is penalised, so after batch norm where there is one."
        ),
    },
    **COMMON,
)
