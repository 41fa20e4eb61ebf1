"""WELDON: a ResNet that scores each place of an image, and lets the best and the worst places decide.

Durand, Thome & Cord 2016, as Robert 2019, §2.3.4.2, uses it on ImageNet: images of 448x448 pixels, and
instead of average pooling and a dense layer a 1x1 convolution to one map of 14x14 for each class, whose 50
highest and 50 lowest activations are averaged.
"""

import copy
from collections import OrderedDict
from numbers import Integral

import torch
from torch import Tensor, nn


class MaxMinPooling(nn.Module):
    """The mean of the highest and the lowest activations of each map, taken together.

    A map with fewer positions than asked for gives all it has (the course's choice). Where highest and lowest
    overlap, a position counts twice.
    With equal numbers this is half of Durand's score, which adds the two means; the thesis averages.

    Args:
        highest: how many of the highest activations, from 0.
        lowest: how many of the lowest activations, from 0.

    Raises:
        ValueError: a number is no whole number from 0, or both are 0.
    """

    def __init__(self, highest: int = 50, lowest: int = 50):
        super().__init__()
        for name, number in (("highest", highest), ("lowest", lowest)):
            if not isinstance(number, Integral) or number < 0:
                raise ValueError(f"{name} is {number!r}, possible are whole numbers from 0.")
        if highest == lowest == 0:
            raise ValueError("highest and lowest are both 0, so there is nothing to average.")
        self.highest, self.lowest = int(highest), int(lowest)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, K, H, W) to scores (B, K).

        Raises:
            ValueError: these are no maps, or they have no positions.
        """
        if maps.ndim != 4 or maps[0, 0].numel() == 0:
            raise ValueError(f"maps has shape {tuple(maps.shape)}, needed is (B, K, H, W).")
        values = maps.flatten(2)
        positions = values.shape[2]
        high = values.topk(min(self.highest, positions)).values
        low = values.topk(min(self.lowest, positions), largest=False).values
        return torch.cat((high, low), dim=2).mean(2)

    def extra_repr(self) -> str:
        return f"highest={self.highest}, lowest={self.lowest}"


class Weldon(nn.Module):
    """A fully convolutional classifier, ``pool(head(body(x)))``.

    Args:
        body: images to maps of features (B, D, H, W).
        head: 1x1 convolution to one map for each class.
        highest, lowest: see `MaxMinPooling`; 50 and 50 in Robert 2019, §2.3.4.2.
    """

    def __init__(self, body: nn.Module, head: nn.Conv2d, highest: int = 50, lowest: int = 50):
        super().__init__()
        self.body = body
        self.head = head
        self.pool = MaxMinPooling(highest, lowest)

    def class_maps(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) to one map for each class (B, num_classes, h, w): where it speaks for it."""
        return self.head(self.body(x))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) to logits (B, num_classes)."""
        return self.pool(self.class_maps(x))


def weldon_from_resnet(resnet: nn.Module, highest: int = 50, lowest: int = 50) -> Weldon:
    """A WELDON with the weights of a ResNet of torchvision.

    The dense layer becomes a 1x1 convolution: what it did to the mean of the features it now does at each
    position. With all highest and no lowest activations the logits are those of the ResNet.

    Args:
        resnet: for example ``torchvision.models.resnet101(weights="DEFAULT")``; it stays as it is.
        highest, lowest: see `MaxMinPooling`. Maps have a 32nd of the image's side: 14x14 at 448x448, but 7x7
            at 224x224, which is fewer than 50.

    Returns:
        the net, with copied weights on the same device, and with as many parameters.

    Raises:
        TypeError: this is no ResNet of torchvision, or its last layer is not dense.
    """
    from torchvision.models import ResNet

    if not isinstance(resnet, ResNet) or not isinstance(resnet.fc, nn.Linear):
        raise TypeError(
            f"resnet is a {type(resnet).__name__}, needed is a ResNet of torchvision with its dense `fc`."
        )
    parts = copy.deepcopy(resnet)
    dense = parts.fc
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    body = nn.Sequential(OrderedDict((name, getattr(parts, name)) for name in names))
    head = nn.utils.skip_init(
        nn.Conv2d, dense.in_features, dense.out_features, 1,
        bias=dense.bias is not None, device=dense.weight.device, dtype=dense.weight.dtype,
    )  # fmt: skip
    head.weight = nn.Parameter(dense.weight.detach()[:, :, None, None], dense.weight.requires_grad)
    head.bias = dense.bias
    weldon = Weldon(body, head, highest, lowest)
    for module in (weldon, body, head, weldon.pool):  # the body's parts have kept theirs
        module.training = resnet.training
    return weldon
