"""The wide residual net: short for a ResNet, but with many maps in each layer."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from course_lib.nets.backbone import Backbone, at_least_one


class WideResNet(Backbone):
    """WRN-depth-width with pre-activation blocks (Zagoruyko & Komodakis 2016); by default WRN-16-4.

    Robert 2019, §2.3.4.1, takes "a ResNet from Zagoruyko & Komodakis" without its depth and width; 16 and 4
    are the course's choice.

    Args:
        in_shape: (channels, height, width) of one image.
        num_classes: number of logits.
        depth: number of weighted layers, 6n + 4 with n blocks in each of the three groups.
        width: factor on the 16, 32 and 64 maps of the groups.
        dropout: probability to drop a feature, before the head.

    Raises:
        ValueError: the depth is not 10, 16, 22, ...
    """

    smallest = 4
    any_size = True

    def __init__(
        self,
        in_shape: Sequence[int] = (3, 28, 28),
        num_classes: int = 10,
        *,
        depth: int = 16,
        width: int = 4,
        dropout: float = 0.0,
    ):
        super().__init__(in_shape, num_classes)
        at_least_one("width", width)
        if not isinstance(depth, int) or depth < 10 or depth % 6 != 4:
            raise ValueError(f"depth is {depth!r}, possible are 6n + 4: 10, 16, 22, 28, ...")
        layers = OrderedDict[str, nn.Module](conv1=conv3x3(self.in_shape[0], 16))
        channels = 16
        for g, (maps, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
            for b in range(1, (depth - 4) // 6 + 1):
                layers[f"group{g}_block{b}"] = Block(channels, maps * width, stride if b == 1 else 1)
                channels = maps * width
        layers["norm"] = nn.BatchNorm2d(channels)
        layers["relu"] = nn.ReLU()
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = nn.Dropout(dropout)
        self.body = nn.Sequential(layers)
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.head.bias)


class Block(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, added to the block's input.

    Where the number of maps changes, the input passes a 1x1 convolution, which starts from the first ReLU's
    output.
    """

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv1 = conv3x3(channels, out, stride)
        self.norm2 = nn.BatchNorm2d(out)
        self.relu2 = nn.ReLU()
        self.conv2 = conv3x3(out, out)
        self.shortcut = nn.Conv2d(channels, out, 1, stride, bias=False) if channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, ceil(H/stride), ceil(W/stride))."""
        h = self.relu1(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(h)
        h = self.relu2(self.norm2(self.conv1(h)))
        return kept + self.conv2(h)


def conv3x3(channels: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
