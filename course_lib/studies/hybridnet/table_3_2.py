"""Table 3.2: the first version, with SHADE, and the controls that the source lacks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.first_version import FirstVersion, Row, train_row
from course_lib.studies.hybridnet.setting import Schedules, Setting
from course_lib.studies.hybridnet.shared import images, test_accuracy
from course_lib.studies.registry import Cell, Claim, Study

ROWS = {
    "supervised": Row("supervised"),
    "supervised, weight decay": Row("supervised", weight_decay=True),
    "supervised, SHADE": Row("supervised", shade=True),
    "SWWAE": Row("swwae"),
    "SWWAE, SHADE": Row("swwae", shade=True),
    "HybridNet": Row("hybrid"),
    "HybridNet, weight decay": Row("hybrid", weight_decay=True),
    "HybridNet, SHADE": Row("hybrid", shade=True),
}
PAPER_SETS = (("MNIST", 100), ("MNIST", 1000), ("MNIST-M", 100), ("MNIST-M", 1000), ("SVHN", 1000))
PAPER = {
    "supervised": (83.26, 95.51, 47.14, 83.09, 75.03),
    "SWWAE": (86.38, 95.72, 45.83, 82.89, 75.27),
    "HybridNet": (84.13, 96.01, 48.07, 84.86, 75.63),
    "HybridNet, weight decay": (87.71, 95.98, 48.62, 83.69, 76.13),
    "HybridNet, SHADE": (89.15, 97.18, 52.58, 88.23, 79.12),
}
CONSTANT = Schedules(lr_from=2 / 3, beta_from=1.0, cls_until=0.0, rec_from=1.0)


@dataclass(frozen=True)
class FirstTable(FirstVersion):
    """Which image sets and numbers of labels.

    Attributes:
        sets: (title, name of the set, its options, numbers of labels) of each.
        rows: names in ``ROWS``.
    """

    sets: tuple[tuple[str, str, tuple[tuple[str, float], ...], tuple[int, ...]], ...] = ()
    rows: tuple[str, ...] = tuple(ROWS)


def measure_first_table(config: FirstTable, seed: int) -> dict[Cell, float]:
    """Test accuracy (%) by (row, set, labels)."""
    found: dict[Cell, float] = {}
    for title, name, options, sizes in config.sets:
        own = replace(config, data=name, options=options)
        for n in sizes:
            streams = images(own, n, seed)
            for row in config.rows:
                net = train_row(own, ROWS[row], streams, seed)
                found[row, title, n] = test_accuracy(net, own, streams)
    return found


def lead(at: Mapping[Cell, float], row: str, other: str) -> float:
    """Points of accuracy that a row is ahead of another, on average over sets and labels."""
    columns = sorted({cell[1:] for cell in at})
    return sum(at[(row, *column)] - at[(other, *column)] for column in columns) / len(columns)


def ahead(row: str, other: str, text: str) -> Claim:
    """The claim that a row is ahead of another on average."""
    return Claim(text, lambda at: lead(at, row, other), above=0)


FIRST = Setting(
    "digits_m",
    net="conv_shade",
    net_options=(("width", 16), ("side", 16)),
    steps=300,
    n_labelled=32,
    n_unlabelled=32,
    lr=1e-3,
    schedules=CONSTANT,
    translate=0,
    noise=0.0,
)
FIRST_LARGE = Setting(
    "mnist_m",
    net="conv_shade",
    steps=50_000,
    n_labelled=100,
    n_unlabelled=100,
    lr=1e-3,
    schedules=CONSTANT,
    translate=0,
    noise=0.0,
)
DIGITS_SETS = (
    ("digits", "digits_m", scales.PLAIN, (20, 100)),
    ("Digits-M", "digits_m", (("strength", 1.0),), (100, 500)),
)
LARGE_SETS = (
    ("MNIST-M", "mnist_m", (("size", 32),), (100, 1000)),
    ("SVHN", "svhn", (), (1000,)),
)

TABLE_3_2 = Study(
    id="hybridnet.table_3_2",
    title="The first version, with SHADE",
    source="Robert 2019, Table 3.2",
    claim="HybridNet with SHADE is ahead of the supervised net, of SWWAE, and of HybridNet without SHADE.",
    axes=("row", "set", "labels"),
    unit="test accuracy (%)",
    paper={
        (row, *column): value
        for row, values in PAPER.items()
        for column, value in zip(PAPER_SETS, values, strict=True)
    },
    reading=(
        "The source gives neither spread nor optimiser, weights, batches or steps. "
        "It has no row for SHADE without a second branch; these rows are the course's."
    ),
    configs={
        "smoke": scales.of(
            FirstTable, FIRST, steps=2, sets=(("digits", "digits_m", scales.PLAIN, (20,)),), tested=50
        ),
        "cpu": scales.of(FirstTable, FIRST, sets=DIGITS_SETS),
        "gpu": scales.of(FirstTable, FIRST_LARGE, sets=LARGE_SETS),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": (
            "The sets are scikit-learn's digits, plain and as Digits-M, at 16×16, instead of MNIST, MNIST-M "
            "and SVHN. The net is that of Fig. 3.7 with 16 maps; it takes 300 steps of 32 labelled "
            "and 32 unlabelled images with Adam at 1e-3. λ of the reconstruction is 1 (means), "
            "of SHADE 0.1, of weight decay 1e-3; none is tuned. "
            "SWWAE has no intermediate terms, as in Fig. 3.7."
        ),
        "gpu": (
            "MNIST-M is composed here, at 32×32; plain MNIST is left out. The net is that of Fig. 3.7. "
            "It takes 50 000 steps of 100 labelled and 100 unlabelled images with Adam at 1e-3; "
            "the source does not give its own."
        ),
    },
    measure=measure_first_table,
    claims=(
        ahead("HybridNet, SHADE", "HybridNet", "SHADE raises the accuracy of HybridNet, on average."),
        ahead("HybridNet, SHADE", "SWWAE", "HybridNet with SHADE is ahead of SWWAE."),
        ahead("HybridNet, SHADE", "supervised", "HybridNet with SHADE is ahead of the supervised net."),
        ahead(
            "HybridNet, SHADE", "HybridNet, weight decay", "SHADE does more for HybridNet than weight decay."
        ),
        ahead("HybridNet", "SWWAE", "Without a regulariser, HybridNet is ahead of SWWAE."),
        ahead("SWWAE", "supervised", "SWWAE is ahead of the supervised net."),
        ahead(
            "HybridNet, SHADE",
            "supervised, SHADE",
            "HybridNet with SHADE is ahead of SHADE alone, which the source does not show.",
        ),
        ahead(
            "HybridNet, SHADE",
            "SWWAE, SHADE",
            "HybridNet with SHADE is ahead of SWWAE with SHADE, which the source does not show.",
        ),
    ),
)
