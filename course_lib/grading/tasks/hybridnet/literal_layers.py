"""Layers written out place by place, as the oracles of this chapter compute them (float64 in and out)."""

from itertools import product

import torch
from torch import Tensor

EPS = 1e-5  # batch norm's own in torch


def convolution(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """x (B, I, H, W) and weight (O, I, k, k): each place of the result adds up what its window holds."""
    height, width = x.shape[2:]
    size = weight.shape[2]
    rows, columns = ((side + 2 * padding - size) // stride + 1 for side in (height, width))
    padded = x.new_zeros(*x.shape[:2], height + 2 * padding, width + 2 * padding)
    padded[:, :, padding : padding + height, padding : padding + width] = x
    out = x.new_zeros(len(x), len(weight), rows, columns)
    for i, j in product(range(size), repeat=2):
        window = padded[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
        out = out + torch.einsum("bihw,oi->bohw", window, weight[:, :, i, j])
    return out


def transposed(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """x (B, I, H, W) and weight (I, O, k, k): each place of x is stamped into the result.

    The side becomes ``stride · H + k - 1 - 2 · padding``, as with torch's ``output_padding=stride - 1``.
    """
    height, width = x.shape[2:]
    size = weight.shape[2]
    out = x.new_zeros(len(x), weight.shape[1], *(stride * side + size for side in (height, width)))
    for i, j in product(range(size), repeat=2):
        stamp = torch.einsum("bihw,io->bohw", x, weight[:, :, i, j])
        placed = torch.zeros_like(out)
        placed[:, :, i : i + stride * height : stride, j : j + stride * width : stride] = stamp
        out = out + placed
    rows, columns = (stride * side + size - 1 - 2 * padding for side in (height, width))
    return out[:, :, padding : padding + rows, padding : padding + columns]


def normalised(x: Tensor, known: dict[str, Tensor], training: bool = False) -> Tensor:
    """Batch norm, channel by channel: with the statistics of the batch in training, else with those known."""
    maps = []
    for c in range(x.shape[1]):
        values = x[:, c]
        mean, var = known["running_mean"][c], known["running_var"][c]
        if training:
            mean = values.mean()
            var = ((values - mean) ** 2).mean()
        maps.append(known["weight"][c] * (values - mean) / (var + EPS).sqrt() + known["bias"][c])
    return torch.stack(maps, dim=1)


def pooled(x: Tensor) -> tuple[Tensor, Tensor]:
    """2x2 max-pooling (B, C, H/2, W/2), and which of the four places of each window holds the maximum."""
    corners = torch.stack([x[:, :, i::2, j::2] for i, j in product((0, 1), repeat=2)])
    return corners.max(dim=0)


def unpooled(x: Tensor, places: Tensor) -> Tensor:
    """Each value where the maximum of its window stood, and 0 at the three other places."""
    out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    for place, (i, j) in enumerate(product((0, 1), repeat=2)):
        out[:, :, i::2, j::2] = torch.where(places == place, x, 0.0)
    return out


def repeated(x: Tensor) -> Tensor:
    """Each value at all four places of its window."""
    out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    for i, j in product((0, 1), repeat=2):
        out[:, :, i::2, j::2] = x
    return out
