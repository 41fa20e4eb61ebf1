"""What every study of this chapter works on: a net with its stages, and images each with a class."""

from typing import NamedTuple

from torch import Tensor, nn


class Subject(NamedTuple):
    """A net that is asked.

    Attributes:
        net: in evaluation mode, on the device.
        stages: its layers by the stage's name, from the image on.
        convolutions: stage -> its convolution, for NormGrad without the identity trick.
    """

    net: nn.Module
    stages: dict[str, str | None]
    convolutions: dict[str, str]


class Pairs(NamedTuple):
    """Images, each with one class that is there.

    Attributes:
        x: (B, C, h, w), as the nets see them.
        y: (B,) the class.
        masks: (B, H, W) bool, where the class is; the size may be another than that of x.
        hard: (B,) bool, whether the pair is in the difficult subset.
    """

    x: Tensor
    y: Tensor
    masks: Tensor
    hard: Tensor
