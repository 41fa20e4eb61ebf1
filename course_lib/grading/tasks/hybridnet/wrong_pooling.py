"""Wrong answers to hybridnet.pooling: the steps of a right one, with one of them done otherwise."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.grading.task import Misconception

Answer = Callable[[Tensor], tuple[Tensor, Tensor]]


def windows(x: Tensor) -> Tensor:
    """The four values of each window in reading order, (B, C, H/2, W/2, 4)."""
    return torch.stack([x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)], -1)


def first_largest(four: Tensor) -> Tensor:
    """The number of each window's largest value, (..., ); argmax names the first of equals."""
    return four.argmax(-1)


def grid(x: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each window."""
    rows = torch.arange(x.shape[2] // 2, device=x.device)[:, None]
    return rows, torch.arange(x.shape[3] // 2, device=x.device)


def flat(x: Tensor, k: Tensor) -> Tensor:
    """The place within the whole map, row · W + column."""
    rows, columns = grid(x)
    return (2 * rows + k // 2) * x.shape[3] + 2 * columns + k % 2


def steps(which: Callable = first_largest, place: Callable = flat, value: Callable | None = None) -> Answer:
    """A right answer, or one with another choice, another place, or another value (of the windows and k)."""

    def pool(x: Tensor) -> tuple[Tensor, Tensor]:
        four = windows(x)
        k = which(four)
        taken = four.gather(-1, k[..., None])[..., 0] if value is None else value(four, k)
        return taken, place(x, k)

    return pool


def last_of_equals(four: Tensor) -> Tensor:
    return 3 - four.flip(-1).argmax(-1)


def shared_by_channels(four: Tensor) -> Tensor:
    return four.sum(1, keepdim=True).argmax(-1).expand(four.shape[:-1])


def shared_by_images(four: Tensor) -> Tensor:
    return four.sum(0, keepdim=True).argmax(-1).expand(four.shape[:-1])


def of_the_batch(x: Tensor, k: Tensor) -> Tensor:
    maps = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(*x.shape[:2], 1, 1)
    return maps * x.shape[2] * x.shape[3] + flat(x, k)


def of_the_image(x: Tensor, k: Tensor) -> Tensor:
    channels = torch.arange(x.shape[1], device=x.device)[:, None, None]
    return channels * x.shape[2] * x.shape[3] + flat(x, k)


def row_by(length: Callable) -> Callable:
    """Places with another length of a row, as a function of the shape of x."""

    def place(x: Tensor, k: Tensor) -> Tensor:
        rows, columns = grid(x)
        return (2 * rows + k // 2) * length(x.shape) + 2 * columns + k % 2

    return place


def down_the_columns(x: Tensor, k: Tensor) -> Tensor:
    rows, columns = grid(x)
    return (2 * columns + k % 2) * x.shape[2] + 2 * rows + k // 2


def row_and_column_exchanged(x: Tensor, k: Tensor) -> Tensor:
    return flat(x, 2 * (k % 2) + k // 2)


def number_of_the_window(x: Tensor, k: Tensor) -> Tensor:
    rows, columns = grid(x)
    return (rows * (x.shape[3] // 2) + columns).expand(k.shape).contiguous()


def without_the_step(x: Tensor, k: Tensor) -> Tensor:
    rows, columns = grid(x)
    return (rows + k // 2) * x.shape[3] + columns + k % 2


def every_position(x: Tensor) -> tuple[Tensor, Tensor]:
    """Windows that move by one pixel."""
    height, width = x.shape[2] - 1, x.shape[3] - 1
    four = torch.stack(
        [x[..., row : row + height, column : column + width] for row in (0, 1) for column in (0, 1)], -1
    )
    k = four.argmax(-1)
    rows, columns = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
    return four.amax(-1), (rows + k // 2) * x.shape[3] + columns + k % 2


def halves_of_the_map(x: Tensor) -> tuple[Tensor, Tensor]:
    """The axes are split the other way round, so that a window's values are half a map apart."""
    height, width = x.shape[2] // 2, x.shape[3] // 2
    quarters = [
        x[..., r * height : (r + 1) * height, c * width : (c + 1) * width] for r in (0, 1) for c in (0, 1)
    ]
    four = torch.stack(quarters, -1)
    k = four.argmax(-1)
    rows, columns = grid(x)
    return four.gather(-1, k[..., None])[..., 0], (rows + k // 2 * height) * x.shape[
        3
    ] + columns + k % 2 * width


def two_numbers(x: Tensor, k: Tensor) -> Tensor:
    rows, columns = grid(x)
    return torch.stack([2 * rows + k // 2, 2 * columns + k % 2], -1)


def writes_into_x(x: Tensor) -> tuple[Tensor, Tensor]:
    """Takes each maximum out once it is found."""
    pooled, switches = steps()(x)
    x.flatten(2).scatter_(2, switches.flatten(2), -torch.inf)
    return pooled, switches


VALUES = (
    Misconception(
        "mean",
        steps(value=lambda four, k: four.mean(-1)),
        "The four values are averaged. Take the largest of them.",
    ),
    Misconception(
        "smallest",
        steps(which=lambda four: four.argmin(-1)),
        "This is the smallest value of each window. Take the largest.",
    ),
    Misconception(
        "largest in size",
        steps(which=lambda four: four.abs().argmax(-1)),
        "You compare the values without their signs, so a large negative one can win. "
        "Compare them as they are.",
    ),
    Misconception(
        "starts from zero",
        steps(value=lambda four, k: four.amax(-1).relu()),
        "A window of negative values gives 0. Start the search from the window's first value, "
        "or from minus infinity: after a LeakyReLU such windows exist.",
    ),
    Misconception(
        "every second pixel",
        steps(which=lambda four: torch.zeros_like(four.argmax(-1))),
        "You take the top left value of each window. Look at all four and take the largest.",
    ),
    Misconception(
        "sum",
        steps(value=lambda four, k: four.sum(-1)),
        "The four values are added. Take the largest of them.",
    ),
    Misconception(
        "one choice for all channels",
        steps(which=shared_by_channels),
        "All channels take their value at the same place. "
        "Each channel has its own largest value and its own switch.",
    ),
    Misconception(
        "one choice for all images",
        steps(which=shared_by_images),
        "All images take their value at the same place. Each image has its own largest values and switches.",
    ),
    Misconception(
        "windows half a map apart",
        halves_of_the_map,
        "The values of a window stand half a map apart: an axis was split into (2, "
        "H/2) where (H/2, 2) is meant. "
        "A window holds neighbours.",
    ),
    Misconception(
        "windows overlap",
        every_position,
        "The windows move by one pixel and overlap. "
        "Let them move by two, so that each pixel is in one window.",
    ),
)

SWITCHES = (
    Misconception(
        "place within the window",
        steps(place=lambda x, k: k),
        "The switches count from 0 to 3 within each window. "
        "They shall say where in the whole map the value stood: row · W + column.",
    ),
    Misconception(
        "place within the batch",
        steps(place=of_the_batch),
        "The switches count on from map to map, through the whole batch. "
        "Let them begin at 0 in each map: row · W + column.",
    ),
    Misconception(
        "place within the image",
        steps(place=of_the_image),
        "The switches count on from channel to channel. Let them begin at 0 in each map: row · W + column.",
    ),
    Misconception(
        "row times height",
        steps(place=row_by(lambda shape: shape[2])),
        "The row is multiplied with the height H. One row holds W pixels: row · W + column.",
    ),
    Misconception(
        "row times half the width",
        steps(place=row_by(lambda shape: shape[3] // 2)),
        "The row is multiplied with the width of the pooled map. "
        "The switches point into the map before pooling, whose rows hold W pixels.",
    ),
    Misconception(
        "down the columns",
        steps(place=down_the_columns),
        "The switches count down the columns. Count along the rows: row · W + column.",
    ),
    Misconception(
        "row and column of the window exchanged",
        steps(place=row_and_column_exchanged),
        "Within the window, right and below are exchanged. "
        "In reading order the second value stands to the right of the first: row k // 2, column k % 2.",
    ),
    Misconception(
        "number of the window",
        steps(place=number_of_the_window),
        "The switches number the windows and do not depend on the values. "
        "They shall say where the largest value stood in the map before pooling.",
    ),
    Misconception(
        "corner of the window",
        steps(place=lambda x, k: flat(x, torch.zeros_like(k))),
        "Every switch names the top left pixel of its window. It shall name the pixel whose value was taken.",
    ),
    Misconception(
        "windows one pixel apart",
        steps(place=without_the_step),
        "The switches treat windows as if they began one pixel apart. "
        "The window (i, j) begins at row 2i, column 2j.",
    ),
    Misconception(
        "counts from 1",
        steps(place=lambda x, k: flat(x, k) + 1),
        "The switches are one too large. The first pixel of a map has the place 0.",
    ),
    Misconception(
        "last of equals",
        steps(which=last_of_equals),
        "Where the largest value stands several times, you name the last place. "
        "Name the first, in reading order.",
    ),
    Misconception(
        "two numbers",
        steps(place=two_numbers),
        "You give row and column as two numbers. Join them to one: row · W + column.",
    ),
    Misconception(
        "decimal numbers",
        steps(place=lambda x, k: flat(x, k).to(x.dtype)),
        "The switches are places, and one cannot index with decimal numbers. Keep them whole: int64.",
    ),
)

GRADIENTS = (
    Misconception(
        "no gradient",
        lambda x: steps()(x.detach()),
        "The pooled values are cut from the gradient. An encoder trains through its pooling: "
        "read the values from x itself.",
    ),
    Misconception(
        "gradient shared among equals",
        steps(value=lambda four, k: four.amax(-1)),
        "Where the largest value stands several times, "
        "the gradient is shared among those places (amax does it). "
        "Read x at the switch, so that all of it goes to the one place that the switch names.",
    ),
    Misconception(
        "writes into x",
        writes_into_x,
        "You write into x to mark what was found. Work on a copy, or do not write at all.",
    ),
)

MISCONCEPTIONS = (*VALUES, *SWITCHES, *GRADIENTS)
