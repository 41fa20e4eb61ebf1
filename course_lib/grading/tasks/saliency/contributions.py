"""saliency.contributions: what each location adds to a weight gradient (Rebuffi 2020, Chapter 8, Table 1)."""

from itertools import product

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.saliency.wrong_contributions import MISCONCEPTIONS


def oracle(
    kind: str, x: Tensor, g: Tensor, kernel_size: int = 1, stride: int = 1, padding: int = 0
) -> Tensor:
    """Eqs. 2 and 3, number by number: g, g·x, and g times every pixel that the kernel covers at u."""
    images, maps, height, width = g.shape
    if kind != "conv":
        made = torch.zeros_like(g)
        for b, k, row, column in product(range(images), range(maps), range(height), range(width)):
            factor = 1.0 if kind == "bias" else x[b, k, row, column]
            made[b, k, row, column] = g[b, k, row, column] * factor
        return made
    channels, n = x.shape[1], kernel_size
    made = g.new_zeros(images, maps, channels * n * n, height, width)
    for b, out, row, column in product(range(images), range(maps), range(height), range(width)):
        for place, (k, i, j) in enumerate(product(range(channels), range(n), range(n))):
            at = stride * row + i - padding, stride * column + j - padding
            if 0 <= at[0] < x.shape[2] and 0 <= at[1] < x.shape[3]:  # else it is the padding, a zero
                made[b, out, place, row, column] = g[b, out, row, column] * x[b, k, at[0], at[1]]
    return made


def pointwise(kind: str, images: int, maps: int, height: int, width: int):
    """A layer with one number for each map."""

    def make(generator: torch.Generator) -> dict:
        x, g = (0.2 + normal(generator, images, maps, height, width) for _ in range(2))
        return {"kind": kind, "x": x, "g": g}

    return make


def conv(images: int, channels: int, maps: int, height: int, width: int, **options: int):
    """A convolution, with the gradient at as many places as its output has."""

    def make(generator: torch.Generator) -> dict:
        n, stride, padding = (options.get(*each) for each in OPTIONS)
        size = ((side + 2 * padding - n) // stride + 1 for side in (height, width))
        x = 0.2 + normal(generator, images, channels, height, width)
        return {"kind": "conv", "x": x, "g": normal(generator, images, maps, *size) - 0.1, **options}

    return make


OPTIONS = (("kernel_size", 1), ("stride", 1), ("padding", 0))

TASK = Task(
    id="saliency.contributions",
    title="What each location asks of the weights",
    difficulty=3,
    minutes=30,
    points=3,
    function="spatial_contributions",
    takes={
        "kind": "text",
        "x": "(B, K, H, W)",
        "g": "(B, K', h, w)",
        "kernel_size": "number = 1",
        "stride": "number = 1",
        "padding": "number = 0",
    },
    gives={"result": "(B, K', h, w), or (B, K', K·N², h, w) for conv"},
    written=(
        "spatial_contributions(kind, x: (B, K, H, W), g: (B, K', h, w), kernel_size=1, stride=1, padding=0)\n"
        "    -> (B, K', h, w), or (B, K', K·N², h, w) for conv"
    ),
    hints=(
        "A weight is used at every location, so its gradient is a sum over locations. "
        "Here you stop before the sum. For a convolution, ask first which pixels of x the kernel covers "
        "when it makes the output at u; torch.nn.functional.unfold lists them.",
        "bias:     c[b, k, u] = g[b, k, u]\n"
        "scaling:  c[b, k, u] = g[b, k, u] · x[b, k, u]\n"
        "conv:     c[b, k', (k, i, j), u] = g[b, k', u] · x[b, k, stride · u + (i, j) - padding]",
        "bias: give back g;  scaling: give back g times x\n"
        "conv:\n"
        "    patches <- unfold x with the layer's kernel size, stride and padding   # (B, K·N², h·w)\n"
        "    patches <- its last axis in h rows of w                                # (B, K·N², h, w)\n"
        "    put an axis of size 1 before the K·N² of patches                       # (B, 1, K·N², h, w)\n"
        "    put an axis of size 1 behind the K' of g                               # (B, K', 1, h, w)\n"
        "    give back their product                                                # (B, K', K·N², h, w)",
    ),
    oracle=oracle,
    cases=(
        Case(
            "a 3×3 convolution from 3 to 2 maps, padding 1",
            conv(2, 3, 2, 4, 5, kernel_size=3, stride=1, padding=1),
        ),
        Case("a 3×3 convolution with stride 2", conv(2, 2, 3, 5, 8, kernel_size=3, stride=2, padding=1)),
        Case("a 2×2 convolution without padding", conv(3, 3, 2, 4, 3, kernel_size=2)),
        Case("a 5×5 convolution with stride 3", conv(1, 1, 2, 7, 4, kernel_size=5, stride=3, padding=2)),
        Case("a 1×1 convolution from 3 to 3 maps", conv(2, 3, 3, 2, 4)),
        Case("the scaling of 4 maps", pointwise("scaling", 3, 4, 2, 5)),
        Case("the bias of 3 maps", pointwise("bias", 2, 3, 3, 4)),
        Case("the scaling of 2 maps in float32", pointwise("scaling", 2, 2, 4, 3), dtype=torch.float32),
    ),
    large=Case(
        "a 3×3 convolution from 16 to 12 maps of 14×15",
        conv(6, 16, 12, 14, 15, kernel_size=3, stride=1, padding=1),
    ),
    misconceptions=MISCONCEPTIONS,
)
