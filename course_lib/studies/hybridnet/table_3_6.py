"""Table 3.6: the residual HybridNet beside Mean Teacher with the same net, and published numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.lines import LINES
from course_lib.studies.hybridnet.setting import SHAKE_SHAKE, Setting
from course_lib.studies.hybridnet.shared import images, test_accuracy, train
from course_lib.studies.registry import Cell, Claim, Study

ROWS = {"ResNet": "a", "Mean Teacher ResNet": "b", "HybridNet": "i"}
CIFAR_LABELS, SVHN_LABELS = (1000, 2000, 4000), (500, 1000)
PAPER = {
    "SWWAE": {("SVHN", 1000): 23.56, ("STL-10", 1000): 25.67},
    "Ladder": {("CIFAR-10", 4000): 20.40},
    "Improved GAN": {
        ("CIFAR-10", 1000): 21.83, ("CIFAR-10", 2000): 19.61, ("CIFAR-10", 4000): 18.63,
        ("SVHN", 500): 18.44, ("SVHN", 1000): 8.11,
    },
    "CatGAN": {("CIFAR-10", 4000): 19.58},
    "Stability regularisation": {("CIFAR-10", 4000): 11.29, ("SVHN", 500): 6.03},
    "Temporal Ensembling": {("CIFAR-10", 4000): 12.16, ("SVHN", 500): 5.12, ("SVHN", 1000): 4.42},
    "Mean Teacher ConvLarge": {
        ("CIFAR-10", 1000): 21.55, ("CIFAR-10", 2000): 15.73, ("CIFAR-10", 4000): 12.31,
        ("SVHN", 500): 4.18, ("SVHN", 1000): 3.95,
    },
    "Mean Teacher ResNet": {
        ("CIFAR-10", 1000): 10.10, ("CIFAR-10", 4000): 6.28,
        ("SVHN", 500): 2.33, ("SVHN", 1000): 2.05, ("STL-10", 1000): 16.8,
    },
    "ResNet": {
        ("CIFAR-10", 1000): 45.2, ("CIFAR-10", 2000): 24.3, ("CIFAR-10", 4000): 15.45,
        ("SVHN", 500): 12.27, ("SVHN", 1000): 9.56, ("STL-10", 1000): 18.0,
    },
    "HybridNet": {
        ("CIFAR-10", 1000): 8.81, ("CIFAR-10", 2000): 7.87, ("CIFAR-10", 4000): 6.09,
        ("SVHN", 500): 1.85, ("SVHN", 1000): 1.80, ("STL-10", 1000): 15.9,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Residual(Setting):
    """Which numbers of labels.

    Attributes:
        title: of the set in the table.
        labels: numbers of labelled images.
    """

    title: str = "CIFAR-10"
    labels: tuple[int, ...] = CIFAR_LABELS


def measure_residual(config: Residual, seed: int) -> dict[Cell, float]:
    """Test error (%) by (model, set, labels)."""
    found: dict[Cell, float] = {}
    for n in config.labels:
        streams = images(config, n, seed)
        for row, line in ROWS.items():
            net, _ = train(config, LINES[line], streams, seed)
            found[row, config.title, n] = 100 - test_accuracy(net, config, streams)
    return found


def margin(at: Mapping[Cell, float], row: str, other: str) -> float:
    """Points of error that a row saves over another, on average over the columns that have both."""
    columns = [cell[1:] for cell in at if cell[0] == row and (other, *cell[1:]) in at]
    if not columns:
        raise KeyError(row, other)
    return sum(at[(other, *column)] - at[(row, *column)] for column in columns) / len(columns)


SHAKE = Setting(
    "digits_m",
    scales.PLAIN,
    net="shake_shake",
    net_options=(("width", 8), ("blocks", 1)),
    steps=300,
    optimizer="sgd",
    lr=0.04,
    weight_decay=2e-4,
    schedules=SHAKE_SHAKE,
    translate=2,
    noise=0.0,
    rec=0.25,
    inter=0.5,
    stab=20.0,
    decay=0.95,
)
SHAKE_LARGE = Setting(
    "cifar10",
    net="shake_shake",
    steps=246_000,
    n_labelled=19,
    n_unlabelled=61,
    optimizer="sgd",
    lr=0.04,
    weight_decay=2e-4,
    schedules=SHAKE_SHAKE,
    translate=4,
    flip=True,
    noise=0.0,
    rec=0.25,
    inter=0.5,
    stab=300.0,
    decay=0.97,
)

TABLE_3_6 = Study(
    id="hybridnet.table_3_6",
    title="The residual HybridNet and the state of the art of its day",
    source="Robert 2019, Table 3.6",
    claim="HybridNet has the lowest error, below Mean Teacher with the same net.",
    axes=("model", "set", "labels"),
    unit="test error (%)",
    paper={(row, *column): value for row, columns in PAPER.items() for column, value in columns.items()},
    reading=(
        "All but the last row are published numbers of others or, for SVHN and STL-10 with Mean Teacher "
        "ResNet, runs of the source's author. No spread is given."
    ),
    configs={
        "smoke": scales.of(Residual, SHAKE, steps=2, title="digits", labels=(20,), tested=50),
        "cpu": scales.of(Residual, SHAKE, title="digits", labels=(20,)),
        "gpu": scales.of(Residual, SHAKE_LARGE),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": (
            "The images are scikit-learn's digits at 16×16. The residual net is Shake-Shake with one block a "
            "stage and 8, 16 and 32 maps, and takes 300 steps of 16 labelled and 48 unlabelled images. "
            "Optimiser, schedules and the weights of reconstruction are those of Table B.6, "
            "λ of stability is 20. Only the three rows that share this net are measured."
        ),
        "gpu": (
            "The net is that of Table B.5 and the training that of Table B.6, on CIFAR-10 alone; "
            "weight decay and the teacher's decay are those of the released code."
        ),
    },
    measure=measure_residual,
    claims=(
        Claim(
            "HybridNet has a lower error than Mean Teacher with the same net.",
            lambda at: margin(at, "HybridNet", "Mean Teacher ResNet"),
            above=0,
        ),
        Claim(
            "Mean Teacher has a lower error than the supervised net.",
            lambda at: margin(at, "Mean Teacher ResNet", "ResNet"),
            above=0,
        ),
        Claim(
            "HybridNet has a lower error than the supervised net.",
            lambda at: margin(at, "HybridNet", "ResNet"),
            above=0,
        ),
    ),
)
