"""Encoders written as a list of layers, and the decoder that mirrors such a list."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from course_lib.nets.mirrored.parts import Decoded, Encoded, check_up


class Conv(NamedTuple):
    """A convolution of stride 1; ``same`` keeps the size of the map, otherwise it shrinks by ``size - 1``."""

    maps: int
    size: int = 3
    same: bool = True

    @property
    def padding(self) -> int:
        return self.size // 2 if self.same else 0


class Pool(NamedTuple):
    """A 2x2 max-pooling; what follows it is a tap, except at the end, where it is the latent itself."""


class Drop(NamedTuple):
    """Dropout with this probability; decoders have none."""

    p: float = 0.5


Layer = Conv | Pool | Drop


class Form(NamedTuple):
    """What all convolutions of a net share: batch norm or a bias, and the activation after it."""

    activation: str = "leaky_relu"
    batch_norm: bool = True

    def finish(self, conv: nn.Module, maps: int) -> nn.Sequential:
        """The convolution with what follows it, each activation a module of its own."""
        norm = [nn.BatchNorm2d(maps)] if self.batch_norm else []
        return nn.Sequential(conv, *norm, ACTIVATIONS[self.activation]())


LEAKY = Form()
ACTIVATIONS = {"leaky_relu": lambda: nn.LeakyReLU(0.1), "elu": nn.ELU, "relu": nn.ReLU}


class ConvEncoder(nn.Module):
    """A list of layers as a net that keeps its taps and switches.

    Args:
        layers: `Conv`, `Pool` and `Drop`, from the image up.
        in_channels: of the image.
        form: batch norm and activation.
    """

    def __init__(self, layers: Sequence[Layer], in_channels: int = 3, form: Form = LEAKY):
        super().__init__()
        self.layers = tuple(layers)
        self.in_channels = channels = in_channels
        made: list[nn.Module] = []
        for layer in self.layers:
            match layer:
                case Conv(maps, size):
                    conv = nn.Conv2d(channels, maps, size, padding=layer.padding, bias=not form.batch_norm)
                    made.append(form.finish(conv, maps))
                    channels = maps
                case Pool():
                    made.append(nn.MaxPool2d(2, return_indices=True))
                case Drop(p):
                    made.append(nn.Dropout(p))
        self.steps = nn.ModuleList(made)
        self.latent = channels

    def forward(self, x: Tensor) -> Encoded:
        """Images (B, C, H, W), with sides that every pooling can halve, to the latent, taps and switches.

        Raises:
            ValueError: x is no batch of such images.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, this encoder takes (B, {self.in_channels}, H, W)."
            )
        taps, switches = [], []
        for step, layer in zip(self.steps, self.layers):
            if not isinstance(layer, Pool):
                x = step(x)
                continue
            if x.shape[2] % 2 or x.shape[3] % 2:
                raise ValueError(
                    f"A pooling meets maps of {x.shape[2]}x{x.shape[3]}, which it cannot halve; "
                    f"give images whose sides are multiples of {2 ** _poolings(self.layers)}."
                )
            x, where = step(x)
            taps.append(x)
            switches.append(where)
        if isinstance(self.layers[-1], Pool):
            taps.pop()  # it is h itself, which the decoder is given
        return Encoded(x, tuple(taps), tuple(switches))


class ConvDecoder(nn.Module):
    """The mirror image of a list of layers: transposed convolutions and undone poolings, from h to a picture.

    A convolution from i to o maps becomes a transposed one from o to i; a pooling becomes a doubling of the
    map, by repetition ("nearest") or by putting each value where the encoder's maximum stood ("unpool").
    The last layer is linear, so that a picture may have any values.

    Args:
        layers: those of the encoder, from the image up.
        out_channels: of the picture.
        up: how poolings are undone.
        form: batch norm and activation.
    """

    def __init__(
        self, layers: Sequence[Layer], out_channels: int = 3, up: str = "nearest", form: Form = LEAKY
    ):
        super().__init__()
        check_up(up)
        self.up = up
        self.layers = tuple(layer for layer in reversed(layers) if not isinstance(layer, Drop))
        maps_below = [out_channels, *(layer.maps for layer in layers if isinstance(layer, Conv))]
        made: list[nn.Module] = []
        for layer in self.layers:
            if isinstance(layer, Pool):
                made.append(nn.MaxUnpool2d(2) if up == "unpool" else nn.Upsample(scale_factor=2))
                continue
            maps, below = maps_below.pop(), maps_below[-1]
            last = len(maps_below) == 1
            conv = nn.ConvTranspose2d(
                maps, below, layer.size, padding=layer.padding, bias=last or not form.batch_norm
            )
            made.append(conv if last else form.finish(conv, below))
        self.steps = nn.ModuleList(made)

    def forward(self, h: Tensor, switches: Sequence[Tensor] = ()) -> Decoded:
        """A latent (B, C, h, w) to the picture and the mirrored taps.

        Args:
            h: the latent.
            switches: of the encoder of the same branch; read only where poolings are undone by them.

        Raises:
            ValueError: the switches are not one for each pooling.
        """
        if self.up == "unpool" and len(switches) != _poolings(self.layers):
            raise ValueError(
                f"switches are {len(switches)}, needed is one for each of {_poolings(self.layers)} poolings."
            )
        taps, left = [], list(switches)
        x = h
        for i, (step, layer) in enumerate(zip(self.steps, self.layers)):
            if not isinstance(layer, Pool):
                x = step(x)
                continue
            if i > 0:  # the first would be h itself
                taps.append(x)
            x = step(x, left.pop()) if self.up == "unpool" else step(x)
        return Decoded(x, tuple(reversed(taps)))


def _poolings(layers: Sequence[Layer]) -> int:
    return sum(isinstance(layer, Pool) for layer in layers)


def pooled_linear(maps: int, num_classes: int) -> nn.Sequential:
    """Global average pooling, then one linear layer: h (B, maps, h, w) to logits (B, num_classes)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(maps, num_classes))


__all__ = ["Conv", "ConvDecoder", "ConvEncoder", "Drop", "Form", "Layer", "Pool", "pooled_linear"]
