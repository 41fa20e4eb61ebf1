"""hybridnet.unpooling: values back to the places that the switches remember (Robert 2019, §3.3.1)."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.grading.task import Case, Misconception, Task
from course_lib.grading.tasks.hybridnet.maps import pooled


def oracle(v: Tensor, switches: Tensor) -> Tensor:
    """Map by map and value by value: a line of zeros, and each value at the place that its switch names."""
    images, channels, height, width = v.shape
    maps = []
    for values, places in zip(v.reshape(images * channels, -1), switches.reshape(images * channels, -1)):
        line = [torch.zeros_like(values[0])] * (4 * height * width)
        for value, place in zip(values, places):
            line[place] = value
        maps += line
    return torch.stack(maps).reshape(images, channels, 2 * height, 2 * width)


# --- wrong answers are variations of one right answer ----------------------------------------


def placed(v: Tensor, places: Tensor, empty: float = 0.0) -> Tensor:
    """The values at these places of maps that are twice as high and twice as wide."""
    images, channels, height, width = v.shape
    maps = v.new_full((images, channels, 4 * height * width), empty)
    return maps.scatter(2, places.flatten(2), v.flatten(2)).unflatten(2, (2 * height, 2 * width))


def other_values(change: Callable) -> Callable:
    return lambda v, switches: placed(change(v), switches)


def other_places(change: Callable) -> Callable:
    """Another reading of the switches: a function of row, column and the shape of v."""

    def unpool(v: Tensor, switches: Tensor) -> Tensor:
        long = 2 * v.shape[3]
        places = change(switches, switches // long, switches % long, v.shape)
        return placed(v, places % (4 * v.shape[2] * v.shape[3]))

    return unpool


def corner(s: Tensor, row: Tensor, column: Tensor, shape: torch.Size) -> Tensor:
    return (row - row % 2) * 2 * shape[3] + column - column % 2


def opposite(s: Tensor, row: Tensor, column: Tensor, shape: torch.Size) -> Tensor:
    return (row + 1 - 2 * (row % 2)) * 2 * shape[3] + column + 1 - 2 * (column % 2)


def exchanged(s: Tensor, row: Tensor, column: Tensor, shape: torch.Size) -> Tensor:
    return (row - row % 2 + column % 2) * 2 * shape[3] + column - column % 2 + row % 2


def in_whole_windows(v: Tensor, switches: Tensor) -> Tensor:
    return v.repeat_interleave(2, 2).repeat_interleave(2, 3)


def in_reading_order(v: Tensor, switches: Tensor) -> Tensor:
    places = switches.flatten(2).sort(2).values
    return placed(v, places.unflatten(2, v.shape[2:]))


def turned(v: Tensor, switches: Tensor) -> Tensor:
    maps = placed(v, switches)
    return maps.reshape(*v.shape[:2], 2 * v.shape[3], 2 * v.shape[2])


def writes_into_the_switches(v: Tensor, switches: Tensor) -> Tensor:
    maps = placed(v, switches.clone())
    switches += (4 * v.shape[2] * v.shape[3]) * torch.arange(v.shape[1], device=v.device)[:, None, None]
    return maps


TASK = Task(
    id="hybridnet.unpooling",
    title="Unpooling",
    difficulty=2,
    minutes=20,
    points=2,
    function="max_unpool",
    takes={"v": "(B, C, h, w)", "switches": "(B, C, h, w)"},
    gives={"map": "(B, C, 2h, 2w)"},
    hints=(
        "Begin with maps of zeros and write each value to one place. "
        "A switch counts along the rows of the large map, so each map is best thought of as one long line.",
        "map[b, c, row, column] = v[b, c, i, j]   where switches[b, c, i, j] == row · 2w + column\n"
        "                         0               where no switch names this place",
        "line <- zeros                                        # (B, C, 4·h·w)\n"
        "for each image, channel and each of its h·w values:\n"
        "    write the value into line at the place that its switch names\n"
        "    (torch's scatter along the last axis does all of them at once)\n"
        "return line as maps of 2h rows and 2w columns        # (B, C, 2h, 2w)",
    ),
    oracle=oracle,
    gradients=("v",),
    cases=(
        Case("2 images, 3 channels, 2×3 values", pooled(2, 3, 2, 3)),
        Case("3 images, 2 channels, 3×1 values", pooled(3, 2, 3, 1)),
        Case("1 image, 1 channel, 1 value", pooled(1, 1, 1, 1)),
        Case("2 images, 2 channels, 2×2 values in float32", pooled(2, 2, 2, 2), dtype=torch.float32),
    ),
    large=Case("8 images, 8 channels, 8×8 values", pooled(8, 8, 8, 8)),
    misconceptions=(
        Misconception(
            "top left",
            other_places(corner),
            "Every value stands at the top left of its window. "
            "Its switch says at which of the four pixels it belongs.",
        ),
        Misconception(
            "opposite corner",
            other_places(opposite),
            "Every value stands at the opposite corner of its window. "
            "Use the switch as it is: row · 2w + column.",
        ),
        Misconception(
            "right and below exchanged",
            other_places(exchanged),
            "Within each window right and below are exchanged. "
            "A switch counts along the rows: row · 2w + column.",
        ),
        Misconception(
            "a quarter",
            other_values(lambda v: v / 4),
            "The values are divided by 4, as if they were spread over the window. "
            "Unpooling moves a value and leaves it as it is.",
        ),
        Misconception(
            "four times",
            other_values(lambda v: 4 * v),
            "The values are multiplied by 4, perhaps to keep the mean of the map. Leave them as they are.",
        ),
        Misconception(
            "whole windows",
            in_whole_windows,
            "Each value fills its whole window, whatever its switch: this is upsampling. "
            "Write it to one pixel and leave the other three at 0.",
        ),
        Misconception(
            "switches of the first channel",
            lambda v, switches: placed(v, switches[:, :1].expand_as(switches)),
            "All channels use the switches of the first one. Each channel has its own.",
        ),
        Misconception(
            "switches of the first image",
            lambda v, switches: placed(v, switches[:1].expand_as(switches)),
            "All images use the switches of the first one. Each image has its own: "
            "those of another image give the wrong picture.",
        ),
        Misconception(
            "switches of the image before",
            lambda v, switches: placed(v, switches.roll(1, 0)),
            "Each image uses the switches of the one before it. "
            "Images and switches belong together in their order.",
        ),
        Misconception(
            "short rows",
            other_places(lambda s, row, column, shape: s // shape[3] * 2 * shape[3] + s % shape[3]),
            "You read the switches as if a row held w pixels. "
            "They point into the large map, whose rows hold 2w.",
        ),
        Misconception(
            "rows as long as columns",
            other_places(
                lambda s, row, column, shape: s // (2 * shape[2]) * 2 * shape[3] + s % (2 * shape[2])
            ),
            "You read the switches as if a row held 2h pixels. A row holds 2w: row · 2w + column.",
        ),
        Misconception(
            "down the columns",
            other_places(
                lambda s, row, column, shape: s % (2 * shape[2]) * 2 * shape[3] + s // (2 * shape[2])
            ),
            "You read the switches as counting down the columns. "
            "They count along the rows: row · 2w + column.",
        ),
        Misconception(
            "counts from 1",
            other_places(lambda s, row, column, shape: s - 1),
            "Every value stands one pixel too early. The first pixel of a map has the place 0.",
        ),
        Misconception(
            "in reading order",
            in_reading_order,
            "The places are right, but the values are filled in by their order in the map. "
            "Each value goes to the place that its own switch names.",
        ),
        Misconception(
            "positive values only",
            other_values(torch.relu),
            "Negative values are lost. Place them too: a LeakyReLU in the decoder makes some.",
        ),
        Misconception(
            "only the places",
            other_values(lambda v: v / v.detach()),
            "The map has a 1 at each place. Write the value there.",
        ),
        Misconception(
            "minus infinity elsewhere",
            lambda v, switches: placed(v, switches, empty=-torch.inf),
            "The other pixels are minus infinity, so that pooling gives v back. "
            "A convolution follows, and it cannot use that: leave them at 0.",
        ),
        Misconception(
            "one long line",
            lambda v, switches: placed(v, switches).flatten(2),
            "Each map is one long line. Give it its 2h rows and 2w columns back.",
        ),
        Misconception(
            "turned",
            turned,
            "The map has 2w rows and 2h columns. Rows come first: 2h of them, each of 2w pixels.",
        ),
        Misconception(
            "no gradient",
            lambda v, switches: placed(v.detach(), switches),
            "The values are cut from the gradient. The decoder trains through its unpooling: write v itself.",
        ),
        Misconception(
            "writes into the switches",
            writes_into_the_switches,
            "You change the switches, which the encoder still owns. Compute other places into a new name.",
        ),
    ),
)
