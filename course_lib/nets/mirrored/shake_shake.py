"""The 26-layer Shake-Shake ResNet (Gastaldi 2017) and its mirror image (Robert 2019, Table B.5 and Fig. B.3).

A block has two residual branches. In training they are not added but mixed, by a weight that is drawn anew
for each image in the forward pass, and once more for its gradient.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.nets.backbone import at_least_one
from course_lib.nets.mirrored.convs import pooled_linear
from course_lib.nets.mirrored.parts import Decoded, Encoded, Family, check_up
from course_lib.nets.mirrored.residual import (
    check_images,
    check_latent,
    convolution,
    start_convolutions,
)

FIRST = 16  # maps of the first convolution
UPS = ("stride",)  # no pooling, so nothing to undo but strides


def shake_shake(num_classes: int = 10, in_channels: int = 3, *, width: int = 96, blocks: int = 4) -> Family:
    """The 26-layer 2x96d Shake-Shake ResNet (Table B.5), for 32x32 images: h is (384, 8, 8).

    There is no pooling, hence no switches: both decoders undo strides by strides, and nothing in the
    architecture sets the two branches apart.
    Taps are the outputs of the first convolution and of the first two stages.

    The decoder's rows of Table B.5 print the side that enters a stage where the encoder's print the one that
    leaves it, and the last layer, from 16 maps to the picture, is missing there. Here it is a transposed
    convolution, linear as every decoder's last layer.

    Args:
        num_classes, in_channels: of the data.
        width: maps of the first stage; the second has twice, the third four times as many.
        blocks: in each stage; the depth is 6 of them and 2.

    Raises:
        ValueError: width or blocks is no whole number from 1.
    """
    at_least_one("width", width)
    at_least_one("blocks", blocks)

    def make_decoder(up: str) -> ShakeShakeDecoder:
        check_up(up, UPS)
        return ShakeShakeDecoder(in_channels, width, blocks)

    return Family(
        "shake_shake",
        latent=4 * width,
        make_encoder=lambda: ShakeShakeEncoder(in_channels, width, blocks),
        make_decoder=make_decoder,
        make_classifier=lambda: pooled_linear(4 * width, num_classes),
        ups=UPS,
    )


class _ShakenSum(torch.autograd.Function):
    """α a + (1 - α) b, with a gradient that says β a + (1 - β) b."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor) -> Tensor:
        # Both are drawn here, so that the order of the backward pass has no say in the random numbers.
        alpha, beta = torch.rand(2, len(a), 1, 1, 1, device=a.device).to(a.dtype)
        ctx.save_for_backward(beta)
        return torch.lerp(b, a, alpha)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (beta,) = ctx.saved_tensors
        to_a = beta * gradient
        return to_a, gradient - to_a


class Shake(nn.Module):
    """Mixes two branches: α a + (1 - α) b, with α ~ U(0, 1) drawn for each image.

    The gradient is mixed with a β ~ U(0, 1) of its own: β to a and 1 - β to b. In evaluation both are a half.
    """

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two tensors (B, C, H, W) to one."""
        return _ShakenSum.apply(a, b) if self.training else (a + b) / 2


class ShakeShakeBlock(nn.Module):
    """A residual block with two shaken branches, each ReLU-conv-BN-ReLU-conv-BN (Fig. B.3).

    In the encoder the first convolution of a branch changes the maps and the side, in the decoder the last.
    The input is added as it is, or after a 1x1 convolution and batch norm where the shape changes.

    Args:
        maps, out: channels before and after.
        stride: the factor on the side, a division in the encoder.
        mirrored: whether this is a block of the decoder.
    """

    def __init__(self, maps: int, out: int, stride: int = 1, *, mirrored: bool = False):
        super().__init__()

        def normed(maps: int, out: int, size: int, stride: int = 1) -> list[nn.Module]:
            return [convolution(maps, out, size, stride, mirrored=mirrored), nn.BatchNorm2d(out)]

        def branch() -> nn.Sequential:
            if mirrored:
                return nn.Sequential(
                    nn.ReLU(), *normed(maps, maps, 3), nn.ReLU(), *normed(maps, out, 3, stride)
                )
            return nn.Sequential(nn.ReLU(), *normed(maps, out, 3, stride), nn.ReLU(), *normed(out, out, 3))

        same = maps == out and stride == 1
        self.skip = nn.Identity() if same else nn.Sequential(*normed(maps, out, 1, stride))
        self.branch1, self.branch2 = branch(), branch()
        self.shake = Shake()

    def forward(self, x: Tensor) -> Tensor:
        """(B, maps, H, W) to (B, out, H / stride, W / stride); times the stride where mirrored."""
        return self.skip(x) + self.shake(self.branch1(x), self.branch2(x))


class ShakeShakeEncoder(nn.Module):
    """A convolution and three stages of blocks; the second and the third halve the side in their first block.

    Args:
        in_channels: of the image.
        width: maps of the first stage.
        blocks: in each stage.
    """

    def __init__(self, in_channels: int = 3, width: int = 96, blocks: int = 4):
        super().__init__()
        self.in_channels = in_channels
        self.first = convolution(in_channels, FIRST, 3)
        self.stages = nn.ModuleList()
        for maps, out, stride in _stages(width):
            rest = [ShakeShakeBlock(out, out) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(ShakeShakeBlock(maps, out, stride), *rest))
        start_convolutions(self)

    def forward(self, x: Tensor) -> Encoded:
        """Images (B, C, H, W), with sides that are multiples of 4, to the latent and three taps.

        Raises:
            ValueError: x is no batch of such images.
        """
        check_images(x, self.in_channels, 4)
        taps = [self.first(x)]
        for stage in self.stages:
            taps.append(stage(taps[-1]))
        *taps, h = taps
        return Encoded(h, tuple(taps))


class ShakeShakeDecoder(nn.Module):
    """The encoder's stages from the last to the first, then a transposed convolution to the picture.

    Only the last block of a stage changes the maps and the side (Robert 2019, B.2.3.1).

    Args:
        out_channels: of the picture.
        width, blocks: as in the encoder.
    """

    def __init__(self, out_channels: int = 3, width: int = 96, blocks: int = 4):
        super().__init__()
        self.latent = 4 * width
        self.stages = nn.ModuleList()
        for out, maps, stride in reversed(_stages(width)):
            rest = [ShakeShakeBlock(maps, maps, mirrored=True) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(*rest, ShakeShakeBlock(maps, out, stride, mirrored=True)))
        start_convolutions(self)
        self.last = nn.ConvTranspose2d(FIRST, out_channels, 3, padding=1)

    def forward(self, h: Tensor, switches: Sequence[Tensor] = ()) -> Decoded:
        """A latent (B, C, h, w) to the picture (B, C, 4h, 4w) and three taps; there are no switches to read.

        Raises:
            ValueError: h is no such latent.
        """
        check_latent(h, self.latent)
        taps = []
        for stage in self.stages:
            h = stage(h)
            taps.append(h)
        return Decoded(self.last(h), tuple(reversed(taps)))


def _stages(width: int) -> list[tuple[int, int, int]]:
    """Maps before and after each stage of the encoder, and its stride."""
    return [(FIRST, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
