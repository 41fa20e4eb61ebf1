"""ResNet-50 and a mirror image of it (Robert 2019, B.2.4), for images of 224x224.

The thesis names the encoder, with weights from Places365, and says nothing of the decoder. Here it is built
by the thesis' rule for the other nets: the stages in reverse order, each convolution transposed.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from course_lib.nets.backbone import at_least_one
from course_lib.nets.mirrored.convs import pooled_linear
from course_lib.nets.mirrored.parts import Decoded, Encoded, Family, check_up
from course_lib.nets.mirrored.residual import (
    check_images,
    check_latent,
    convolution,
    start_convolutions,
)

BLOCKS = (3, 4, 6, 3)  # of the four stages of ResNet-50


def resnet50(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    pretrained: str | Path | None = None,
    width: int = 64,
    blocks: Sequence[int] = BLOCKS,
) -> Family:
    """ResNet-50, split before its global pooling, with a mirrored decoder: h is (2048, 7, 7) at 224x224.

    The stem's max-pooling is 2x2 here. That of the ResNet is 3x3 at a stride of 2: its windows overlap, one
    place can be the maximum of several, and unpooling would not know which value to put there. The maps have
    the same sides, so weights of a ResNet-50 fit; what they compute differs a little.
    Taps are the outputs of this pooling and of the first three stages.

    Args:
        num_classes, in_channels: of the data.
        pretrained: a file of weights for the encoders, as `torch.save` writes it: those of a ResNet-50 of
            torchvision, or a checkpoint of Places365. Its dense layer is left out. None draws weights.
        width: maps of the stem; stages have 4, 8, 16 and 32 times as many.
        blocks: in each of the four stages.

    Raises:
        ValueError: width or a number of blocks is no whole number from 1, there are not four of them, or the
            file does not hold weights that fit.
        FileNotFoundError: there is no such file.
    """
    at_least_one("width", width)
    if len(blocks) != 4:
        raise ValueError(f"blocks is {tuple(blocks)}, needed is one number for each of the four stages.")
    for number in blocks:
        at_least_one("blocks", number)
    weights = None if pretrained is None else read_weights(pretrained)

    def make_encoder() -> ResNetEncoder:
        encoder = ResNetEncoder(in_channels, width, blocks)
        if weights is not None:
            try:
                encoder.load_state_dict(weights)
            except RuntimeError as problem:
                says = " ".join(str(problem).split())
                raise ValueError(f"The weights in {pretrained} do not fit this encoder: {says}") from None
        return encoder

    return Family(
        "resnet50",
        latent=32 * width,
        make_encoder=make_encoder,
        make_decoder=lambda up: ResNetDecoder(in_channels, up, width, blocks),
        make_classifier=lambda: pooled_linear(32 * width, num_classes),
    )


class ResNetEncoder(nn.Module):
    """Stem and stages of a ResNet of bottlenecks; parts and weights are named as in torchvision.

    Args:
        in_channels: of the image.
        width: maps of the stem.
        blocks: in each of the four stages.
    """

    def __init__(self, in_channels: int = 3, width: int = 64, blocks: Sequence[int] = BLOCKS):
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = convolution(in_channels, width, 7, 2)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(2, return_indices=True)
        stages = [
            nn.Sequential(
                Bottleneck(maps, out // 4, stride, _matched(maps, out, stride)),
                *[Bottleneck(out, out // 4) for _ in range(number - 1)],
            )
            for (maps, out, stride), number in zip(_stages(width), blocks)
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        start_convolutions(self)

    def forward(self, x: Tensor) -> Encoded:
        """Images (B, C, H, W), with sides that are multiples of 32, to the latent, four taps and switches.

        Raises:
            ValueError: x is no batch of such images.
        """
        check_images(x, self.in_channels, 32)
        h, where = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        taps = [h]
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            taps.append(stage(taps[-1]))
        *taps, h = taps
        return Encoded(h, tuple(taps), (where,))


class MirroredBottleneck(nn.Module):
    """A bottleneck of transposed convolutions: 1x1, then 3x3, which has the stride, then 1x1 to the new maps.

    Args:
        maps, out: channels before and after; a fourth of ``maps`` in between.
        stride: the factor on the side.
    """

    def __init__(self, maps: int, out: int, stride: int = 1):
        super().__init__()
        inner = maps // 4
        self.branch = nn.Sequential(
            convolution(maps, inner, 1, mirrored=True), nn.BatchNorm2d(inner), nn.ReLU(),
            convolution(inner, inner, 3, stride, mirrored=True), nn.BatchNorm2d(inner), nn.ReLU(),
            convolution(inner, out, 1, mirrored=True), nn.BatchNorm2d(out),
        )  # fmt: skip
        self.skip = nn.Identity() if maps == out else _matched(maps, out, stride, mirrored=True)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, maps, H, W) to (B, out, stride * H, stride * W)."""
        return self.relu(self.skip(x) + self.branch(x))


class ResNetDecoder(nn.Module):
    """The encoder's stages from the last to the first, then the stem's pooling undone and a linear layer.

    Only the last block of a stage changes the maps and the side, as in the other mirrored ResNet (B.2.3.1).

    Args:
        out_channels: of the picture.
        up: how the stem's pooling is undone, "nearest" or "unpool".
        width, blocks: as in the encoder.
    """

    def __init__(
        self,
        out_channels: int = 3,
        up: str = "nearest",
        width: int = 64,
        blocks: Sequence[int] = BLOCKS,
    ):
        super().__init__()
        check_up(up)
        self.up = up
        self.latent = 32 * width
        self.stages = nn.ModuleList(
            nn.Sequential(
                *[MirroredBottleneck(maps, maps) for _ in range(number - 1)],
                MirroredBottleneck(maps, out, stride),
            )
            for (out, maps, stride), number in zip(reversed(_stages(width)), reversed(blocks))
        )
        start_convolutions(self)
        self.unpool = nn.MaxUnpool2d(2) if up == "unpool" else nn.Upsample(scale_factor=2)
        self.last = nn.ConvTranspose2d(width, out_channels, 7, 2, padding=3, output_padding=1)

    def forward(self, h: Tensor, switches: Sequence[Tensor] = ()) -> Decoded:
        """A latent (B, C, h, w) to the picture (B, C, 32h, 32w) and four taps.

        Args:
            h: the latent.
            switches: of the encoder of the same branch; read only where the pooling is undone by them.

        Raises:
            ValueError: h is no such latent, or there is not one tensor of switches.
        """
        check_latent(h, self.latent)
        if self.up == "unpool" and len(switches) != 1:
            raise ValueError(f"switches are {len(switches)}, needed is one, for the pooling of the stem.")
        taps = []
        for stage in self.stages:
            h = stage(h)
            taps.append(h)
        h = self.unpool(h, *switches) if self.up == "unpool" else self.unpool(h)
        return Decoded(self.last(h), tuple(reversed(taps)))


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights of a ResNet in a file, without those of its dense layer.

    Args:
        path: of the file. It may hold them directly, or, as the files of Places365, under "state_dict", each
            name beginning with "module.".

    Raises:
        ValueError: the file holds something else.
        FileNotFoundError: there is none.
    """
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        raise ValueError(f"{path} is no file of weights that torch can read.") from None
    if isinstance(held, Mapping):
        held = held.get("state_dict", held)
    if not isinstance(held, Mapping) or not all(isinstance(value, Tensor) for value in held.values()):
        raise ValueError(f"{path} does not hold weights by their names.")
    named = {name.removeprefix("module."): value for name, value in held.items()}
    return {name: value for name, value in named.items() if not name.startswith("fc.")}


def _matched(maps: int, out: int, stride: int, mirrored: bool = False) -> nn.Sequential:
    """What brings a block's input to the shape of its output."""
    return nn.Sequential(convolution(maps, out, 1, stride, mirrored=mirrored), nn.BatchNorm2d(out))


def _stages(width: int) -> list[tuple[int, int, int]]:
    """Maps before and after each stage of the encoder, and its stride."""
    maps = [width, *(width * times for times in (4, 8, 16, 32))]
    return list(zip(maps, maps[1:], (1, 2, 2, 2)))
