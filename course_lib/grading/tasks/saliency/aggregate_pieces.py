"""An answer to saliency.aggregate in pieces, for the wrong ones: each replaces a cell or more."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def norm(v: Tensor) -> Tensor:
    return v.square().sum(1, keepdim=True).sqrt()


def total(v: Tensor) -> Tensor:
    return v.sum(1, keepdim=True)


def most(v: Tensor) -> Tensor:
    return v.amax(1, keepdim=True)


def least(v: Tensor) -> Tensor:
    return v.amin(1, keepdim=True)


def ends(p: Tensor, g: Tensor) -> tuple[Tensor, ...]:
    """The products of the largest and smallest numbers, those of the same end first."""
    pairs = ((most, most), (least, least), (most, least), (least, most))
    return tuple(of_p(p) * of_g(g) for of_p, of_g in pairs)


def largest(*products: Tensor) -> Tensor:
    return torch.stack(products).amax(0)


def both_signs(p: Tensor, g: Tensor) -> Tensor:
    agree = norm(g.relu()).square() * norm(p.relu()).square()
    return (agree + norm((-g).relu()).square() * norm((-p).relu()).square()).sqrt()


VECTOR = {"sum": total, "filter_norm": lambda v: norm(v.relu()), "norm": norm, "max": most}
MATRIX = {
    "sum": lambda p, g: total(p) * total(g),
    "filter_norm": both_signs,
    "norm": lambda p, g: norm(p) * norm(g),
    "max": lambda p, g: largest(*ends(p, g)),
}


def patches(x: Tensor, n: int, mode: str = "constant") -> Tensor:
    """(B, K·N², h, w)"""
    return F.unfold(F.pad(x, (n // 2,) * 4, mode=mode), n).unflatten(2, x.shape[2:])


def aggregating(
    vector: dict[str, Callable] | None = None,
    matrix: dict[str, Callable] | None = None,
    cut: Callable = patches,
    bias: Callable = lambda x, g: g,
    scaling: Callable = lambda x, g: g * x,
    final: Callable = lambda m: m,
) -> Callable:
    """An answer from its pieces; each argument is one thing to get wrong."""
    of_vector, of_matrix = VECTOR | (vector or {}), MATRIX | (matrix or {})

    def answer(kind, how, x, g, kernel_size=1):
        if kind == "conv":
            return final(of_matrix[how](cut(x, kernel_size), g))
        return final(of_vector[how](bias(x, g) if kind == "bias" else scaling(x, g)))

    return answer


right = aggregating()


def other_cell(kind: str, how: str, cell: Callable) -> Callable:
    """One cell of bias or scaling replaced, by a function of x and g."""

    def answer(asked, way, x, g, kernel_size=1):
        return cell(x, g) if (asked, way) == (kind, how) else right(asked, way, x, g, kernel_size)

    return answer


def pooled_without_zeros(p, g, x, n):
    """Max-pooling leaves the padding out."""
    top = F.max_pool2d(most(x), n, 1, n // 2)
    bottom = -F.max_pool2d(-least(x), n, 1, n // 2)
    return largest(*(a * b for a in (top, bottom) for b in (most(g), least(g))))


def max_by_pooling(kind, how, x, g, kernel_size=1):
    if (kind, how) == ("conv", "max"):
        return pooled_without_zeros(None, g, x, kernel_size)
    return right(kind, how, x, g, kernel_size)


def with_matrices(kind, how, x, g, kernel_size=1):
    """The closed forms are not used."""
    if kind != "conv":
        return right(kind, how, x, g, kernel_size)
    matrix = g[:, :, None] * patches(x, kernel_size)[:, None]
    return VECTOR[how](matrix.flatten(1, 2))


def kernel_ignored(kind, how, x, g, kernel_size=1):
    return right(kind, how, x, g, 1)


def middle_channel(p, g):
    """The numbers of the middle pixel alone, (B, K, h, w)."""
    return p.unflatten(1, (g.shape[1], -1))[:, :, p.shape[1] // g.shape[1] // 2]


def writes_into_g(kind, how, x, g, kernel_size=1):
    made = right(kind, how, x, g, kernel_size)
    g.relu_()
    return made
