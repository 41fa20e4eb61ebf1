"""The values of a layer and the means of its modes, as several tasks try answers on them."""

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.grading.draws import normal


def layer(samples: int, units: int, **options: Any):
    """Values on both sides of 0, and modes that are nowhere symmetric; options follow as they are."""

    def make(generator: Generator) -> dict[str, Any]:
        middle = torch.tensor([[-1.3], [2.1]], dtype=torch.float64)
        return {
            "h": 0.4 + 1.7 * normal(generator, samples, units),
            "mu": middle + 0.5 * normal(generator, 2, units),
            **options,
        }

    return make


def one_mode(generator: Generator) -> dict[str, Tensor]:
    """μ⁰ = μ¹: the penalty is a plain mean of squares, and nothing pushes."""
    made = layer(4, 3)(generator)
    return {"h": made["h"], "mu": made["mu"][:1].repeat(2, 1)}


def far(distance: float):
    """Values moved away from 0 on either side, where one mode is nearly certain."""

    def make(generator: Generator) -> dict[str, Tensor]:
        made = layer(4, 2)(generator)
        return {"h": made["h"] + distance * made["h"].sign(), "mu": made["mu"]}

    return make
