"""With few labels, each regulariser at its best: what Fig. 2.7a says when the others are tuned as well."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.tuned import METHODS, NAMES, Tuned, measure_tuned

COMPARED = (*METHODS, "class_variance")


def lead(at: Mapping[Cell, float], labels: int, method: str, other: str) -> float:
    """Points of accuracy that a method is ahead of another with so many labels."""
    return at["accuracy", method, "convnet", labels] - at["accuracy", other, "convnet", labels]


def mean_lead(at: Mapping[Cell, float], method: str, other: str) -> float:
    """The same on average over the numbers of labels."""
    sizes = sorted({cell[3] for cell in at if cell[0] == "accuracy"})
    if not sizes:
        raise KeyError("accuracy")
    return sum(lead(at, n, method, other) for n in sizes) / len(sizes)


FEW_LABELS = Study(
    id="shade.few_labels",
    title="With few labels, each regulariser at its best",
    source="Robert 2019, Fig. 2.7a with the rows of Table 2.2",
    claim="With few labels SHADE beats the net without it; its figure has no other regulariser.",
    axes=("quantity", "method", "net", "labels"),
    unit="test accuracy (%), and the strength that validation chose",
    names=NAMES,
    paper={},
    reading=(
        "Fig. 2.7a compares SHADE with no regulariser only; this study of the course's adds the others. "
        "The class-conditional variance knows the labels, which SHADE's two modes stand in for."
    ),
    configs={
        "smoke": Tuned(
            "digits_m",
            ("convnet",),
            labels=(50, 100),
            methods=COMPARED,
            weight_decays=(1e-3,),
            dropouts=(0.5,),
            penalties=(0.1, 1.0),
            validation=50,
            retrain=False,
            lr=(1e-3,),
            steps=1,
            tested=50,
        ),
        "cpu": Tuned(
            "digits_m",
            ("convnet",),
            labels=(100, 500),
            methods=COMPARED,
            retrain=False,
            lr=(1e-3,),
        ),
        "gpu": Tuned(
            "mnist_m",
            ("convnet",),
            labels=(100, 500, 5000),
            methods=COMPARED,
            validation=1000,
            retrain=False,
            lr=(1e-3,),
            batch_size=128,
            steps=10_000,
        ),
    },
    protocol={
        "smoke": "Only one step is taken, so the numbers mean nothing.",
        "cpu": (
            "The images are Digits-M instead of MNIST-M, and nets and steps are those of Fig. 2.7a here. "
            "For each seed and regulariser four strengths are tried on 300 further labelled images, which "
            "nobody with so few labels would have: that is as generous to each regulariser as to SHADE. "
            "Weight decay tries 0.0003 to 0.01, dropout 0.1 to 0.7, each penalty 0.03 to 1."
        ),
        "gpu": (
            "MNIST-M is composed here, at 28×28. "
            "For each seed and regulariser four strengths are tried on 1000 further labelled images. "
            "The net is the small ConvNet with 24 maps a layer."
        ),
    },
    measure=measure_tuned,
    claims=(
        *(
            Claim(
                f"With {n} labels SHADE beats no regulariser.",
                lambda at, n=n: lead(at, n, "shade", "none"),
                above=0,
            )
            for n in (100, 500)
        ),
        *(
            Claim(
                f"SHADE beats {name}, on average over the numbers of labels.",
                lambda at, other=other: mean_lead(at, "shade", other),
                above=0,
            )
            for other, name in (
                ("weight_decay", "weight decay"),
                ("dropout", "dropout"),
                ("varentropy", "VarEntropy"),
                ("class_variance", "the class-conditional variance"),
            )
        ),
    ),
)
