"""Phase 1, extract: what each location adds to the gradient of weights that all locations share.

Rebuffi 2020, Chapter 8, §3.1.1 and Table 1. For a layer with output gradient g and input x, the gradient of
its weights is a sum over locations u; these functions give the summands.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.methods.named_layers import Layer, find_layers

KINDS = ("bias", "scaling", "conv", "depthwise")


def spatial_contributions(
    kind: str,
    x: Tensor,
    g: Tensor,
    kernel_size: int = 1,
    stride: int = 1,
    padding: int | None = None,
    dilation: int = 1,
) -> Tensor:
    """The summands of a weight gradient, one for each location of the layer's output (Eqs. 2 and 3, Table 1).

    With a virtual identity layer, x and g both belong to the tensor at which the identity is imagined.

    Args:
        kind: the layer: ``bias`` g_u; ``scaling`` g_u ⊙ x_u; ``conv`` g_u x_uᵀ with the patch x_u;
            ``depthwise`` a patch of each channel times the gradient of that channel, which is not in the
            source's table but in its released code.
        x: (B, K, H, W), what enters the layer.
        g: (B, K', h, w), the gradient at its output; K' = K except for ``conv``.
        kernel_size, stride, padding, dilation: of a convolution; padding None keeps the size: (N - 1) / 2
            times the dilation.

    Returns:
        ``bias`` and ``scaling``: (B, K', h, w); ``conv``: (B, K', N²K, h, w), where the patch lists channel,
        row, column in the order of ``weight.flatten(1)``; ``depthwise``: (B, K, N², h, w).

    Raises:
        ValueError: an unknown kind, or shapes that do not fit.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, possible are {', '.join(KINDS)}.")
    if kind == "bias":
        _maps(g=g)
        return g
    _maps(x=x, g=g)
    if kind == "scaling":
        same_shape(x, g)
        return g * x
    patches = patches_of(x, g, kernel_size, stride, padding, dilation)  # (B, K, N², h, w)
    if kind == "depthwise":
        if x.shape[1] != g.shape[1]:
            raise ValueError(f"x has {x.shape[1]} channels and g has {g.shape[1]}: depthwise needs the same.")
        return g[:, :, None] * patches
    return g[:, :, None] * patches.flatten(1, 2)[:, None]


def patches_of(
    x: Tensor, g: Tensor, kernel_size: int, stride: int = 1, padding: int | None = None, dilation: int = 1
) -> Tensor:
    """The patch that each output location of a convolution sees, (B, K, N², h, w), zeros beyond the border.

    Raises:
        ValueError: the convolution has no size-keeping padding, or its output is not as large as g.
    """
    padding = same_padding(kernel_size, dilation) if padding is None else padding
    size = tuple((n + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1 for n in x.shape[2:])
    if size != tuple(g.shape[2:]) or len(x) != len(g):
        raise ValueError(
            f"x {tuple(x.shape)} and g {tuple(g.shape)} do not fit: a convolution with kernel {kernel_size}, "
            f"stride {stride}, padding {padding} and dilation {dilation} makes maps of {size[0]}x{size[1]}."
        )
    columns = F.unfold(x, kernel_size, dilation=dilation, padding=padding, stride=stride)
    return columns.reshape(len(x), x.shape[1], kernel_size**2, *size)


def same_padding(kernel_size: int, dilation: int = 1) -> int:
    """The padding with which a convolution keeps the size.

    Raises:
        ValueError: the kernel is no odd number from 1.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size is {kernel_size}, possible without a padding are odd numbers from 1.")
    return dilation * (kernel_size - 1) // 2


class Identity(nn.Module):
    """An identity with weights that all locations share (§3.1.2): it changes nothing, and can be asked.

    Args:
        kind: ``bias``, ``scaling``, ``conv`` or ``depthwise``.
        channels: K.
        kernel_size: N, odd.

    Attributes:
        weight: zeros (K,); ones (K,); or the kernel (K, K, N, N) or (K, 1, N, N) that is one in its middle.
    """

    def __init__(self, kind: str, channels: int, kernel_size: int = 1):
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, possible are {', '.join(KINDS)}.")
        self.kind, self.padding = kind, same_padding(kernel_size)
        self.groups = channels if kind == "depthwise" else 1
        if kind == "bias":
            weight = torch.zeros(channels)
        elif kind == "scaling":
            weight = torch.ones(channels)
        else:
            weight = torch.zeros(channels, channels // self.groups, kernel_size, kernel_size)
            own = torch.arange(channels)
            weight[own, own if kind == "conv" else 0, self.padding, self.padding] = 1
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, h, w), unchanged."""
        if self.kind == "bias":
            return x + self.weight[:, None, None]
        if self.kind == "scaling":
            return x * self.weight[:, None, None]
        return F.conv2d(x, self.weight, padding=self.padding, groups=self.groups)


@contextmanager
def inserted_identity(
    model: nn.Module, layer: Layer, kind: str, channels: int, kernel_size: int = 1
) -> Iterator[Identity]:
    """Really put an identity behind a layer, for as long as the block lasts.

    No method needs this: it shows that the thought experiment is right. The gradient of the inserted
    ``weight`` is the sum of `spatial_contributions` at the layer's output.

    Args:
        model: the net; outside of the block it is as before.
        layer: behind which.
        kind, channels, kernel_size: as in `Identity`.

    Yields:
        the identity, on the device and of the type of the model's first parameter.
    """
    [module] = find_layers(model, [layer]).values()
    like = next(model.parameters(), torch.empty(0))
    identity = Identity(kind, channels, kernel_size).to(like.device, like.dtype)
    handle = module.register_forward_hook(lambda module, inputs, output: identity(output))
    try:
        yield identity
    finally:
        handle.remove()


def same_shape(x: Tensor, g: Tensor) -> None:
    """Refuse an activation and a gradient of different shapes."""
    if x.shape != g.shape:
        raise ValueError(f"x {tuple(x.shape)} and g {tuple(g.shape)} belong to different tensors.")


def _maps(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if tensor.ndim != 4:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, needed is (B, K, h, w).")
