"""Nets built like torchvision's ResNet50 and VGG16, but narrow: same layers by the same names."""

from torch import nn
from torchvision.models import VGG, ResNet
from torchvision.models.resnet import Bottleneck
from torchvision.models.vgg import make_layers


class NarrowBlock(Bottleneck):
    expansion = 1


class NarrowVGG(VGG):
    def __init__(self, classes: int):
        nn.Module.__init__(self)
        widths = (4, 4, "M", 4, 4, "M", 6, 6, 6, "M", 6, 6, 6, "M", 6, 6, 6, "M")
        self.features = make_layers(widths)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(6 * 7 * 7, 10),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(10, 8),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(8, classes),
        )


def narrow(name: str, classes: int = 3) -> nn.Module:
    """A net by torchvision's name, with fresh weights, in evaluation mode as after reading a file."""
    if name == "vgg16":
        return NarrowVGG(classes).eval()
    return ResNet(NarrowBlock, [1, 1, 1, 1], num_classes=classes, width_per_group=4).eval()
