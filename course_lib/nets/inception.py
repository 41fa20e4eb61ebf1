"""The small Inception: two filter sizes side by side in each module, and one dense layer only."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.nets.backbone import Backbone


class SmallInception(Backbone):
    """The small Inception of Zhang et al. 2017, Fig. 3, used by Robert 2019, §2.3.4.1.

    On 28x28 images the maps have 28, 14 and 7 pixels a side; the mean over the last ones makes 336 features.

    Args:
        in_shape: (channels, height, width) of one image.
        num_classes: number of logits.
        dropout: probability to drop a feature, before the head.
    """

    smallest = 4
    any_size = True

    def __init__(self, in_shape: Sequence[int] = (3, 28, 28), num_classes: int = 10, *, dropout: float = 0.0):
        super().__init__(in_shape, num_classes)
        layers = OrderedDict[str, nn.Module](stem=conv_unit(self.in_shape[0], 96, 3))
        channels = 96
        stages = (
            (80, ((32, 32), (32, 48))),  # Down(80) after Inc(32,32), Inc(32,48)
            (96, ((112, 48), (96, 64), (80, 80), (48, 96))),
            (None, ((176, 160), (176, 160))),
        )
        for s, (down, modules) in enumerate(stages, start=1):
            for m, (ones, threes) in enumerate(modules, start=1):
                layers[f"stage{s}_inception{m}"] = Inception(channels, ones, threes)
                channels = ones + threes
            if down:
                layers[f"stage{s}_down"] = Down(channels, down)
                channels += down
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = nn.Dropout(dropout)
        self.body = nn.Sequential(layers)
        self.head = nn.Linear(channels, num_classes)


class Inception(nn.Module):
    """Inc(a, b): a 1x1 convolution to ``ones`` maps beside a 3x3 one to ``threes`` maps, concatenated."""

    def __init__(self, channels: int, ones: int, threes: int):
        super().__init__()
        self.ones = conv_unit(channels, ones, 1)
        self.threes = conv_unit(channels, threes, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, ones + threes, H, W)."""
        return torch.cat((self.ones(x), self.threes(x)), dim=1)


class Down(nn.Module):
    """Down(c): a 3x3 convolution to ``out`` maps beside a 3x3 maximum, both with stride 2, concatenated."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv = conv_unit(channels, out, 3, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out + C, ceil(H/2), ceil(W/2))."""
        return torch.cat((self.conv(x), self.pool(x)), dim=1)


def conv_unit(channels: int, out: int, size: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the norm's shift makes a bias of the convolution superfluous."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels, out, size, stride, padding=size // 2, bias=False),
            norm=nn.BatchNorm2d(out),
            relu=nn.ReLU(),
        )
    )
