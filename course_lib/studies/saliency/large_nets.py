"""The large nets of the source, ResNet50 and VGG16, and how they look at images of any size."""

from collections import OrderedDict

from torch import nn
from torchvision.models import VGG, ResNet

from course_lib.studies.shade.imagenet import FINAL, pretrained

NAMES = {"gap": "resnet50", "fc": "vgg16"}  # torchvision's
DENSE = {"gap": "fc", "fc": "classifier"}  # the part of the net that is fully connected

# The last ReLU before the maps are halved, or end.
STAGES = {
    "gap": {"input": None, "1": "layer1", "2": "layer2", "3": "layer3", "last": "layer4"},
    "fc": {
        "input": None,
        "1": "features.3",
        "2": "features.8",
        "3": "features.15",
        "4": "features.22",
        "last": "features.29",
    },
}
# The convolutions of the comparison with the virtual identity: 1x1 in the ResNet, 3x3 in VGG.
CONVOLUTIONS = {
    "gap": {
        "1": "layer1.0.conv1",
        "2": "layer2.0.conv1",
        "3": "layer3.0.conv1",
        "last": "layer4.0.conv1",
    },
    "fc": {
        "1": "features.2",
        "2": "features.7",
        "3": "features.14",
        "4": "features.21",
        "last": "features.28",
    },
}


def with_imagenet_weights(net: str) -> nn.Module:
    """A net that knows ImageNet, on the CPU; nothing is downloaded.

    Args:
        net: ``gap`` (ResNet50) or ``fc`` (VGG16).

    Raises:
        ValueError: there is no such net.
        CourseError: the user has no weights of it.
    """
    if net not in NAMES:
        raise ValueError(f"net is {net!r}, possible are {', '.join(NAMES)}.")
    return pretrained(NAMES[net])


def give_classes(model: nn.Module, net: str, classes: int) -> None:
    """Put a fresh last layer for so many classes into a net, which is changed."""
    parent, _, name = FINAL.get(NAMES[net], "fc").rpartition(".")
    owner = model.get_submodule(parent)
    setattr(owner, name, nn.Linear(getattr(owner, name).in_features, classes))


def fully_convolutional(model: VGG | ResNet) -> nn.Sequential:
    """A net that looks at images of any size from 224 on, with logits (B, C, h, w); it shares the weights.

    At 224x224 pixels there is one place, whose logits are those of the given net. Elsewhere each place has
    those of a window of 7x7 cells of the last maps, 224 pixels a side. Layers keep their names.

    Args:
        model: of torchvision. Dense layers become convolutions, the ResNet's average one over windows.

    Raises:
        TypeError: the model is neither a VGG nor a ResNet.
    """
    if isinstance(model, VGG):
        side, _ = model.avgpool.output_size
        parts = [convolution(part, 1) if isinstance(part, nn.Linear) else part for part in model.classifier]
        parts[0] = convolution(model.classifier[0], side)
        return nn.Sequential(OrderedDict(features=model.features, classifier=nn.Sequential(*parts)))
    if isinstance(model, ResNet):
        parts = OrderedDict(model.named_children())  # in the order in which they run
        parts["avgpool"] = nn.AvgPool2d(7, stride=1)
        parts["fc"] = convolution(model.fc, 1)
        return nn.Sequential(parts)
    raise TypeError(f"model is {type(model).__name__}, possible are VGG and ResNet of torchvision.")


def convolution(dense: nn.Linear, side: int) -> nn.Conv2d:
    """A convolution that does to windows of side x side cells what a dense layer did to a flattened one."""
    channels = dense.in_features // side**2
    made = nn.utils.skip_init(nn.Conv2d, channels, dense.out_features, side, bias=dense.bias is not None)
    made.weight = nn.Parameter(dense.weight.detach().view(dense.out_features, channels, side, side))
    made.bias = dense.bias
    return made
