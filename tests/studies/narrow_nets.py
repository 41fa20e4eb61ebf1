"""Nets built like torchvision's ResNet50 and VGG16, but narrow: same layers by the same names."""

from torch import nn
from torchvision.models import VGG, ResNet
from torchvision.models.resnet import Bottleneck
from torchvision.models.vgg import make_layers


class NarrowBlock(Bottleneck):
    expansion = 1


class NarrowResNet(ResNet):
    """Two blocks in the last layer, one in the others."""

    def __init__(self, classes: int):
        nn.Module.__init__(self)
        self.conv1 = nn.Conv2d(3, 4, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(NarrowBlock(4, 4))
        for number, (entering, leaving) in enumerate(((4, 6), (6, 8), (8, 16)), start=2):
            shortcut = nn.Sequential(
                nn.Conv2d(entering, leaving, kernel_size=1, stride=2, bias=False), nn.BatchNorm2d(leaving)
            )
            blocks = [NarrowBlock(entering, leaving, stride=2, downsample=shortcut)]
            blocks += [NarrowBlock(leaving, leaving)] * (number == 4)
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, classes)


class NarrowVGG(VGG):
    def __init__(self, classes: int):
        nn.Module.__init__(self)
        self.features = make_layers([4, 4, "M", 4, 4, "M", 6, 6, 6, "M", 6, 6, 6, "M", 6, 6, 6, "M"])
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
    """A net by torchvision's name, with fresh weights, in evaluation mode."""
    return {"resnet50": NarrowResNet, "vgg16": NarrowVGG}[name](classes).eval()
