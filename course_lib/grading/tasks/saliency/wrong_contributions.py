"""Wrong answers to saliency.contributions: a right one in pieces, and each wrong one replaces a piece."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.grading.task import Misconception


def cut(
    x: Tensor, size: tuple[int, int], n: int, stride: int, padding: int, mode: str = "constant"
) -> Tensor:
    """The patch at each of h×w locations, (B, K, N, N, h, w)."""
    padded = F.pad(x, (padding,) * 4, mode=mode)
    rows = [stride * torch.arange(count, device=x.device) for count in size]
    each = [
        torch.stack([padded[:, :, rows[0][:, None] + i, rows[1] + j] for j in range(n)], 2) for i in range(n)
    ]
    return torch.stack(each, 2)


def outer(p: Tensor, g: Tensor) -> Tensor:
    """(B, K', K·N², h, w)"""
    return g[:, :, None] * p.flatten(1, 3)[:, None]


def contributing(
    bias: Callable = lambda x, g: g,
    scaling: Callable = lambda x, g: g * x,
    patches: Callable = cut,
    conv: Callable = outer,
    final: Callable = lambda c: c,
) -> Callable:
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(kind, x, g, kernel_size=1, stride=1, padding=0):
        if kind != "conv":
            return final(bias(x, g) if kind == "bias" else scaling(x, g))
        return final(conv(patches(x, tuple(g.shape[2:]), kernel_size, stride, padding), g))

    return answer


def other_border(mode: str) -> Callable:
    return contributing(patches=lambda x, size, n, stride, padding: cut(x, size, n, stride, padding, mode))


def stride_ignored(x, size, n, stride, padding):
    return cut(x, size, n, 1, padding)


def begins_at_u(x, size, n, stride, padding):
    """All of the padding comes behind the last row and column."""
    return cut(F.pad(x, (0, 2 * padding, 0, 2 * padding)), size, n, stride, 0)


def half_the_kernel(x, size, n, stride, padding):
    return cut(x, size, n, stride, n // 2)


def column_by_column(c):
    return c.mT.reshape(c.shape)


def in_the_order(*axes: int) -> Callable:
    """The numbers of a patch in another order of channel (1), row (2) and column (3)."""
    return contributing(conv=lambda p, g: outer(p.permute(0, *axes, 4, 5), g))


def per_channel(p, g):
    """A kernel of its own for each channel; where the numbers of channels differ, the first ones meet."""
    many = min(p.shape[1], g.shape[1])
    return g[:, :many, None] * p[:, :many].flatten(2, 3)


def writes_into_x(kind, x, g, kernel_size=1, stride=1, padding=0):
    if kind == "scaling":
        return x.mul_(g)
    return contributing()(kind, x, g, kernel_size, stride, padding)


PATCHES = (
    Misconception(
        "stride ignored",
        contributing(patches=stride_ignored),
        "The patches are one pixel apart whatever the stride. Output location u sees the patch that begins "
        "at "
        "stride · u - padding: hand the stride on to unfold.",
    ),
    Misconception(
        "patch begins at u",
        contributing(patches=begins_at_u),
        "The patch of u begins at u, so all of the padding comes at the end. "
        "Half of it belongs before the first row and column: hand the padding on to unfold.",
    ),
    Misconception(
        "always half the kernel",
        contributing(patches=half_the_kernel),
        "The padding is always half the kernel. Use the argument padding; it is 0 unless given.",
    ),
    Misconception(
        "mirrored border",
        other_border("reflect"),
        "Beyond the border you mirror the image (reflect). The layer pads with zeros.",
    ),
    Misconception(
        "border repeated",
        other_border("replicate"),
        "Beyond the border you repeat the last pixel (replicate). The layer pads with zeros.",
    ),
    Misconception(
        "channel last",
        in_the_order(2, 3, 1),
        "The numbers of a patch come as row, column, channel. A norm does not mind, but their sum over u is "
        "no "
        "longer weight.grad.flatten(1): that has channel, row, column.",
    ),
    Misconception(
        "columns before rows",
        in_the_order(1, 3, 2),
        "Rows and columns of each patch are exchanged. The order is channel, row, column.",
    ),
    Misconception(
        "turned kernel",
        contributing(conv=lambda p, g: outer(p.flip(2, 3), g)),
        "Each patch is turned by 180°. What torch calls a convolution does not turn its kernel: leave it as "
        "it is.",
    ),
    Misconception(
        "locations column by column",
        contributing(final=column_by_column),
        "The locations are in the wrong order: column by column. "
        "Lay the last axis of unfold out as h rows of w, in this order.",
    ),
)

FORMULAS = (
    Misconception(
        "averaged over the locations",
        contributing(final=lambda c: c / (c.shape[-1] * c.shape[-2])),
        "Each contribution is divided by the number of locations. The gradient of the weights is their sum, "
        "not their mean.",
    ),
    Misconception(
        "averaged over the batch",
        contributing(final=lambda c: c / len(c)),
        "Each contribution is divided by the size of the batch. g is what arrives at the output: use it as "
        "it is.",
    ),
    Misconception(
        "other sign",
        contributing(final=lambda c: -c),
        "The sign is turned. Give the summands of the gradient itself, not of the step against it.",
    ),
    Misconception(
        "sizes only",
        contributing(final=lambda c: c.abs()),
        "The signs are gone. A contribution can be negative, and contributions can cancel in the sum.",
    ),
    Misconception(
        "bias times x",
        contributing(bias=lambda x, g: g * x),
        "For the bias you multiply with x. The output is x + b, so its derivative in b is 1, and g alone is "
        "left.",
    ),
    Misconception(
        "bias without g",
        contributing(bias=lambda x, g: torch.ones_like(g)),
        "For the bias you give the derivative of the output in b, which is 1. "
        "By the chain rule it is multiplied with g.",
    ),
    Misconception(
        "scaling without x",
        contributing(scaling=lambda x, g: g),
        "For the scaling you give g alone. The output is α · x, so its derivative in α is x: multiply with "
        "it.",
    ),
    Misconception(
        "scaling without g",
        contributing(scaling=lambda x, g: x),
        "For the scaling you give x, the derivative of the output in α. By the chain rule it is multiplied "
        "with g.",
    ),
    Misconception(
        "bias and scaling exchanged",
        contributing(bias=lambda x, g: g * x, scaling=lambda x, g: g),
        "Bias and scaling are exchanged: g belongs to the bias, g · x to the scaling.",
    ),
)

SHAPES = (
    Misconception(
        "transposed",
        contributing(conv=lambda p, g: outer(p, g).transpose(1, 2)),
        "The matrices are transposed: x gᵀ in place of g xᵀ. The output map k' comes first, as in "
        "layer.weight.",
    ),
    Misconception(
        "summed over the locations",
        contributing(final=lambda c: c.sum((-2, -1))),
        "You have summed over the locations: for each image, this is the gradient of the weights. "
        "Stop before the sum.",
    ),
    Misconception(
        "summed over the batch",
        contributing(final=lambda c: c.sum(0)),
        "The images are summed up. Keep each image's contributions by themselves.",
    ),
    Misconception(
        "pixel instead of patch",
        contributing(conv=lambda p, g: outer(p[:, :, p.shape[2] // 2, p.shape[3] // 2][:, :, None, None], g)),
        "Only the middle pixel of each patch is used, which is a 1×1 convolution. "
        "An N×N kernel touches N² pixels at each location.",
    ),
    Misconception(
        "patch summed",
        contributing(conv=lambda p, g: outer(p.sum((2, 3), keepdim=True), g)),
        "The pixels of each patch are summed up. Each belongs to a weight of its own: keep all K·N² of them.",
    ),
    Misconception(
        "each channel by itself",
        contributing(conv=per_channel),
        "Map k' of g meets map k' of x only, as in a depthwise convolution. "
        "In an ordinary one every output map has a weight for every number of the patch.",
    ),
    Misconception(
        "locations in one line",
        contributing(conv=lambda p, g: outer(p, g).flatten(3)),
        "The locations stand in one line. Give them back their h rows and w columns.",
    ),
    Misconception(
        "kernel left apart",
        contributing(conv=lambda p, g: g[:, :, None, None, None] * p[:, None]),
        "Channel, row and column of the patch have an axis each. Put them into one, of K·N² numbers.",
    ),
    Misconception(
        "scaling summed over the channels",
        contributing(scaling=lambda x, g: (g * x).sum(1, keepdim=True)),
        "For the scaling you sum over the channels. That is a way to aggregate, and comes later: "
        "every channel has a weight of its own.",
    ),
    Misconception(
        "norms",
        contributing(final=lambda c: c.flatten(1, -3).norm(dim=1, keepdim=True)),
        "You give the norm of each contribution. That is a way to aggregate, and comes later: keep all "
        "numbers.",
    ),
)

MISCONCEPTIONS = (
    *PATCHES,
    *FORMULAS,
    *SHAPES,
    Misconception(
        "writes into x",
        writes_into_x,
        "Write `g * x` where you write `x *= g`: the activations belong to whoever called.",
    ),
)
