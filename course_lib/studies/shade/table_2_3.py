"""Table 2.3: a ResNet with ImageNet's weights, WELDON made of it, and WELDON tuned with SHADE."""

import copy
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torchvision import models

from course_lib import runtime
from course_lib.nets import Weldon, weldon_from_resnet
from course_lib.runtime import CourseError
from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.imagenet import (
    Streamed,
    image_folder,
    middle,
    pretrained,
    require_classes,
    spread,
    squeezed,
    top_accuracies,
)
from course_lib.studies.shade.shared import train

TUNED = {"tuned": "none", "shade": "shade"}  # row -> method of ``shared.train``
ROWS = ("resnet", "weldon", *TUNED)


@dataclass(frozen=True)
class Tuning:
    """Which net, on which images, and how WELDON is tuned.

    Attributes:
        data: folder below ``COURSE_DATA`` with the images and the weights.
        net: a ResNet of torchvision.
        trained: whether it begins with its ImageNet weights; False only shows that everything runs.
        rows: which of ``resnet``, ``weldon``, ``tuned`` (WELDON without SHADE), ``shade``.
        classes: how many classes are kept, evenly spaced, in the images and in the net; None keeps all.
        train_images, val_images: of each class at most; None takes all.
        side: of the square that WELDON's images are scaled to.
        crop: of the middle that the ResNet sees.
        steps, batch_size, lr, momentum: of the tuning; the rate falls 100 times by 5 %.
        weight: of SHADE.
        workers: processes that read images.
    """

    data: str = "imagenet"
    net: str = "resnet50"
    trained: bool = True
    rows: tuple[str, ...] = ROWS
    classes: int | None = 100
    train_images: int | None = None
    val_images: int | None = None
    side: int = 288
    crop: int = 224
    steps: int = 400
    batch_size: int = 32
    lr: float = 1e-3
    momentum: float = 0.9
    weight: float = 1e-3
    workers: int = 8


def measure_tuning(config: Tuning, seed: int) -> dict[Cell, float]:
    """Accuracy (%) by (row, ``top-1`` or ``top-5``); both tuned nets see the same batches.

    Raises:
        CourseError: the images or the weights are not here, or do not fit.
    """
    resnet = make_resnet(config).to(runtime.device())
    weldon = weldon_from_resnet(resnet)
    seen = {
        row: partial(middle, side=config.crop) if row == "resnet" else partial(squeezed, side=config.side)
        for row in config.rows
    }
    cells: dict[Cell, float] = {}
    for row in config.rows:
        net = resnet if row == "resnet" else weldon
        if row in TUNED:
            net = tuned(weldon, TUNED[row], config, seed)
        images = image_folder("val", seen[row], config.data, config.classes, config.val_images)
        found = top_accuracies(net, images, config.batch_size, config.workers)
        cells |= {(row, top): accuracy for top, accuracy in found.items()}
    return cells


def make_resnet(config: Tuning) -> nn.Module:
    """The ResNet, on the CPU, with an output for each class that is kept.

    Raises:
        CourseError: see `measure_tuning`.
    """
    train_folder, val_folder = (
        image_folder(split, partial(squeezed, side=config.side), config.data, config.classes)
        for split in ("train", "val")
    )
    if train_folder.classes != val_folder.classes:
        raise CourseError(f"{train_folder.root} and {val_folder.root} have not the same folders of classes.")
    total = len(train_folder.classes)
    if config.trained:
        resnet = pretrained(config.net, config.data)
        require_classes(resnet, config.net, train_folder)
    else:
        resnet = models.get_model(config.net, weights=None, num_classes=total)
    kept = spread(total, config.classes)
    dense = nn.Linear(resnet.fc.in_features, len(kept))
    with torch.no_grad():
        dense.weight.copy_(resnet.fc.weight[kept])
        dense.bias.copy_(resnet.fc.bias[kept])
    resnet.fc = dense
    return resnet.eval()


def tuned(weldon: Weldon, method: str, config: Tuning, seed: int) -> Weldon:
    """A copy of WELDON after the tuning; the given one stays.

    Args:
        weldon: the net to begin with.
        method: ``none`` or ``shade``.
        config, seed: how, and with which batches.
    """
    look = partial(squeezed, side=config.side)
    images = image_folder("train", look, config.data, config.classes, config.train_images)
    batches = Streamed(images, config.batch_size, training=True, seed=seed, workers=config.workers)
    net = copy.deepcopy(weldon).train()
    how = {"steps": config.steps, "lr": config.lr, "momentum": config.momentum}
    train(net, batches, method, weight=config.weight, **how)
    return net.eval()


PAPER = {"resnet": (77.56, 93.89), "weldon": (78.51, 94.65), "shade": (80.14, 95.35)}
COMMON = (
    "Images for WELDON are scaled to a square, as in the source, and mirrored at random in the tuning. "
    "The ResNet sees the middle of an image, the usual way. "
    "WELDON averages the 50 highest and the 50 lowest places of a class map. "
    "SHADE is applied to what enters every ReLU, with a weight of 0.001 that is not tuned. "
    "The source gives neither the steps, the rate and the weight, nor the layers. "
    "The tuning without SHADE is a control of ours, with the same batches. "
)


def gain(after: str, before: str, top: str) -> Claim:
    """The claim that one row is better than another."""
    shown = {
        "resnet": "the ResNet",
        "weldon": "WELDON",
        "tuned": "WELDON tuned without it",
        "shade": "WELDON tuned with SHADE",
    }
    said = f"{shown[after]} is better than {shown[before]} ({top})."
    return Claim(said, lambda at: at[after, top] - at[before, top], above=0)


TABLE_2_3 = Study(
    id="shade.table_2_3",
    title="WELDON tuned with SHADE on ImageNet",
    source="Robert 2019, Table 2.3",
    claim="Tuning with SHADE improves a WELDON net made of a ResNet-101 on ImageNet.",
    axes=("net", "accuracy"),
    unit="accuracy on the validation images (%)",
    names={
        "resnet": "ResNet",
        "weldon": "WELDON",
        "tuned": "WELDON, tuned without SHADE",
        "shade": "WELDON, tuned with SHADE",
    },
    paper={
        (key, column): value
        for key, values in PAPER.items()
        for column, value in zip(("top-1", "top-5"), values, strict=True)
    },
    reading=(
        "The source gives no spread, and no net that is tuned without SHADE. "
        "So its gain over WELDON may come from the tuning alone."
    ),
    needs=("imagenet/train", "imagenet/val"),
    digits=2,
    configs={
        "smoke": Tuning(
            net="resnet18",
            trained=False,
            classes=2,
            train_images=4,
            val_images=4,
            side=64,
            crop=64,
            steps=2,
            batch_size=4,
            workers=0,
        ),
        "cpu": Tuning(val_images=20, batch_size=16, workers=2),
        "gpu": Tuning(net="resnet101", classes=None, side=448, steps=40_000),
    },
    protocol={
        "smoke": "The net is not trained and sees a few images only, so the numbers mean nothing.",
        "cpu": (
            "The net is a ResNet-50, images for WELDON have 288 pixels a side, and 100 classes are kept. "
            "The last layer is cut to them, which is an easier task than that of the source. "
            "Class maps have 9×9 places, so some are among the highest and the lowest. "
            "20 validation images of each class are looked at, and the tuning takes 400 steps of 16. "
            + COMMON
        ).strip(),
        "gpu": (
            "The tuning takes 40 000 steps of 32 images, about once through the training images. "
            "It begins with torchvision's first weights of the ResNet-101, or with the file that you bring. "
            + COMMON
        ).strip(),
    },
    measure=measure_tuning,
    claims=(
        gain("weldon", "resnet", "top-1"),
        gain("weldon", "resnet", "top-5"),
        gain("shade", "weldon", "top-1"),
        gain("shade", "weldon", "top-5"),
        gain("shade", "tuned", "top-1"),
        gain("shade", "tuned", "top-5"),
    ),
)
