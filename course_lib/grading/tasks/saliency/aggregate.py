"""saliency.aggregate: one number for each location, in 16 cells of a grid (Rebuffi 2020, Ch. 8, §3.1.3).

An answer is asked for all 16 cells on the same activations and gradients.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.saliency import memory
from course_lib.grading.tasks.saliency.wrong_aggregate import MISCONCEPTIONS

KINDS = ("bias", "scaling", "conv 1×1", "conv N×N")
WAYS = ("sum", "filter_norm", "norm", "max")
CELLS = tuple(product(KINDS, WAYS))


# --- the oracle ------------------------------------------------------------------------------


def patch_at(x: Tensor, row: int, column: int, n: int) -> list[float]:
    """The numbers of an N×N patch around a location of (K, h, w), zeros beyond the border."""
    found = []
    for channel, i, j in product(x.tolist(), range(-(n // 2), n // 2 + 1), range(-(n // 2), n // 2 + 1)):
        inside = 0 <= row + i < x.shape[1] and 0 <= column + j < x.shape[2]
        found.append(channel[row + i][column + j] if inside else 0.0)
    return found


def entries_at(kind: str, x: Tensor, g: Tensor, row: int, column: int, n: int) -> list[float]:
    """All numbers of one location's contribution, vector or matrix (Table 1)."""
    own = g[:, row, column].tolist()
    if kind == "bias":
        return own
    if kind == "scaling":
        return [one * other for one, other in zip(own, x[:, row, column].tolist())]
    patch = patch_at(x, row, column, 1 if kind == "conv 1×1" else n)
    return [one * other for one in own for other in patch]


def aggregated(how: str, entries: list[float]) -> float:
    if how == "sum":
        return sum(entries)
    if how == "max":
        return max(entries)
    kept = [each for each in entries if how == "norm" or each > 0]
    return sum(each**2 for each in kept) ** 0.5


def oracle(x: Tensor, g: Tensor, kernel_size: int) -> tuple[Tensor, ...]:
    """Every entry of every contribution, then the aggregation as it is defined."""
    images, _, height, width = x.shape
    maps = {cell: torch.zeros(images, 1, height, width, dtype=x.dtype) for cell in CELLS}
    for b, row, column, kind in product(range(images), range(height), range(width), KINDS):
        entries = entries_at(kind, x[b], g[b], row, column, kernel_size)
        for how in WAYS:
            maps[kind, how][b, 0, row, column] = aggregated(how, entries)
    return *maps.values(), torch.ones((), dtype=x.dtype)


# --- the scenario ----------------------------------------------------------------------------


def use(answer: Callable, x: Tensor, g: Tensor, kernel_size: int) -> Any:
    """Ask for each cell, and note the largest tensor that is made meanwhile."""
    made, used, fits = [], [], True
    for kind, how in CELLS:
        name, *size = kind.split()
        given = {(): (), ("1×1",): (1,), ("N×N",): (kernel_size,)}[tuple(size)]
        used.append((x.clone(), g.clone()))  # what one cell writes into is no matter of the next
        with memory.LargestTensor() as largest:
            result = answer(name, how, *used[-1], *given)
        if result is None or result is ... or result is NotImplemented:
            return result
        made.append(result)
        fits = fits and largest.numbers <= memory.room(x, g, *given, padding=(given or (1,))[0] // 2)
    for whole, copies in zip((x, g), zip(*used)):
        for changed in [each for each in copies if not torch.equal(each, whole)][:1]:
            whole.copy_(changed)  # so that it is seen
    return *made, torch.tensor(float(fits), dtype=torch.float64, device=x.device)


# --- inputs ----------------------------------------------------------------------------------


def tensors(images: int, channels: int, height: int, width: int, kernel_size: int, signs: str = "±±"):
    """x and g of one tensor; a sign for each: ± both, + or - one only, 0 as after a ReLU.

    Numbers of one sign are no less than 0.2 in size, so that a zero beyond the border makes a difference.
    """

    def drawn(generator: torch.Generator, sign: str) -> Tensor:
        shape = (images, channels, height, width)
        if sign in "±0":
            made = normal(generator, *shape) + (0.15 if sign == "±" else -0.2)
            return made if sign == "±" else made.relu()
        return (0.2 + uniform(generator, *shape)) * (1 if sign == "+" else -1)

    def make(generator: torch.Generator) -> dict[str, Tensor | int]:
        return {
            "x": drawn(generator, signs[0]),
            "g": drawn(generator, signs[1]),
            "kernel_size": kernel_size,
        }

    return make


TASK = Task(
    id="saliency.aggregate",
    title="The grid of aggregations",
    difficulty=4,
    minutes=50,
    points=4,
    function="aggregate",
    takes={"x": "(B, K, h, w)", "g": "(B, K, h, w)", "kernel_size": "number"},
    gives={**{f"map of ({kind}, {how})": "(B, 1, h, w)" for kind, how in CELLS}, memory.CHECK: "scalar"},
    written="aggregate(kind, how, x: (B, K, h, w), g: (B, K, h, w), kernel_size=1) -> (B, 1, h, w)",
    use=use,
    may_use=(memory.__name__,),
    hints=(
        "Bias and scaling give vectors: write the four aggregations once, for a vector. "
        "For the matrix g pᵀ of a convolution ask each aggregation what it needs to know of g and what of p. "
        "A product is positive where both signs agree, and that can be in two ways.",
        "sum:          (Σ g_k)(Σ p_j)\n"
        "norm:         ‖g‖ ‖p‖\n"
        "filter_norm:  √(‖g₊‖²‖p₊‖² + ‖g₋‖²‖p₋‖²)\n"
        "max:          the largest of  max g · max p,  max g · min p,  min g · max p,  min g · min p\n"
        "p: the N×N patch of x around u, with zeros beyond the border; the bias is g, the scaling g · x",
        "if kind is bias or scaling:\n"
        "    v <- g, or g · x                                               # (B, K, h, w)\n"
        "    aggregate v over its channels, as `how` says                   # (B, 1, h, w)\n"
        "if kind is conv:\n"
        "    p <- unfold x with kernel_size and half of it as padding       # (B, K·N², h·w)\n"
        "    p <- its last axis in h rows of w                              # (B, K·N², h, w)\n"
        "    sum, norm: aggregate g and p each by itself, then multiply\n"
        "    filter_norm: both from the positive parts of g and p, neither from those of -g and -p;\n"
        "                 root of both² + neither²\n"
        "    max: the largest of the four products of the ends of g and of p",
    ),
    oracle=oracle,
    # None in float32: a GPU may round convolutions there more coarsely than allowed.
    cases=(
        Case("numbers of both signs and a 3×3 kernel", tensors(2, 8, 3, 4, 3)),
        Case("x after a ReLU", tensors(2, 8, 4, 3, 3, "0±")),
        Case("x positive and g negative", tensors(2, 8, 2, 3, 3, "+-")),
        Case("x negative and g positive", tensors(1, 8, 3, 3, 3, "-+")),
        Case("x and g negative", tensors(3, 8, 2, 2, 3, "--")),
        Case("a 5×5 kernel on maps of 4×2", tensors(2, 8, 4, 2, 5)),
        Case("one channel", tensors(2, 1, 2, 5, 3)),
    ),
    large=Case("16 channels of 14×15", tensors(8, 16, 14, 15, 3)),
    misconceptions=MISCONCEPTIONS,
)
