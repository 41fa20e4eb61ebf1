"""The steps of a ladder network: its batch norm, its combinator, and for each layer the way up and down."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.methods.layerwise import beside
from course_lib.nets.backbone import at_least_one
from course_lib.nets.mirrored.convs import Conv, ConvEncoder, Drop, Pool

EPS = 1e-5  # added to a variance before its root
MOMENTUM = 0.1  # weight of a batch in the moving averages


class Dense(NamedTuple):
    """A linear layer on all that it is given."""

    units: int


class Mean(NamedTuple):
    """Global average pooling."""


Layer = Conv | Pool | Dense | Mean


class Norm(nn.Module):
    """Batch norm without scale and shift, which also tells the mean and deviation that it used.

    In training mode these are the batch's own, in evaluation mode moving averages.

    Args:
        units: of the layer; for maps, their number.

    Attributes:
        mean, var: buffers (units,), the moving averages; the variance is the unbiased one.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, units: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("var", torch.ones(units))

    def forward(self, z: Tensor) -> Tensor:
        """(B, C, ...) to the same shape."""
        return self.with_statistics(z)[0]

    def with_statistics(self, z: Tensor, moves: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """z normalised, and its mean and its standard deviation.

        Args:
            z: (B, C, ...).
            moves: whether the moving averages take part, in training mode.

        Returns:
            (B, C, ...) in float32, or float64 for float64 input, and two tensors that broadcast with it.
        """
        z = z if z.element_size() == 8 else z.float()
        samples = tuple(axis for axis in range(z.ndim) if axis != 1)
        if self.training:
            mean = z.mean(samples, keepdim=True)
            var = (z - mean).square().mean(samples, keepdim=True)
            if moves:
                self._move(mean, var, z.numel() // z.shape[1])
        else:
            mean, var = (beside(average, z) for average in (self.mean, self.var))
        std = (var + EPS).sqrt()
        return (z - mean) / std, mean, std

    @torch.no_grad()
    def _move(self, mean: Tensor, var: Tensor, n: int) -> None:
        self.mean.lerp_(mean.flatten().to(self.mean), MOMENTUM)
        self.var.lerp_(var.flatten().to(self.var) * (n / max(n - 1, 1)), MOMENTUM)


class Combinator(nn.Module):
    """g(z̃, u), the "vanilla" combinator: the best guess of a Gaussian unit, given what is above it.

    ``ẑ = (z̃ - μ(u)) υ(u) + μ(u)``, with
    ``μ(u) = a1 sigmoid(a2 u + a3) + a4 u + a5`` and ``υ(u) = a6 sigmoid(a7 u + a8) + a9 u + a10``:
    u says which value to expect, and how much the noisy one is to be believed.

    At first a2 = a7 = 1 and all others are 0, so that ẑ is 0, the mean of a normalised unit.

    Args:
        units: of the layer; maps have one set of parameters for each map.

    Attributes:
        a: (10, units), a1 to a10.
    """

    def __init__(self, units: int):
        super().__init__()
        a = torch.zeros(10, units)
        a[1] = a[6] = 1
        self.a = nn.Parameter(a)

    def forward(self, z: Tensor, u: Tensor) -> Tensor:
        """The noisy z̃ and the signal u from above, (B, C, ...) each, to the estimate ẑ of that shape."""
        a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = beside(self.a, u)
        mu = a1 * torch.sigmoid(a2 * u + a3) + a4 * u + a5
        trust = a6 * torch.sigmoid(a7 * u + a8) + a9 * u + a10
        return (z - mu) * trust + mu


class Rung(nn.Module):
    """From one layer to the next and back.

    Attributes:
        up: h(l-1) to what is normalised to z(l), without a bias.
        norm: of the encoder.
        gain, shift: γ and β, (C,); None for a pooling, which has no activation either.
        top: whether it makes logits, which have no activation here.
        down: ẑ(l) to the signal u(l-1), before it is normalised.
    """

    def __init__(self, up: nn.Module, down: nn.Module, units: int, *, learns: bool, top: bool = False):
        super().__init__()
        self.up, self.down, self.norm, self.top = up, down, Norm(units), top
        self.gain = nn.Parameter(torch.ones(units)) if learns else None
        self.shift = nn.Parameter(torch.zeros(units)) if learns else None

    def activate(self, z: Tensor) -> Tensor:
        """h(l) = relu(γ (z(l) + β)), (B, C, ...); without the ReLU at the top."""
        if self.gain is None:
            return z
        z = beside(self.gain, z) * (z + beside(self.shift, z))
        return z if self.top else z.relu()


def layers_like(encoder: ConvEncoder, num_classes: int) -> tuple[Layer, ...]:
    """The layers of a ladder with an encoder's convolutions and poolings, then its global average and logits.

    Dropouts are left out, as noise is in their place. Activations are the ladder's own.
    """
    kept = tuple(layer for layer in encoder.layers if not isinstance(layer, Drop))
    return (*kept, Mean(), Dense(num_classes))


def build_rungs(
    layers: Sequence[Layer], in_shape: Sequence[int]
) -> tuple[list[Rung], tuple[tuple[int, ...], ...]]:
    """The rungs of a list of layers, and the shapes of z(0) to z(L).

    Down again, a linear layer is undone by one of its own, a convolution by a transposed one, a pooling or an
    average by repeating its values.

    Args:
        layers, in_shape: see `course_lib.methods.ladder.Ladder`.

    Raises:
        ValueError: the list does not end with a `Dense`, or a layer does not fit on the one below.
    """
    if not layers or not isinstance(layers[-1], Dense):
        raise ValueError("layers end without a Dense, which makes the logits.")
    if len(in_shape) != 3:
        raise ValueError(f"in_shape is {tuple(in_shape)}, needed are (channels, height, width).")
    for name, number in zip(("channels", "height", "width"), in_shape):
        at_least_one(name, number)
    shape = (math.prod(in_shape),) if isinstance(layers[0], Dense) else tuple(in_shape)
    rungs, shapes = [], [shape]
    for i, layer in enumerate(layers):
        up, down, above = _both_ways(layer, shape)
        learns, top = isinstance(layer, Conv | Dense), i == len(layers) - 1
        rungs.append(Rung(up, down, above[0], learns=learns, top=top))
        shapes.append(shape := above)
    return rungs, tuple(shapes)


def _both_ways(layer: Layer, shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
    """The modules up and down, and the shape above."""
    if not isinstance(layer, Layer):
        raise ValueError(f"{layer} is no layer of a ladder, possible are Dense, Conv, Pool, Mean.")
    if isinstance(layer, Dense):
        units = math.prod(shape)
        up = nn.Sequential(nn.Flatten(), nn.Linear(units, layer.units, bias=False))
        down = nn.Sequential(nn.Linear(layer.units, units, bias=False), nn.Unflatten(1, shape))
        return up, down, (layer.units,)
    if len(shape) == 1:
        raise ValueError(f"{layer} needs maps below it, not the units of a Dense.")
    channels, height, width = shape
    match layer:
        case Conv(maps, size):
            lost = size - 1 - 2 * layer.padding
            above = (maps, height - lost, width - lost)
            how = {"kernel_size": size, "padding": layer.padding, "bias": False}
            up, down = nn.Conv2d(channels, maps, **how), nn.ConvTranspose2d(maps, channels, **how)
        case Pool():
            if height % 2 or width % 2:
                raise ValueError(f"A pooling meets maps of {height}x{width}, which it cannot halve.")
            above = (channels, height // 2, width // 2)
            up, down = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)
        case Mean():
            above = (channels, 1, 1)
            up, down = nn.AdaptiveAvgPool2d(1), nn.Upsample((height, width))
    if min(above) < 1:
        raise ValueError(f"{layer} leaves nothing of maps of {height}x{width}.")
    return up, down, above
