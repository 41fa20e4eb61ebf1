"""Phase 2, aggregate: one number for each location, out of its contribution to a weight gradient.

Rebuffi 2020, Chapter 8, §3.1.3 and Table 2. The contribution of a convolution is an outer product g xᵀ, and
none of these functions ever builds it: its norm is ‖g‖ ‖x‖, and its sum, its positive part and its largest
entry have closed forms as well. ‖x‖ of a patch comes from a box filter over the squared norms of the columns.

All take x and g (B, K, h, w) of one tensor, with g the gradient of the class score, and give (B, 1, h, w).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.methods.saliency.contributions import KINDS, same_padding, same_shape, spatial_contributions

WAYS = ("sum", "norm", "filter_norm", "max", "max_abs")


def aggregate(kind: str, how: str, x: Tensor, g: Tensor, kernel_size: int = 1) -> Tensor:
    """A saliency map of the Extract & Aggregate framework, with a virtual identity layer.

    Args:
        kind: the identity that is imagined: ``bias``, ``scaling``, ``conv``, ``depthwise``.
        how: ``sum`` (voting); ``norm``; ``filter_norm``, the norm of the positive entries; ``max``;
            ``max_abs``, the largest size.
        x, g: (B, K, h, w).
        kernel_size: N of the convolution, odd; the others have none.

    Returns:
        (B, 1, h, w).

    Raises:
        ValueError: an unknown kind or way, shapes that do not fit, or an even kernel.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, possible are {', '.join(KINDS)}.")
    if how not in WAYS:
        raise ValueError(f"how is {how!r}, possible are {', '.join(WAYS)}.")
    same_shape(x, g)
    if kind == "conv":
        return _OUTER[how](x, g, kernel_size)
    entries = spatial_contributions(kind, x, g, kernel_size)
    return _ENTRIES[how](entries if kind != "depthwise" else entries.flatten(1, 2))


def normgrad(
    x: Tensor,
    g: Tensor,
    kernel_size: int = 1,
    stride: int = 1,
    padding: int | None = None,
    dilation: int = 1,
) -> Tensor:
    """NormGrad: the Frobenius norm of each location's contribution, ‖g_u‖ ‖x_u‖ (Table 2, rows 4 and 5).

    With x and g of one tensor it uses a virtual identity; with the input of a real convolution, its kernel,
    stride and padding, and the gradient at its output, it is NormGrad without that trick.

    Args:
        x: (B, K, H, W), what enters the layer.
        g: (B, K', h, w), the gradient at its output.
        kernel_size, stride, padding, dilation: of the layer; padding None keeps the size.

    Returns:
        (B, 1, h, w), at least 0.

    Raises:
        ValueError: shapes that do not fit.
    """
    patch = _patch_norm(x, kernel_size, stride, padding, dilation)
    if patch.shape[2:] != g.shape[2:] or len(x) != len(g):
        raise ValueError(
            f"x {tuple(x.shape)} and g {tuple(g.shape)} do not fit: this layer makes maps of "
            f"{patch.shape[2]}x{patch.shape[3]}."
        )
    return norm(g) * patch


def selective_normgrad(x: Tensor, g: Tensor) -> Tensor:
    """Selective NormGrad: ‖(g_u ⊙ x_u)₊‖, the votes for the class only (Table 2, row 3)."""
    same_shape(x, g)
    return filter_norm(g * x)


def linear_approximation(x: Tensor, g: Tensor) -> Tensor:
    """Linear approximation, or gradient times input: ⟨g_u, x_u⟩ (Table 2, row 2)."""
    same_shape(x, g)
    return (g * x).sum(1, keepdim=True)


def gradient_map(x: Tensor, g: Tensor) -> Tensor:
    """The gradient of Simonyan et al. 2014: the largest size of g_ku over k (Table 2, row 1: signed)."""
    return g.abs().amax(1, keepdim=True)


def gradient_sum(x: Tensor, g: Tensor) -> Tensor:
    """The gradient, summed over channels: Σ_k g_ku."""
    return g.sum(1, keepdim=True)


def grad_cam(x: Tensor, g: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017): (Σ_k ḡ_k x_ku)₊, with ḡ_k the mean of g_k over the locations.

    Averaging g mixes the locations, so this is no aggregation of local contributions, except where all
    locations have the same gradient: below a global average pooling.
    """
    same_shape(x, g)
    return (g.mean((2, 3), keepdim=True) * x).sum(1, keepdim=True).relu()


def cam(x: Tensor, weights: Tensor) -> Tensor:
    """CAM (Zhou et al. 2016): Σ_k w_k x_ku, for a net that ends in global average pooling and a linear layer.

    Args:
        x: (B, K, h, w), the last activations.
        weights: (B, K), the row of the linear layer that belongs to each sample's class.

    Raises:
        ValueError: shapes that do not fit.
    """
    if weights.shape != x.shape[:2]:
        raise ValueError(f"weights {tuple(weights.shape)} do not fit x {tuple(x.shape)}: needed are (B, K).")
    return torch.einsum("bk,bkhw->bhw", weights, x)[:, None]


def norm(entries: Tensor) -> Tensor:
    """‖v_u‖ over axis 1, (B, 1, h, w)."""
    return torch.linalg.vector_norm(entries, dim=1, keepdim=True)


def filter_norm(entries: Tensor) -> Tensor:
    """‖(v_u)₊‖ over axis 1, (B, 1, h, w)."""
    return norm(entries.relu())


_ENTRIES = {
    "sum": lambda v: v.sum(1, keepdim=True),
    "norm": norm,
    "filter_norm": filter_norm,
    "max": lambda v: v.amax(1, keepdim=True),
    "max_abs": lambda v: v.abs().amax(1, keepdim=True),
}


def _outer_sum(x: Tensor, g: Tensor, n: int) -> Tensor:
    """Σ_ij g_i p_j = (Σ_i g_i) (Σ_j p_j), for the patch p."""
    return g.sum(1, keepdim=True) * _box(x.sum(1, keepdim=True), n)


def _outer_filter_norm(x: Tensor, g: Tensor, n: int) -> Tensor:
    """A product is positive where both signs agree: ‖(g pᵀ)₊‖² = ‖g₊‖² ‖p₊‖² + ‖g₋‖² ‖p₋‖²."""
    both = norm(g.relu()) * _patch_norm(x.relu(), n)
    neither = norm((-g).relu()) * _patch_norm((-x).relu(), n)
    return torch.hypot(both, neither)


def _outer_max(x: Tensor, g: Tensor, n: int) -> Tensor:
    """The largest product is made of the ends of both ranges; a patch over the border also holds zeros."""
    most, least = _box_max(x.amax(1, keepdim=True), n), -_box_max(-x.amin(1, keepdim=True), n)
    g_most, g_least = g.amax(1, keepdim=True), g.amin(1, keepdim=True)
    ends = [a * b for a in (g_most, g_least) for b in (most, least)]
    return torch.stack(ends).amax(0)


def _outer_max_abs(x: Tensor, g: Tensor, n: int) -> Tensor:
    """max_ij ``|g_i p_j|`` is the largest size in g times the largest size in p."""
    return g.abs().amax(1, keepdim=True) * _box_max(x.abs().amax(1, keepdim=True), n)


_OUTER = {
    "sum": _outer_sum,
    "norm": lambda x, g, n: normgrad(x, g, n),
    "filter_norm": _outer_filter_norm,
    "max": _outer_max,
    "max_abs": _outer_max_abs,
}


def _patch_norm(x: Tensor, n: int, stride: int = 1, padding: int | None = None, dilation: int = 1) -> Tensor:
    """‖p_u‖: a box filter over ‖x_v‖², zero beyond the border, for which no patch is copied."""
    padding = same_padding(n, dilation) if padding is None else padding
    if n == 1 and stride == 1 and padding == 0:
        return norm(x)
    squares = x.square().sum(1, keepdim=True)
    box = x.new_ones(1, 1, n, n)
    return F.conv2d(squares, box, stride=stride, padding=padding, dilation=dilation).sqrt()


def _box(sums: Tensor, n: int) -> Tensor:
    return F.conv2d(sums, sums.new_ones(1, 1, n, n), padding=same_padding(n))


def _box_max(values: Tensor, n: int) -> Tensor:
    border = same_padding(n)
    return F.max_pool2d(F.pad(values, (border,) * 4), n, stride=1)
