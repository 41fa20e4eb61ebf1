"""The multi-layer perceptron: no convolution, every pixel connected to every unit."""

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from course_lib.nets.backbone import Backbone, at_least_one


class MLP(Backbone):
    """Hidden layers of equal width; by default the three of 512 units of Zhang et al. 2017 ("MLP 3x512").

    Robert 2019, §2.3.4.1, calls it the three-layer MLP.

    Args:
        in_shape: (channels, height, width) of one image.
        num_classes: number of logits.
        width: units of a hidden layer.
        depth: number of hidden layers.
        dropout: probability to drop a unit, after each hidden ReLU.
    """

    def __init__(
        self,
        in_shape: Sequence[int] = (3, 28, 28),
        num_classes: int = 10,
        *,
        width: int = 512,
        depth: int = 3,
        dropout: float = 0.0,
    ):
        super().__init__(in_shape, num_classes)
        at_least_one("width", width)
        at_least_one("depth", depth)
        layers = OrderedDict[str, nn.Module](flatten=nn.Flatten())
        units = math.prod(self.in_shape)
        for i in range(1, depth + 1):
            layers[f"fc{i}"] = nn.Linear(units, width)
            layers[f"relu{i}"] = nn.ReLU()
            layers[f"dropout{i}"] = nn.Dropout(dropout)
            units = width
        self.body = nn.Sequential(layers)
        self.head = nn.Linear(units, num_classes)
