"""saliency.normgrad: the norm of every rank-one contribution, without making one (Rebuffi 2020, Table 2)."""

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.saliency import memory
from course_lib.grading.tasks.saliency.wrong_normgrad import MISCONCEPTIONS


def oracle(
    x: Tensor, g: Tensor, kernel_size: int = 1, stride: int = 1, padding: int = 0
) -> tuple[Tensor, Tensor]:
    """‖g_u x_uᵀ‖_F entry by entry: the root of the sum of all squared products."""
    images, _, height, width = g.shape
    norms = torch.zeros(images, 1, height, width, dtype=x.dtype)
    for b, row, column in product(range(images), range(height), range(width)):
        patch = []
        for k, i, j in product(range(x.shape[1]), range(kernel_size), range(kernel_size)):
            at = stride * row + i - padding, stride * column + j - padding
            if 0 <= at[0] < x.shape[2] and 0 <= at[1] < x.shape[3]:
                patch.append(x[b, k, at[0], at[1]].item())
        total = 0.0
        for one, other in product(g[b, :, row, column].tolist(), patch):
            total += (one * other) ** 2
        norms[b, 0, row, column] = total**0.5
    return norms, torch.ones((), dtype=x.dtype)


def use(answer: Callable, x: Tensor, g: Tensor, **options: int) -> Any:
    """Call an answer, and note the largest tensor that is made meanwhile."""
    with memory.LargestTensor() as largest:
        made = answer(x, g, *options.values())
    if made is None or made is ... or made is NotImplemented:
        return made
    allowed = memory.room(x, g, options.get("kernel_size", 1), options.get("padding", 0))
    return made, torch.tensor(float(largest.numbers <= allowed), dtype=torch.float64, device=x.device)


def layer(images: int, channels: int, maps: int, height: int, width: int, **options: int):
    """A convolution, with the gradient at as many places as its output has; some columns of both are zero."""

    def make(generator: torch.Generator) -> dict:
        n, stride, padding = (options.get(*each) for each in OPTIONS)
        size = [(side + 2 * padding - n) // stride + 1 for side in (height, width)]
        x = 0.3 + normal(generator, images, channels, height, width)
        g = 0.8 * normal(generator, images, maps, *size) - 0.1
        x[-1, :, 0, 0] = 0
        g[0, :, -1, -1] = 0
        return {"x": x, "g": g, **options}

    return make


OPTIONS = (("kernel_size", 1), ("stride", 1), ("padding", 0))

TASK = Task(
    id="saliency.normgrad",
    title="NormGrad, cheaply",
    difficulty=2,
    minutes=25,
    points=2,
    function="normgrad",
    takes={
        "x": "(B, K, H, W)",
        "g": "(B, K', h, w)",
        "kernel_size": "number = 1",
        "stride": "number = 1",
        "padding": "number = 0",
    },
    gives={"map": "(B, 1, h, w)", memory.CHECK: "scalar"},
    written="normgrad(x: (B, K, H, W), g: (B, K', h, w), kernel_size=1, stride=1, padding=0) -> (B, 1, h, w)",
    use=use,
    may_use=(memory.__name__,),
    hints=(
        "Every entry of the matrix is a product of one number of g and one of the patch. "
        "Square it and sum over both: does the sum of products come apart into a product of sums?",
        "‖g_u x_uᵀ‖² = Σ_k' Σ_j g_k'² x_j² = (Σ_k' g_k'²) · (Σ_j x_j²) = ‖g_u‖² · ‖x_u‖²\n"
        "‖x_u‖²      = sum over the pixels v of the patch of ‖x_v‖², zero beyond the border",
        "squares <- sum over the channels of x²                               # (B, 1, H, W)\n"
        "box     <- convolve squares with N×N ones, the layer's stride, and its padding   # (B, 1, h, w)\n"
        "length  <- root of the sum over the channels of g²                   # (B, 1, h, w)\n"
        "return length times the root of box",
    ),
    oracle=oracle,
    # None in float32 with a kernel above 1: a GPU may round convolutions there more coarsely than allowed.
    cases=(
        Case("a 3×3 kernel and padding 1", layer(2, 3, 8, 4, 5, kernel_size=3, stride=1, padding=1)),
        Case("a 1×1 kernel", layer(3, 8, 8, 2, 5)),
        Case("a 3×3 kernel with stride 2", layer(2, 4, 9, 5, 8, kernel_size=3, stride=2, padding=1)),
        Case("a 2×2 kernel without padding", layer(3, 4, 8, 4, 3, kernel_size=2)),
        Case("a 5×5 kernel on maps of 4×3", layer(2, 4, 8, 4, 3, kernel_size=5, stride=1, padding=2)),
        Case("9 maps and a 7×7 kernel", layer(2, 9, 9, 5, 6, kernel_size=7, stride=1, padding=3)),
    ),
    large=Case("32 maps of 14×15", layer(6, 32, 32, 14, 15, kernel_size=3, stride=1, padding=1)),
    misconceptions=MISCONCEPTIONS,
)
