"""Fig. 2.7b: the Inception at three sizes of the training set."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from course_lib import data
from course_lib.nets import SmallInception
from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.shared import labelled_images, splits, train
from course_lib.training import accuracy_of


@dataclass(frozen=True)
class Sizes:
    """What is trained: each method on each number of labels.

    Attributes:
        data: the image set; labels are taken from its training split.
        labels: numbers of labelled images.
        width: factor on the maps of the small Inception.
        crop: side of a random window, flipped at random, that is shown in training; None shows the image.
        methods: which of ``none``, ``shade``, ``detached``, ``varentropy``.
        steps, batch_size: of the training, in passes over the labelled images.
        lr, momentum: of SGD, whose rate falls 100 times by 5 %; without momentum of Adam.
        weight: of the regulariser, beside the cross-entropy.
    """

    data: str
    labels: tuple[int, ...]
    width: float = 1.0
    crop: int | None = None
    methods: tuple[str, ...] = ("none", "shade")
    steps: int = 300
    batch_size: int = 50
    lr: float = 0.01
    momentum: float | None = None
    weight: float = 0.1


def measure_sizes(config: Sizes, seed: int) -> dict[Cell, float]:
    """Test accuracy (%) by (method, labels); the methods share their first weights, labels and batches."""
    pool, test = splits(config.data)
    mean, std = pool.statistics()
    flips = config.crop is not None
    window = data.Augment(crop=config.crop)
    test_batches = data.Batches(test, 1024, augment=window, mean=mean, std=std).evaluation()
    accuracies = {}
    for n in config.labels:
        labelled = pool.subset(labelled_images(pool.labels, n, seed))
        for method in config.methods:
            torch.manual_seed(seed)
            model = SmallInception(test_batches.shape, pool.num_classes, width=config.width)
            batches = data.Batches(
                labelled,
                config.batch_size,
                augment=data.Augment(crop=config.crop, flip=flips),
                steps=config.steps,
                seed=seed,
                mean=mean,
                std=std,
                channels_last=True,
            )
            how = {"weight": config.weight, "steps": config.steps, "lr": config.lr}
            train(model.to(pool.images.device), batches, method, momentum=config.momentum, **how)
            accuracies[method, n] = 100 * accuracy_of(model, test_batches)
    return accuracies


def gain(at: Mapping[Cell, float], place: int) -> float:
    """Points of accuracy that SHADE adds to the baseline at a place in the row of sizes (0, 1, 2).

    Raises:
        KeyError: there are not three sizes.
    """
    sizes = sorted(n for method, n in at if method == "shade")
    if len(sizes) != 3:
        raise KeyError("three sizes")
    return at["shade", sizes[place]] - at["none", sizes[place]]


FIGURE_2_7B = Study(
    id="shade.figure_2_7b",
    title="SHADE on an Inception, at three sizes of the training set",
    source="Robert 2019, Fig. 2.7b",
    claim="SHADE improves the Inception at every size of CIFAR-10, and most with the fewest images.",
    axes=("method", "labels"),
    unit="test accuracy (%)",
    names={"none": "baseline", "shade": "SHADE"},
    paper={
        ("none", 4000): 69.37,
        ("shade", 4000): 75.30,
        ("none", 10_000): 83.04,
        ("shade", 10_000): 84.75,
        ("none", 50_000): 90.97,
        ("shade", 50_000): 93.28,
    },
    reading="The source gives no spread.",
    digits=2,
    configs={
        "smoke": Sizes("digits_m", labels=(50, 100, 200), width=0.05, steps=2),
        "cpu": Sizes("digits_m", labels=(100, 240, 1200), width=0.25),
        "gpu": Sizes(
            "cifar10",
            labels=(4000, 10_000, 50_000),
            crop=28,
            steps=39_100,
            batch_size=128,
            lr=0.1,
            momentum=0.9,
        ),
    },
    protocol={
        "smoke": "Only a few steps are taken, so the numbers mean nothing.",
        "cpu": (
            "The images are Digits-M instead of CIFAR-10. "
            "The three sizes are about the same parts of the training set, 8, 20 and 100 %. "
            "The small Inception of Zhang et al. 2017 has a quarter of its maps. "
            "It takes 300 steps of Adam at every size, without augmentation. "
            "The weight of SHADE is 0.1 and not tuned; the source tuned its own. "
            "What enters the ReLU is penalised, so after batch norm; the source does not say where."
        ),
        "gpu": (
            "Images are random windows of 28×28, flipped at random, as in the source. "
            "SGD takes 39 100 steps of 128 images at every size, 100 epochs of the whole set. "
            "The weight of SHADE is 0.1 and not tuned; the source tuned its own. "
            "What enters the ReLU is penalised, so after batch norm; the source does not say where."
        ),
    },
    measure=measure_sizes,
    claims=(
        *(
            Claim(f"SHADE beats the baseline with {part}.", lambda at, place=place: gain(at, place), above=0)
            for place, part in enumerate(("the fewest images", "a fifth of the images", "all images"))
        ),
        Claim(
            "The gain is larger with the fewest images than with all.",
            lambda at: gain(at, 0) - gain(at, 2),
            above=0,
        ),
        Claim("With the fewest images the gain is 4 to 8 points.", lambda at: gain(at, 0), above=4, below=8),
    ),
)
