"""The small ConvNet of the chapters: three convolutions and one dense layer, trained in seconds."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from course_lib.nets.backbone import Backbone, at_least_one


class SmallConvNet(Backbone):
    """conv5x5, conv3x3, conv3x3, each with a ReLU and a 2x2 max-pool, then the head.

    This is the layout of the MNIST-M net of Robert 2019 (§2.3.4.3 and Fig. 3.7), which has ``width=64`` and
    takes 32x32 images; the course's default is narrower so that a run takes seconds.

    Args:
        in_shape: (channels, height, width) of one image.
        num_classes: number of logits.
        width: maps of each convolution.
        batch_norm: batch normalisation between each convolution and its ReLU.
        dropout: probability to drop a feature, before the head.
    """

    smallest = 8

    def __init__(
        self,
        in_shape: Sequence[int] = (3, 28, 28),
        num_classes: int = 10,
        *,
        width: int = 24,
        batch_norm: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__(in_shape, num_classes)
        at_least_one("width", width)
        channels = self.in_shape[0]
        layers = OrderedDict[str, nn.Module]()
        for i, size in enumerate((5, 3, 3), start=1):
            layers[f"conv{i}"] = nn.Conv2d(channels, width, size, padding=size // 2, bias=not batch_norm)
            if batch_norm:
                layers[f"norm{i}"] = nn.BatchNorm2d(width)
            layers[f"relu{i}"] = nn.ReLU()
            layers[f"pool{i}"] = nn.MaxPool2d(2)
            channels = width
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = nn.Dropout(dropout)
        self.body = nn.Sequential(layers)
        self.head = nn.Linear(width * (self.in_shape[1] // 8) * (self.in_shape[2] // 8), num_classes)
