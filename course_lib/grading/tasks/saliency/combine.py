"""saliency.combine: the maps of several layers in one (Rebuffi 2020, Chapter 8, §4.2).

That each map is brought to [0, 1] first is not in the text; the authors' code does it.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.saliency.wrong_combine import MISCONCEPTIONS

# --- the oracle ------------------------------------------------------------------------------


def between(place: int, have: int, want: int) -> Iterator[tuple[int, float]]:
    """The two old pixels that a new pixel's centre lies between, and how much each counts."""
    at = max((place + 0.5) * have / want - 0.5, 0.0)
    first = int(at)
    yield first, 1 - (at - first)
    yield min(first + 1, have - 1), at - first


def enlarged(rows: list[list[float]], height: int, width: int) -> list[list[float]]:
    """Bilinear, with the corners of the outer pixels on one another."""
    made = [[0.0] * width for _ in range(height)]
    for i in range(height):
        for j in range(width):
            for r, p in between(i, len(rows), height):
                for c, q in between(j, len(rows[0]), width):
                    made[i][j] += p * q * rows[r][c]
    return made


def brought_to_one(rows: list[list[float]]) -> list[list[float]]:
    """Smallest value 0, largest 1; zeros where all are equal."""
    low, high = min(map(min, rows)), max(map(max, rows))
    return [[(value - low) / (high - low) if high > low else 0.0 for value in row] for row in rows]


def oracle(weights: Tensor, height: int, width: int, mode: str, **maps: Tensor) -> Tensor:
    """Σ γ_j m_j or Π m_j^γ_j, pixel by pixel, with γ_j = w_j / Σ w and 0⁰ = 1."""
    gammas = [w / sum(weights.tolist()) for w in weights.tolist()]
    first, *_ = maps.values()
    made = torch.zeros(len(first), 1, height, width, dtype=first.dtype)
    for b in range(len(first)):
        layers = [brought_to_one(enlarged(each[b, 0].tolist(), height, width)) for each in maps.values()]
        for i in range(height):
            for j in range(width):
                values = [layer[i][j] for layer in layers]
                if mode == "sum":
                    made[b, 0, i, j] = sum(gamma * m for gamma, m in zip(gammas, values, strict=True))
                else:
                    made[b, 0, i, j] = math.prod(m**gamma for gamma, m in zip(gammas, values, strict=True))
    return made


def use(answer: Callable, weights: Tensor, height: int, width: int, mode: str, **maps: Tensor) -> Any:
    """Call an answer with the maps in a list."""
    return answer(list(maps.values()), weights, (height, width), mode)


# --- inputs ----------------------------------------------------------------------------------

NAMES = ("first", "second", "third")


def layers(
    images: int,
    sizes: list[tuple[int, int]],
    weights: tuple[float, ...],
    size: tuple[int, int],
    mode: str,
    **other,
):
    """Maps whose values lie elsewhere and reach farther in each layer and each image.

    constant: a layer (counted from 0) whose map of the last image is the same everywhere.
    """

    def make(generator: torch.Generator) -> dict:
        maps = {}
        for number, (name, (height, width)) in enumerate(zip(NAMES, sizes)):
            spread = torch.linspace(1, 2.5, images, dtype=torch.float64).reshape(-1, 1, 1, 1) * (
                1 + 2 * number
            )
            each = normal(generator, images, 1, height, width)
            maps[name] = spread * each + (0.7 - number) + spread.flip(0) / 2
        if "constant" in other:
            maps[NAMES[other["constant"]]][-1] = 0.0  # exactly constant once it is enlarged, too
        given = {"weights": torch.tensor(weights, dtype=torch.float64), "height": size[0], "width": size[1]}
        return {**given, "mode": mode, **maps}

    return make


THREE, TWO = [(6, 8), (3, 4), (2, 3)], [(4, 3), (2, 2)]

TASK = Task(
    id="saliency.combine",
    title="Many layers, one map",
    difficulty=2,
    minutes=25,
    points=2,
    function="combine",
    takes={
        "weights": "(J,)",
        "height": "number",
        "width": "number",
        "mode": "text",
        "first": "(B, 1, h_1, w_1)",
        "second": "(B, 1, h_2, w_2) = none",
        "third": "(B, 1, h_3, w_3) = none",
    },
    gives={"map": "(B, 1, H, W)"},
    written='combine(maps: [(B, 1, h_j, w_j), …], weights: (J,), size: (H, W), mode="sum") -> (B, 1, H, W)',
    use=use,
    hints=(
        "Make the maps comparable before you combine them: in size first, then in range. "
        "Each map of each image has a range of its own. What are the weights if they are meant to share out "
        "one whole?",
        "γ_j = w_j / Σ w\n"
        "m_j <- enlarged to (H, W);   m_j <- (m_j - min m_j) / (max m_j - min m_j),  map by map\n"
        "sum: M = Σ γ_j · m_j        product: M = Π m_j^γ_j",
        "gamma  <- weights over their sum                                         # (J,)\n"
        "result <- 0 for a sum, 1 for a product\n"
        "for each map m and its gamma:\n"
        "    m     <- bilinear interpolation to size, without aligned corners     # (B, 1, H, W)\n"
        "    m     <- m minus its smallest value over the last two axes\n"
        "    range <- the largest value of m over the last two axes, 1 where it is 0   # (B, 1, 1, 1)\n"
        "    m     <- m over range\n"
        "    add gamma · m to the result, or multiply it with m to the power of gamma",
    ),
    oracle=oracle,
    tolerance=1e-5,  # a little number below the fraction line does no harm
    cases=(
        Case("the sum of 3 layers", layers(2, THREE, (0.5, 1.0, 2.5), (6, 8), "sum")),
        Case("the product of 3 layers", layers(2, THREE, (0.9, 0.6, 2.1), (6, 8), "product")),
        Case("the sum of 2 layers in a size of neither", layers(3, TWO, (0.7, 0.3), (5, 7), "sum")),
        Case("a product in which a layer has the weight 0", layers(2, TWO, (1.5, 0.0), (4, 6), "product")),
        Case("the product of one layer", layers(2, [(3, 4)], (2.5,), (6, 4), "product")),
        Case("a sum with a map that is 0 everywhere", layers(2, TWO, (1.0, 3.0), (4, 4), "sum", constant=1)),
        Case(
            "a product with a map that is 0 everywhere",
            layers(2, TWO, (1.0, 1.5), (4, 5), "product", constant=0),
        ),
        Case(
            "the sum of 2 layers in float32", layers(2, TWO, (2.0, 1.0), (6, 5), "sum"), dtype=torch.float32
        ),
    ),
    large=Case(
        "3 layers of 20 images",
        layers(20, [(28, 28), (14, 14), (7, 7)], (1.0, 2.0, 3.0), (56, 56), "product"),
    ),
    misconceptions=MISCONCEPTIONS,
)
