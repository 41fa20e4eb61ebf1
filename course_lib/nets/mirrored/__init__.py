"""Nets that also draw: for each architecture an encoder, the decoder that mirrors it, and a classifier.

``conv_large``    ConvLarge (Robert 2019, Tables 3.3 and B.1)
``conv_stl``      its relative for STL-10 (Table B.3)
``conv_shade``    the net of the first version, with SHADE (Fig. 3.7)
``conv_small``    the course's small one
``shake_shake``   the 26-layer Shake-Shake ResNet (Table B.5)
``resnet50``      ResNet-50 with a mirror image of the course's making (B.2.4)
"""

from course_lib.nets.mirrored.conv_families import conv_large, conv_shade, conv_small, conv_stl
from course_lib.nets.mirrored.convs import ConvDecoder, ConvEncoder
from course_lib.nets.mirrored.parts import Decoded, Encoded, Family
from course_lib.nets.mirrored.resnet50 import ResNetDecoder, ResNetEncoder, resnet50
from course_lib.nets.mirrored.shake_shake import (
    Shake,
    ShakeShakeBlock,
    ShakeShakeDecoder,
    ShakeShakeEncoder,
    shake_shake,
)

__all__ = [
    "ConvDecoder",
    "ConvEncoder",
    "Decoded",
    "Encoded",
    "Family",
    "ResNetDecoder",
    "ResNetEncoder",
    "Shake",
    "ShakeShakeBlock",
    "ShakeShakeDecoder",
    "ShakeShakeEncoder",
    "build",
    "conv_large",
    "conv_shade",
    "conv_small",
    "conv_stl",
    "names",
    "resnet50",
    "shake_shake",
]

MAKERS = (conv_large, conv_stl, conv_shade, conv_small, shake_shake, resnet50)
FAMILIES = {make.__name__: make for make in MAKERS}


def names() -> list[str]:
    """The names that ``build`` knows."""
    return list(FAMILIES)


def build(name: str, **options) -> Family:
    """The architecture of this name.

    Args:
        name: one of ``names()``.
        options: what it takes: ``num_classes``, ``in_channels``, ``width``, ...

    Raises:
        ValueError: there is none of this name.
    """
    if name not in FAMILIES:
        raise ValueError(f"There is no mirrored net named {name!r}, possible are {', '.join(FAMILIES)}.")
    return FAMILIES[name](**options)
