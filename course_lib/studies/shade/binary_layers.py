"""Table A.1: one layer of a trained net may only say "absent" or "present"."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from course_lib import data
from course_lib.methods.binary_activation import binarised
from course_lib.methods.named_layers import find_layers
from course_lib.nets.inception import Inception
from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.shared import make_net, splits, train
from course_lib.training import accuracy_of, cross_entropy, fit

NETS = ("mlp", "alexnet", "inception", "wideresnet")
PLACES = ("last", "middle", "first")


@dataclass(frozen=True)
class BinaryLayers:
    """What is trained, binarised and tuned.

    Attributes:
        data: the image set, used with all its labels.
        nets: which of ``mlp``, ``alexnet``, ``inception``, ``wideresnet``.
        inception_width: factor on the maps of the small Inception.
        wideresnet: depth and width of the residual net.
        crop: side of a random window, flipped at random, that is shown in training; None shows the image.
        batch_size: of training and tuning.
        steps, lr: of the training; by net, in the order of ``nets``.
        momentum: of the training; None trains with Adam, see ``shared.train``.
        tune_steps, tune_lr: of Adam on the layers above the binary one.
    """

    data: str
    nets: tuple[str, ...] = NETS
    inception_width: float = 0.25
    wideresnet: tuple[int, int] = (10, 1)
    crop: int | None = None
    batch_size: int = 50
    steps: int = 300
    lr: tuple[float, ...] = (1e-3, 1e-3, 1e-3, 1e-3)
    momentum: float | None = None
    tune_steps: int = 100
    tune_lr: float = 1e-3


def measure_binary_layers(config: BinaryLayers, seed: int) -> dict[Cell, float]:
    """Test accuracy (%) by (net, place).

    The place ``original`` is the trained net as it is.  ``tuned`` is the same after as many further steps as
    the binary nets get, with nothing binary: a control of ours.
    """
    images, test = splits(config.data)
    mean, std = images.statistics()
    window = data.Augment(crop=config.crop)
    test_batches = data.Batches(test, 1024, augment=window, mean=mean, std=std).evaluation()

    def batches(pass_: int) -> data.Batches:
        return data.Batches(
            images,
            config.batch_size,
            augment=data.Augment(crop=config.crop, flip=config.crop is not None),
            seed=2 * seed + pass_,
            mean=mean,
            std=std,
            channels_last=True,
        )

    accuracies = {}
    for name, lr in zip(config.nets, config.lr, strict=True):
        torch.manual_seed(seed)
        sizes = {"inception_width": config.inception_width, "wideresnet": config.wideresnet}
        model = make_net(name, test_batches.shape, images.num_classes, **sizes).to(images.images.device)
        how = {"steps": config.steps, "lr": lr, "momentum": config.momentum}
        train(model, batches(0), "none", weight=0.0, **how)
        accuracies[name, "original"] = 100 * accuracy_of(model, test_batches)
        for place in ("tuned", *PLACES):
            binary = copy.deepcopy(model)
            for relu in layer_at(model, place) if place != "tuned" else ():
                binary = binarised(binary, relu, batches(0))
            tune = {"steps": config.tune_steps, "lr": config.tune_lr}
            fit(binary, batches(1), cross_entropy, channels_last=True, progress=False, **tune)
            accuracies[name, place] = 100 * accuracy_of(binary, test_batches)
    return accuracies


def layer_at(model: nn.Module, place: str) -> list[str]:
    """The ReLUs of the last, middle or first layer; branches side by side are one layer.

    Raises:
        ValueError: there is no such place.
    """
    if place not in PLACES:
        raise ValueError(f"place is {place!r}, possible are {', '.join(PLACES)}.")
    layers: list[list[str]] = []
    module_before = None
    for name in find_layers(model, None):
        module = model.get_submodule(name.rpartition(".")[0].rpartition(".")[0])
        if isinstance(module, Inception) and module is module_before:
            layers[-1].append(name)
        else:
            layers.append([name])
        module_before = module
    return layers[{"first": 0, "middle": len(layers) // 2, "last": -1}[place]]


def loss(at: Mapping[Cell, float], net: str, place: str) -> float:
    """Points of accuracy that a binary layer costs."""
    return at[net, "original"] - at[net, place]


def mean_loss(at: Mapping[Cell, float], place: str) -> float:
    """The same, averaged over the nets."""
    return sum(loss(at, net, place) for net in NETS) / len(NETS)


PAPER = {
    "mlp": (64.68, 64.92, 62.45, 61.13),
    "alexnet": (83.25, 82.71, 82.38, 82.01),
    "inception": (91.34, 91.41, 90.88, 90.21),
    "wideresnet": (93.24, 92.67, 92.09, 91.99),
}

TABLE_A_1 = Study(
    id="shade.table_a_1",
    title="One binary layer",
    source="Robert 2019, Table A.1",
    claim="A layer that says of each unit only whether it is active loses little, least near the top.",
    axes=("net", "binary layer"),
    unit="test accuracy (%)",
    names={
        "mlp": "MLP",
        "alexnet": "AlexNet",
        "inception": "Inception",
        "wideresnet": "ResNet",
        "original": "none",
        "tuned": "none, tuned as well",
        "last": "before the classifier",
        "middle": "in the middle",
        "first": "the first",
    },
    paper={
        (net, place): value
        for net, values in PAPER.items()
        for place, value in zip(("original", *PLACES), values, strict=True)
    },
    reading="These nets are better than those of the source's Table 2.2, so only the losses count.",
    configs={
        "smoke": BinaryLayers("digits_m", inception_width=1 / 16, steps=2, tune_steps=1),
        "cpu": BinaryLayers("digits_m", lr=(1e-3, 1e-3, 1e-2, 1e-2)),
        "gpu": BinaryLayers(
            "cifar10",
            inception_width=1.0,
            wideresnet=(16, 4),
            crop=28,
            batch_size=128,
            steps=39_100,
            lr=(0.01, 0.01, 0.1, 0.1),
            momentum=0.9,
            tune_steps=3910,
        ),
    },
    protocol={
        "smoke": "Only a few steps are taken, so the numbers mean nothing.",
        "cpu": (
            "The images are Digits-M, 16×16 digits on coloured noise, 1200 for training, not CIFAR-10. "
            "The Inception has a quarter of its maps and the residual net depth 10 and width 1. "
            "Training takes 300 steps of Adam and tuning 100; the source gives neither. "
            "Tuning also trains on, so a net tuned with nothing binary stands beside: a control of ours. "
            "Where branches stand side by side, all of them are made binary together."
        ),
        "gpu": (
            "The residual net is WRN-16-4, whose depth and width the source does not give. "
            "Training takes 100 epochs of 128 images and tuning 10; the source gives neither. "
            "Where branches stand side by side, all of them are made binary together."
        ),
    },
    measure=measure_binary_layers,
    claims=(
        *(
            Claim(
                f"The {shown} loses less than one point when its last layer is binary.",
                lambda at, net=net: loss(at, net, "last"),
                below=1,
            )
            for net, shown in zip(NETS, ("MLP", "AlexNet", "Inception", "ResNet"))
        ),
        Claim(
            "Against a net that is tuned as well, a binary last layer costs less than one point on average.",
            lambda at: sum(at[net, "tuned"] - at[net, "last"] for net in NETS) / len(NETS),
            below=1,
        ),
        Claim(
            "A binary layer in the middle costs less than three points, on average over the nets.",
            lambda at: mean_loss(at, "middle"),
            below=3,
        ),
        Claim(
            "A binary first layer costs more than a binary last one, on average over the nets.",
            lambda at: mean_loss(at, "first") - mean_loss(at, "last"),
            above=0,
        ),
    ),
)
