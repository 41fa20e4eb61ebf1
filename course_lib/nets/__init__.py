"""The nets: the four that Robert 2019 regularises, and the small ConvNet that the chapters train.

All take images (B, C, H, W) and return logits (B, num_classes); ``features(x)`` is the input of the last
linear layer ``head``; each ReLU is its own module.

`TinyVGG` is the small net of the saliency chapter, with an average or dense layers at its end.
`weldon_from_resnet` makes the net of the thesis' ImageNet experiment out of a ResNet of torchvision, whose
blocks use one ReLU module several times.
"""

from torch import nn

from course_lib.nets.alexnet import AlexNetLike
from course_lib.nets.backbone import Backbone
from course_lib.nets.convnet import SmallConvNet
from course_lib.nets.inception import SmallInception
from course_lib.nets.mlp import MLP
from course_lib.nets.tiny_vgg import TinyVGG
from course_lib.nets.weldon import MaxMinPooling, Weldon, weldon_from_resnet
from course_lib.nets.wideresnet import WideResNet

__all__ = [
    "MLP",
    "AlexNetLike",
    "Backbone",
    "MaxMinPooling",
    "SmallConvNet",
    "SmallInception",
    "TinyVGG",
    "Weldon",
    "WideResNet",
    "build",
    "count_parameters",
    "names",
    "weldon_from_resnet",
]

NETS: dict[str, type[Backbone]] = {
    "mlp": MLP,
    "alexnet": AlexNetLike,
    "inception": SmallInception,
    "wideresnet": WideResNet,
    "convnet": SmallConvNet,
}


def names() -> list[str]:
    """The names that ``build`` knows."""
    return list(NETS)


def build(name: str, **options) -> Backbone:
    """Make a net by its name.

    Args:
        name: one of ``names()``.
        options: what the class takes: ``in_shape``, ``num_classes``, ``dropout``, ...

    Returns:
        the net, freshly initialised from torch's random state.

    Raises:
        ValueError: no net has this name, or an option has an impossible value.
    """
    if name not in NETS:
        raise ValueError(f"There is no net named {name!r}, possible are {', '.join(NETS)}.")
    return NETS[name](**options)


def count_parameters(model: nn.Module) -> int:
    """The number of parameters (buffers left out, a shared parameter counted once)."""
    return sum(parameter.numel() for parameter in model.parameters())
