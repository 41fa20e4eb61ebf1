"""Table 2.1: the layers, parameters and errors of the ConvNets that won ImageNet's challenges."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from scipy import stats
from torch import Tensor, fx, nn
from torchvision import models

from course_lib import runtime
from course_lib.nets import count_parameters
from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.imagenet import (
    image_folder,
    pretrained,
    require_classes,
    ten_crops,
    top_accuracies,
)

NETS = {
    "alexnet": "AlexNet",
    "vgg16": "VGG-16",
    "googlenet": "Inception V1",
    "inception_v3": "Inception V3",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
}
WITH_HEADS = ("googlenet", "inception_v3")  # have auxiliary heads, which only training uses
SIDES = {"inception_v3": 299}  # of the images that a net was made for; the others have 224


@dataclass(frozen=True)
class Architectures:
    """Which nets are looked at.

    Attributes:
        data: ``torchvision`` counts layers and parameters; another name is a folder of images and weights
            below ``COURSE_DATA``, on which the error is measured too.
        nets: torchvision's names, keys of ``NETS``.
        side: of a crop; None takes what the net was made for.
        batch_size, workers: images that are read at once, and processes that read them.
    """

    data: str = "torchvision"
    nets: tuple[str, ...] = tuple(NETS)
    side: int | None = None
    batch_size: int = 32
    workers: int = 8


def measure_architectures(config: Architectures, seed: int) -> dict[Cell, float]:
    """Layers, parameters (millions) and, where there are images, the top-5 error (%), by (net, quantity).

    Nothing depends on the seed.
    """
    cells: dict[Cell, float] = {}
    for name in config.nets:
        net = make(name)
        cells[name, "layers"] = depth(net)
        cells[name, "parameters"] = count_parameters(net) / 1e6
        if name in WITH_HEADS:
            cells[name, "with heads"] = count_parameters(make(name, heads=True)) / 1e6
        if config.data != "torchvision":
            cells[name, "error"] = ten_crop_error(name, config)
    return cells


def make(name: str, heads: bool = False) -> nn.Module:
    """A net of torchvision on the meta device: shapes without numbers, made at once and without memory."""
    options = {"aux_logits": heads, "init_weights": False} if name in WITH_HEADS else {}
    with torch.device("meta"):
        return models.get_model(name, weights=None, **options).eval()


def depth(net: nn.Module) -> int:
    """Layers with weights, convolutions and dense ones, on the longest way from the image to the logits.

    So of branches side by side the longest counts, and a shortcut beside a block does not.
    """
    traced = fx.symbolic_trace(net)
    layers = {name for name, module in net.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    longest: dict[fx.Node, int] = {}
    for node in traced.graph.nodes:
        before = max((longest[source] for source in node.all_input_nodes), default=0)
        longest[node] = before + (node.op == "call_module" and node.target in layers)
    return max(longest[node] for node in traced.graph.nodes if node.op == "output")


class OverCrops(nn.Module):
    """A net's probabilities (B, K), averaged over the crops of each image (B, crops, 3, H, W)."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.flatten(0, 1)).softmax(1).unflatten(0, x.shape[:2]).mean(1)


def ten_crop_error(name: str, config: Architectures) -> float:
    """Top-5 error (%) on the validation images, over four corners, the middle, and their mirror images.

    Raises:
        CourseError: the images or the weights are not here.
    """
    side = config.side or SIDES.get(name, 224)
    images = image_folder("val", partial(ten_crops, side=side), config.data)
    # torchvision's weights of the two Inceptions expect another normalisation, which the net then does
    options = {"init_weights": False, "transform_input": True} if name in WITH_HEADS else {}
    net = pretrained(name, config.data, **options)
    require_classes(net, name, images)
    net = OverCrops(net).to(runtime.device())
    return 100 - top_accuracies(net, images, config.batch_size, config.workers)["top-5"]


def deviation(at: Mapping[Cell, float], net: str) -> float:
    """By how many % a net has more parameters than the source says."""
    return 100 * (at[net, "parameters"] / PAPER[net, "parameters"] - 1)


def most_layers_off(at: Mapping[Cell, float]) -> float:
    """The largest difference from the source's numbers of layers."""
    return max(abs(at[net, "layers"] - PAPER[net, "layers"]) for net in NETS)


def depth_and_error(at: Mapping[Cell, float]) -> float:
    """Spearman's rank correlation of layers and error over the nets."""
    columns = ([at[net, quantity] for net in NETS] for quantity in ("layers", "error"))
    return float(stats.spearmanr(*columns).statistic)


ROWS = (
    (16.4, 8, 62),
    (9.3, 16, 138),
    (9.2, 22, 6),
    (5.6, 48, 23),
    (6.7, 50, 26),
    (6.0, 101, 45),
    (5.7, 152, 60),
)
PAPER = {
    (key, column): float(value)
    for key, row in zip(NETS, ROWS, strict=True)
    for column, value in zip(("error", "layers", "parameters"), row, strict=True)
}
COUNTING = (
    "Layers and parameters are counted in torchvision's nets; nothing is trained and no image is seen. "
    "A layer is a convolution or a dense layer on the longest way from the image to the logits. "
    "Parameters are weights, biases, and the scales and shifts of batch norms. "
    "The auxiliary heads of the Inceptions, which only training uses, are counted in rows of their own. "
    "Nothing depends on a seed, so every seed gives the same number and each interval is a point. "
)

TABLE_2_1 = Study(
    id="shade.table_2_1",
    title="Popular ConvNets: error, layers, parameters",
    source="Robert 2019, Table 2.1",
    claim="From AlexNet to the ResNets the nets become deeper, and their error on ImageNet falls.",
    axes=("net", "quantity"),
    unit="layers, parameters (millions), top-5 error on ImageNet (%)",
    names=NETS | {"error": "top-5 error (%)", "with heads": "parameters with auxiliary heads"},
    paper=PAPER,
    reading=(
        "The source gives whole millions and does not say how it counts. "
        "Its 6 and 23 for the two Inceptions look cut off, the others rounded. "
        "Its 62 for AlexNet fits the layers of 2012 with their two halves joined. "
        "Torchvision's AlexNet is the one of 2014, in one column with fewer maps. "
        "Torchvision's Inception V1 has batch norms, and filters of 3×3 where the publication has 5×5. "
        "The errors are those of single nets over ten crops."
    ),
    configs={
        "smoke": Architectures(nets=("alexnet", "googlenet")),
        "cpu": Architectures(),
        "gpu": Architectures("imagenet"),
    },
    protocol={
        "smoke": "Only two nets are counted.",
        "cpu": COUNTING + "The errors need ImageNet, see the gpu scale.",
        "gpu": (
            COUNTING + "The errors are measured on imagenet/val below COURSE_DATA, with torchvision's first "
            "weights in imagenet/alexnet.pth and so on, or in torch.hub's cache. "
            "Probabilities are averaged over ten crops; the source does not say what is averaged."
        ),
    },
    measure=measure_architectures,
    claims=(
        Claim("All seven nets have the layers that the source says.", most_layers_off, below=0.5),
        *(
            Claim(
                f"{label}: the parameters agree within 5 %.",
                lambda at, key=key: deviation(at, key),
                above=-5,
                below=5,
            )
            for key, label in NETS.items()
        ),
        Claim("The deeper a net, the lower its error (rank correlation).", depth_and_error, below=0),
    ),
)
