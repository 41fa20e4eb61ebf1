"""The small net of the saliency chapter: four convolutions that look at little, and one of two heads."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from course_lib.nets.backbone import Backbone

MAPS = (16, 32, 64, 64)
HEADS = ("gap", "fc")


class TinyVGG(Backbone):
    """conv3x3 with 16, 32, 64 and 64 maps, each with batch norm and ReLU, a 2x2 max-pool after the first two.

    A location of the last maps sees 26x26 pixels, about the size of an object of the composed scenes: with a
    larger field the peaks of the last maps drift off the objects.

    Args:
        in_shape: (channels, height, width) of one image.
        num_classes: number of logits.
        head: ``gap``, the global average of the last maps, as in a ResNet; or ``fc``, a max-pool and a dense
            layer of 64 units with a ReLU, in the manner of a VGG net.
        width: how many times as many maps.

    Raises:
        ValueError: an impossible shape, or no such head.
    """

    smallest = 8

    def __init__(
        self,
        in_shape: Sequence[int] = (3, 48, 48),
        num_classes: int = 6,
        *,
        head: str = "gap",
        width: int = 1,
    ):
        super().__init__(in_shape, num_classes)
        if head not in HEADS:
            raise ValueError(f"head is {head!r}, possible are {', '.join(HEADS)}.")
        self.any_size = head == "gap"
        layers = OrderedDict[str, nn.Module]()
        channels = self.in_shape[0]
        for i, maps in enumerate(MAPS, start=1):
            layers[f"conv{i}"] = nn.Conv2d(channels, width * maps, 3, padding=1, bias=False)
            layers[f"norm{i}"] = nn.BatchNorm2d(width * maps)
            layers[f"relu{i}"] = nn.ReLU()
            if i <= 2:
                layers[f"pool{i}"] = nn.MaxPool2d(2)
            channels = width * maps
        if head == "gap":
            layers["pool4"] = nn.AdaptiveAvgPool2d(1)
            layers["flatten"] = nn.Flatten()
        else:
            layers["pool4"] = nn.MaxPool2d(2)
            layers["flatten"] = nn.Flatten()
            side = [n // 8 for n in self.in_shape[1:]]
            layers["fc5"] = nn.Linear(channels * side[0] * side[1], 64)
            layers["relu5"] = nn.ReLU()
            channels = 64
        self.body = nn.Sequential(layers)
        self.head = nn.Linear(channels, num_classes)
