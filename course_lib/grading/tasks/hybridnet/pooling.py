"""hybridnet.pooling: max-pooling that remembers where its maxima stood (Robert 2019, §3.3.1)."""

import torch
from torch import Tensor

from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.hybridnet.maps import equals, maps, negative
from course_lib.grading.tasks.hybridnet.wrong_pooling import MISCONCEPTIONS


def oracle(x: Tensor) -> tuple[Tensor, Tensor]:
    """Window by window, value by value in reading order; a later equal value does not take the place."""
    images, channels, height, width = x.shape
    values, places = [], []
    for picture in x.reshape(images * channels, height, width):
        for top in range(0, height, 2):
            for left in range(0, width, 2):
                best, place = picture[top, left], top * width + left
                for row in (top, top + 1):
                    for column in (left, left + 1):
                        if picture[row, column] > best:
                            best, place = picture[row, column], row * width + column
                values.append(best)
                places.append(place)
    shape = (images, channels, height // 2, width // 2)
    return torch.stack(values).reshape(shape), torch.tensor(places, device=x.device).reshape(shape)


TASK = Task(
    id="hybridnet.pooling",
    title="Max-pooling with switches",
    difficulty=3,
    minutes=25,
    points=2,
    function="max_pool_with_switches",
    takes={"x": "(B, C, H, W)"},
    gives={"pooled": "(B, C, H/2, W/2)", "switches": "(B, C, H/2, W/2)"},
    hints=(
        "Give each window an axis of its own, with its four values in reading order. "
        "Then one largest value and its number, 0 to 3, are easy to have. "
        "From that number to the place in the whole map is a second step.",
        "with k the number of the largest value within the window in row i and column j:\n"
        "row = 2·i + k // 2,   column = 2·j + k % 2\n"
        "switches[b, c, i, j] = row · W + column\n"
        "pooled[b, c, i, j]   = x[b, c, row, column]",
        "four     <- the four values of each window, from x[:, :, 0::2, 0::2], x[:, :, 0::2, 1::2],\n"
        "            x[:, :, 1::2, 0::2] and x[:, :, 1::2, 1::2]                  # (4, B, C, H/2, W/2)\n"
        "k        <- where the largest of the four stands, the first of equals    # (B, C, H/2, W/2)\n"
        "row      <- 2 * (0, 1, ..., H/2 - 1, down) + k // 2\n"
        "column   <- 2 * (0, 1, ..., W/2 - 1, to the right) + k % 2\n"
        "switches <- row * W + column\n"
        "pooled   <- x, each map in one line, read at the switches               # (B, C, H/2, W/2)\n"
        "return pooled, switches",
    ),
    oracle=oracle,
    gradients=("x",),
    cases=(
        Case("2 images, 3 channels, 4×6 pixels", maps(2, 3, 4, 6)),
        Case("3 images, 2 channels, 6×4 pixels", maps(3, 2, 6, 4)),
        Case("1 image, 1 channel, 2×2 pixels", maps(1, 1, 2, 2)),
        Case("maps without a positive value", negative),
        Case("maps with many equal values", equals),
        Case("2 images, 2 channels, 4×4 pixels in float32", maps(2, 2, 4, 4), dtype=torch.float32),
    ),
    large=Case("8 images, 8 channels, 16×16 pixels", maps(8, 8, 16, 16)),
    misconceptions=MISCONCEPTIONS,
)
