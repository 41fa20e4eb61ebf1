"""A small AlexNet: convolutions that see, then wide dense layers that hold most of the parameters."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from course_lib.nets.backbone import Backbone


class AlexNetLike(Backbone):
    """Three convolutions and two dense layers before the head (Robert 2019, §2.3.4.1).

    conv5x5-64, pool, conv5x5-64, pool, conv3x3-128, fc-384, fc-192, where each pool is a 3x3 maximum with
    stride 2 that halves the map. The thesis counts three convolutions and refers to Zhang et al. 2017, whose
    net has the first two; filter numbers are theirs, the third layer's are the course's choice.

    Args:
        in_shape: (channels, height, width) of one image.
        num_classes: number of logits.
        dropout: probability to drop a unit, after the ReLU of each of the two dense layers.
        response_norm: local response normalisation after each pool, over 9 channels, with the constants of
            TensorFlow's CIFAR-10 tutorial.
    """

    smallest = 4

    def __init__(
        self,
        in_shape: Sequence[int] = (3, 28, 28),
        num_classes: int = 10,
        *,
        dropout: float = 0.0,
        response_norm: bool = False,
    ):
        super().__init__(in_shape, num_classes)
        channels, height, width = self.in_shape
        layers = OrderedDict[str, nn.Module]()
        for i in (1, 2):
            layers[f"conv{i}"] = nn.Conv2d(channels, 64, 5, padding=2)
            layers[f"relu{i}"] = nn.ReLU()
            layers[f"pool{i}"] = nn.MaxPool2d(3, stride=2, padding=1)
            if response_norm:
                layers[f"norm{i}"] = nn.LocalResponseNorm(9, alpha=1e-3, beta=0.75, k=1.0)
            channels, height, width = 64, (height + 1) // 2, (width + 1) // 2
        layers["conv3"] = nn.Conv2d(channels, 128, 3, padding=1)
        layers["relu3"] = nn.ReLU()
        layers["flatten"] = nn.Flatten()
        units = 128 * height * width
        for i, out in ((4, 384), (5, 192)):
            layers[f"fc{i}"] = nn.Linear(units, out)
            layers[f"relu{i}"] = nn.ReLU()
            layers[f"dropout{i}"] = nn.Dropout(dropout)
            units = out
        self.body = nn.Sequential(layers)
        self.head = nn.Linear(units, num_classes)
