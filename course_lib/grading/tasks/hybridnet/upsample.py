"""hybridnet.upsample: a pooling undone without knowing where anything stood (Robert 2019, §3.3.1)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Misconception, Task


def oracle(v: Tensor, factor: int = 2) -> Tensor:
    """Every pixel of every map: the value of the window it lies in."""
    images, channels, height, width = v.shape
    pixels = []
    for values in v.reshape(images * channels, height, width):
        for row in range(factor * height):
            for column in range(factor * width):
                pixels.append(values[row // factor, column // factor])
    return torch.stack(pixels).reshape(images, channels, factor * height, factor * width)


def small(images: int, channels: int, height: int, width: int, **factor: int):
    def make(generator: Generator) -> dict[str, Tensor | int]:
        return {"v": 0.3 + normal(generator, images, channels, height, width), **factor}

    return make


# --- wrong answers ---------------------------------------------------------------------------


def at_one_pixel(v: Tensor, factor: int, row: int) -> Tensor:
    """Each value at one pixel of its square, in this row and column, and zeros around it."""
    maps = v.new_zeros(*v.shape[:2], factor * v.shape[2], factor * v.shape[3])
    maps[..., row::factor, row::factor] = v
    return maps


def filled(v: Tensor, factor: int) -> Tensor:
    return v.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def picked(v: Tensor, factor: int, rows: Callable) -> Tensor:
    """Each pixel takes the value in another row and column: a function of its own and of the sizes."""

    def index(size: int) -> Tensor:
        return rows(torch.arange(factor * size, device=v.device), size).clamp(0, size - 1)

    return v[:, :, index(v.shape[2])][..., index(v.shape[3])]


def wrong(change: Callable) -> Callable:
    """An answer with the default factor 2."""
    return lambda v, factor=2: change(v, factor)


def by_picking(rows: Callable) -> Callable:
    return lambda v, factor=2: picked(v, factor, partial(rows, factor))


def from_corner_to_corner(factor: int, pixel: Tensor, size: int) -> Tensor:
    return (pixel * (size - 1)) // max(factor * size - 1, 1)


TASK = Task(
    id="hybridnet.upsample",
    title="Upsampling",
    difficulty=1,
    minutes=10,
    points=1,
    function="upsample",
    takes={"v": "(B, C, h, w)", "factor": "number = 2"},
    gives={"map": "(B, C, factor·h, factor·w)"},
    hints=(
        "Every value becomes a square of equal pixels. Do it in one direction first, then in the other.",
        "map[b, c, row, column] = v[b, c, row // factor, column // factor]",
        "rows    <- each row of v, factor times in a row          # (B, C, factor·h, w)\n"
        "columns <- each column of rows, factor times in a row    # (B, C, factor·h, factor·w)\n"
        "return columns",
    ),
    oracle=oracle,
    gradients=("v",),
    cases=(
        Case("2 images, 3 channels, 2×3 values", small(2, 3, 2, 3)),
        Case("3 images, 2 channels, 4×1 values", small(3, 2, 4, 1)),
        Case("factor 3 and 3×2 values", small(1, 2, 3, 2, factor=3)),
        Case("factor 1", small(2, 1, 2, 2, factor=1)),
        Case("factor 4 and 2×2 values in float32", small(2, 1, 2, 2, factor=4), dtype=torch.float32),
    ),
    large=Case("8 images, 8 channels, 8×8 values", small(8, 8, 8, 8)),
    misconceptions=(
        Misconception(
            "copies of the map",
            wrong(lambda v, factor: v.repeat(1, 1, factor, factor)),
            "The whole map is laid side by side several times. Each value is to be repeated where it stands.",
        ),
        Misconception(
            "rows as copies",
            wrong(lambda v, factor: v.repeat(1, 1, factor, 1).repeat_interleave(factor, 3)),
            "The columns are right, but the rows are copies of the whole map. "
            "Repeat each row where it stands.",
        ),
        Misconception(
            "columns as copies",
            wrong(lambda v, factor: v.repeat(1, 1, 1, factor).repeat_interleave(factor, 2)),
            "The rows are right, but the columns are copies of the whole map. "
            "Repeat each column where it stands.",
        ),
        Misconception(
            "zeros between",
            wrong(lambda v, factor: at_one_pixel(v, factor, 0)),
            "Each value stands at the top left of its square, with zeros around it. Fill the whole square.",
        ),
        Misconception(
            "zeros before",
            wrong(lambda v, factor: at_one_pixel(v, factor, factor - 1)),
            "Each value stands at the bottom right of its square, with zeros around it. "
            "Fill the whole square.",
        ),
        Misconception(
            "spread",
            wrong(lambda v, factor: filled(v, factor) / factor**2),
            "Each value is shared out among its pixels. Give the whole value to each of them: "
            "the mean over a square is then the value again.",
        ),
        Misconception(
            "bilinear",
            wrong(
                lambda v, factor: interpolate(v, scale_factor=factor, mode="bilinear", align_corners=False)
            ),
            "Values between two neighbours are mixed (bilinear). Repeat each value as it is (nearest).",
        ),
        Misconception(
            "bilinear, corner to corner",
            wrong(lambda v, factor: interpolate(v, scale_factor=factor, mode="bilinear", align_corners=True)),
            "Values are mixed between the corners of the map (bilinear, align_corners). "
            "Repeat each value as it is (nearest).",
        ),
        Misconception(
            "from corner to corner",
            by_picking(from_corner_to_corner),
            "The pixels are spread evenly from corner to corner, "
            "so some values are repeated more often than others. "
            "Pixel (row, column) takes the value at row // factor, column // factor.",
        ),
        Misconception(
            "rounded",
            by_picking(lambda factor, pixel, size: (pixel / factor).round().long()),
            "The place row / factor is rounded to the nearest. Round it down: row // factor.",
        ),
        Misconception(
            "rounded up",
            by_picking(lambda factor, pixel, size: (pixel / factor).ceil().long()),
            "The place row / factor is rounded up. Round it down: row // factor.",
        ),
        Misconception(
            "remainder",
            by_picking(lambda factor, pixel, size: pixel % factor),
            "The place is the remainder, row % factor. Divide instead: row // factor.",
        ),
        Misconception(
            "always 2",
            lambda v, factor=2: filled(v, 2),
            "The factor is always 2. Use the argument factor.",
        ),
        Misconception(
            "power of two",
            wrong(lambda v, factor: filled(v, 2 ** (factor - 1))),
            "The map is doubled factor - 1 times. Make it factor times as high and wide.",
        ),
        Misconception(
            "rows only",
            lambda v, factor=2: v.repeat_interleave(factor, 2),
            "Only the rows are repeated. Repeat the columns too: the map becomes higher and wider.",
        ),
        Misconception(
            "columns only",
            lambda v, factor=2: v.repeat_interleave(factor, 3),
            "Only the columns are repeated. Repeat the rows too: the map becomes higher and wider.",
        ),
        Misconception(
            "channels",
            lambda v, factor=2: v.repeat_interleave(factor, 1).repeat_interleave(factor, 2),
            "Channels and rows are repeated. The map's own axes are the last two: rows and columns.",
        ),
        Misconception(
            "twice",
            wrong(lambda v, factor: filled(v, factor**2)),
            "The map grows by the square of the factor in each direction. "
            "It is the number of pixels that grows by the square.",
        ),
        Misconception(
            "no gradient",
            wrong(lambda v, factor: filled(v.detach(), factor)),
            "The result is cut from the gradient. The decoder trains through its upsampling: "
            "it gets the sum of the gradients of each square.",
        ),
    ),
)
