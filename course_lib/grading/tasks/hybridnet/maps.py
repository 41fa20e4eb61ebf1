"""Feature maps as the pooling tasks try answers on them."""

import torch
from torch import Generator, Tensor

from course_lib.grading.draws import normal


def maps(images: int, channels: int, height: int, width: int):
    """Maps with values on both sides of 0, and some windows that are negative as a whole."""

    def make(generator: Generator) -> dict[str, Tensor]:
        return {"x": 0.2 + normal(generator, images, channels, height, width)}

    return make


def equals(generator: Generator) -> dict[str, Tensor]:
    """What a ReLU leaves: many zeros, and windows in which the largest value stands several times."""
    x = torch.randint(-2, 3, (2, 3, 6, 4), generator=generator).to(torch.float64)
    x[0, 0] = 0.0
    return {"x": x.relu()}


def negative(generator: Generator) -> dict[str, Tensor]:
    """Maps without a positive value, as a LeakyReLU can make them."""
    return {"x": -0.1 - normal(generator, 2, 2, 2, 6).abs()}


def pooled(images: int, channels: int, height: int, width: int):
    """Values to place, (B, C, h, w), on both sides of 0, and for each a place of its own window, drawn."""

    def make(generator: Generator) -> dict[str, Tensor]:
        shape = (images, channels, height, width)
        down, right = torch.randint(0, 2, (2, *shape), generator=generator)
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        return {
            "v": 0.3 + normal(generator, *shape),
            "switches": (2 * rows + down) * 2 * width + 2 * columns + right,
        }

    return make
