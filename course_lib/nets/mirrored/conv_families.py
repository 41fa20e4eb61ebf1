"""The architectures of Robert 2019, Chapter 3, that are lists of convolutions, and the course's small one."""

from torch import nn

from course_lib.nets.backbone import at_least_one
from course_lib.nets.mirrored.convs import (
    Conv,
    ConvDecoder,
    ConvEncoder,
    Drop,
    Form,
    Layer,
    Pool,
    pooled_linear,
)
from course_lib.nets.mirrored.parts import Family


def conv_large(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> Family:
    """ConvLarge (Tables 3.3 and B.1), for 32x32 images: h is (128, 6, 6).

    Batch norm and LeakyReLU(0.1) after every convolution but the decoder's last. The 1x1 convolutions have no
    padding: Table 3.3 prints a padding of 1, which would not give the 6x6 maps that it prints as well.

    Args:
        num_classes, in_channels: of the data.
        width: factor on the numbers of maps.
    """
    a, b, c = (_scaled(maps, width) for maps in (128, 256, 512))
    layers = (
        *[Conv(a)] * 3, Pool(), Drop(0.5),
        *[Conv(b)] * 3, Pool(), Drop(0.5),
        Conv(c, same=False), Conv(b, 1), Conv(a, 1),
    )  # fmt: skip
    return _family("conv_large", layers, in_channels, Form(), lambda: pooled_linear(a, num_classes))


def conv_stl(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> Family:
    """The ConvLarge-like net for STL-10 (Table B.3), for 96x96 images: h is (256, 6, 6).

    Batch norm and ELU after every convolution, but not after the last of the decoder and of the classifier.
    """
    a, b, c, d = (_scaled(maps, width) for maps in (64, 128, 256, 512))
    layers = (
        *[Conv(a)] * 2, Pool(), *[Conv(b)] * 2, Pool(), *[Conv(c)] * 2, Pool(), Conv(c), Pool(),
    )  # fmt: skip
    form = Form("elu")

    def classifier() -> nn.Sequential:
        return nn.Sequential(
            form.finish(nn.Conv2d(c, d, 4, bias=False), d), nn.Dropout(0.5),
            form.finish(nn.Conv2d(d, d, 1, bias=False), d), nn.Dropout(0.5),
            nn.Conv2d(d, num_classes, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip

    return _family("conv_stl", layers, in_channels, form, classifier)


def conv_shade(num_classes: int = 10, in_channels: int = 3, *, width: int = 64, side: int = 32) -> Family:
    """The first version's net (Fig. 3.7): three convolutions, and one dense layer on all of h.

    ReLU without batch norm, which the source leaves open.

    Args:
        num_classes, in_channels: of the data.
        width: maps of each convolution.
        side: of the images, a multiple of 8.
    """
    at_least_one("width", width)
    layers = (Conv(width, 5), Pool(), Conv(width), Pool(), Conv(width), Pool())
    form = Form("relu", batch_norm=False)

    def classifier() -> nn.Sequential:
        return nn.Sequential(nn.Flatten(), nn.Linear(width * (side // 8) ** 2, num_classes))

    return _family("conv_shade", layers, in_channels, form, classifier)


def conv_small(
    num_classes: int = 10, in_channels: int = 3, *, width: int = 16, dropout: float = 0.3
) -> Family:
    """The course's own, trained in seconds: the plan of ConvLarge with one convolution a stage.

    For images with a side of 16, h is (32, 4, 4).

    Args:
        num_classes, in_channels: of the data.
        width: maps of the first convolution; the others have twice as many.
        dropout: probability to drop a feature after each pooling.
    """
    at_least_one("width", width)
    layers = (
        Conv(width), Pool(), Drop(dropout), Conv(2 * width), Pool(), Drop(dropout), Conv(2 * width),
    )  # fmt: skip
    return _family("conv_small", layers, in_channels, Form(), lambda: pooled_linear(2 * width, num_classes))


def _family(name: str, layers: tuple[Layer, ...], channels: int, form: Form, make_classifier) -> Family:
    return Family(
        name,
        latent=[layer.maps for layer in layers if isinstance(layer, Conv)][-1],
        make_encoder=lambda: ConvEncoder(layers, channels, form),
        make_decoder=lambda up: ConvDecoder(layers, channels, up, form),
        make_classifier=make_classifier,
    )


def _scaled(maps: int, width: float) -> int:
    return max(1, round(maps * width))
