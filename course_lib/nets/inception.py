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
        width: factor on the maps of every convolution; 1 is the source's.
        dropout: probability to drop a feature, before the head.

    Raises:
        ValueError: the width leaves a convolution without maps.
    """

    smallest = 4
    any_size = True

    def __init__(
        self,
        in_shape: Sequence[int] = (3, 28, 28),
        num_classes: int = 10,
        *,
        width: float = 1.0,
        dropout: float = 0.0,
    ):
        super().__init__(in_shape, num_classes)
        if not width * 32 >= 1:
            raise ValueError(f"width is {width}, possible are factors from 1/32, which leave one map of 32.")

        def wide(maps: int) -> int:
            return round(width * maps)

        channels = wide(96)
        layers = OrderedDict[str, nn.Module](stem=conv_unit(self.in_shape[0], channels, 3))
        stages = (
            (80, ((32, 32), (32, 48))),  # Down(80) after Inc(32,32), Inc(32,48)
            (96, ((112, 48), (96, 64), (80, 80), (48, 96))),
            (None, ((176, 160), (176, 160))),
        )
        for s, (down, modules) in enumerate(stages, start=1):
            for m, (ones, threes) in enumerate(modules, start=1):
                layers[f"stage{s}_inception{m}"] = Inception(channels, wide(ones), wide(threes))
                channels = wide(ones) + wide(threes)
            if down:
                layers[f"stage{s}_down"] = Down(channels, wide(down))
                channels += wide(down)
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
