"""Fig. A.2, declared: two modes of what the last layer reads, and the controls that the source lacks."""

from course_lib.studies.registry import Claim, Study
from course_lib.studies.shade.two_modes import TwoModes, measure_two_modes

READING = (
    "The source shows the densities of five random units and gives no number. "
    "It says that H shows no two modes, and that H* clearly has two, one negative and one positive. "
    "Its figure shows H* of the test images with nearly the densities of the training images. "
    "The ways of counting are the course's. "
    "A unit has two modes where a kernel estimate of its density has two maxima, the lower one at least a "
    "tenth as high as the other, with a valley between them that is lower than it by a tenth. "
    "Sarle's coefficient is 1 for two equal narrow modes and 1/3 for a Gaussian; skewness raises it too. "
    "The gain is that of two Gaussians over one, in nats for each value; skewness raises it as well. "
    "The distance is that of Kolmogorov and Smirnov, and two halves of the training set show its noise. "
    "The random projection and the values before the ReLU are controls of ours."
)
COMMON = (
    "The densities of one half of the training set are compared with those of as many other images. "
    "H* is the orthogonal projection of H on the rows of the last layer's weight. "
    "Before the ReLU a unit has a value at each position; one position of each image is taken. "
)

FIGURE_A_2 = Study(
    id="shade.figure_a_2",
    title="Two modes of a unit",
    source="Robert 2019, Fig. A.2",
    claim=(
        "No unit before the last layer shows two modes. "
        "The part of it that the last layer reads, H*, shows two, on training and on test images."
    ),
    axes=("quantity", "values", "images"),
    unit="parts of the units and accuracies from 0 to 1, a coefficient, nats, and a distance",
    names={
        "two modes": "part of the units with two modes",
        "both signs": "part with a mode on both sides of 0",
        "coefficient": "Sarle's coefficient",
        "gain": "gain of two Gaussians (nats)",
        "distance": "distance from the training images",
        "full": "H",
        "discriminative": "H*",
        "random": "a random projection of H",
        "before": "before the ReLU",
        "net": "the net",
        "train": "training",
        "other half": "training, other half",
    },
    paper={},
    reading=READING,
    digits=2,
    configs={
        "smoke": TwoModes("digits_m", width=1 / 16, steps=3, units=4, looked_at=60),
        "cpu": TwoModes("digits_m"),
        "gpu": TwoModes(
            "cifar10",
            width=1.0,
            crop=28,
            steps=39_100,
            batch_size=128,
            lr=0.1,
            momentum=0.9,
            units=64,
            looked_at=10_000,
        ),
    },
    protocol={
        "smoke": "Only a few steps are taken, so the numbers mean nothing.",
        "cpu": (
            "The images are Digits-M, 16×16 digits on coloured noise, 1200 for training, not CIFAR-10. "
            "The small Inception has a quarter of its maps and takes 300 steps of Adam. "
            "The net learns its 1200 images by heart (see its accuracy), so test images differ for it. "
            "32 random units are counted instead of five shown. " + COMMON
        ).strip(),
        "gpu": (
            "The net takes 100 epochs of 128 images; the source gives neither. "
            "64 random units are counted instead of five shown, on 10 000 images of each part. " + COMMON
        ).strip(),
    },
    measure=measure_two_modes,
    claims=(
        Claim(
            "H on training images shows no two modes: fewer than one unit in ten does.",
            lambda at: at["two modes", "full", "train"],
            below=0.1,
        ),
        Claim(
            "H* on training images has two modes, for more than half of the units.",
            lambda at: at["two modes", "discriminative", "train"],
            above=0.5,
        ),
        Claim(
            "H* on training images has a negative and a positive mode, for more than half of the units.",
            lambda at: at["both signs", "discriminative", "train"],
            above=0.5,
        ),
        Claim(
            "H* on test images has two modes, for more than half of the units.",
            lambda at: at["two modes", "discriminative", "test"],
            above=0.5,
        ),
        Claim(
            "From training to test images H* changes by less than 0.05 beyond the noise of the distance.",
            lambda at: (
                at["distance", "discriminative", "test"] - at["distance", "discriminative", "other half"]
            ),
            below=0.05,
        ),
        Claim(
            "Control: on training images more units have two modes in H* than in a random projection.",
            lambda at: at["two modes", "discriminative", "train"] - at["two modes", "random", "train"],
            above=0,
        ),
        Claim(
            "Control: on test images more units have two modes in H* than in a random projection.",
            lambda at: at["two modes", "discriminative", "test"] - at["two modes", "random", "test"],
            above=0,
        ),
        Claim(
            "Control: before the ReLU more than half of the units have two modes on training images.",
            lambda at: at["two modes", "before", "train"],
            above=0.5,
        ),
    ),
)
