"""saliency.spearman: how much two maps agree on the order of places (Rebuffi 2020, Chapter 8, §4.3)."""

import math
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.nan_apart import is_missing, nan_apart
from course_lib.grading.tasks.saliency.wrong_spearman import MISCONCEPTIONS


def rank_correlation(one: list[float], other: list[float]) -> float:
    """Pearson's correlation of ranks; equal values share the mean of the ranks they take up."""

    def ranks(values: list[float]) -> list[float]:
        return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]

    p, q = ranks(one), ranks(other)
    middle_p, middle_q = sum(p) / len(p), sum(q) / len(q)
    together = spread_p = spread_q = 0.0
    for r, s in zip(p, q):
        together += (r - middle_p) * (s - middle_q)
        spread_p += (r - middle_p) ** 2
        spread_q += (s - middle_q) ** 2
    if spread_p == 0 or spread_q == 0:
        return math.nan
    return together / math.sqrt(spread_p * spread_q)


def oracle(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Pair by pair; NaN where a map is constant."""
    rho = [rank_correlation(one.flatten().tolist(), other.flatten().tolist()) for one, other in zip(a, b)]
    return nan_apart(torch.tensor(rho, dtype=torch.float64))


def use(answer: Any, a: Tensor, b: Tensor) -> Any:
    """Call an answer, and tell where it gives NaN from the numbers that it gives elsewhere."""
    result = answer(a, b)
    if is_missing(result):
        return result
    if not isinstance(result, Tensor):
        raise Unfit(f"The result must be a tensor of shape (B,), but it is a {type(result).__name__}")
    return nan_apart(result)


# --- inputs ----------------------------------------------------------------------------------


def related(pairs: int, height: int, width: int, share: float = 0.6):
    """Maps without ties that agree in part, on scales that are no straight lines, with values of both "
    "signs."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        a = normal(generator, pairs, 1, height, width)
        b = share * a + (1 - share) * normal(generator, *a.shape)
        b[1::2] = -b[1::2]
        return {"a": a.sinh() - 0.2, "b": 2 * b**3 + 0.3 * b}

    return make


def clipped(pairs: int, height: int, width: int):
    """Maps after a ReLU: more than half of the places are 0, and they are 0 in places of their own."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        a = normal(generator, pairs, 1, height, width)
        b = 0.5 * a + normal(generator, *a.shape)
        return {"a": (a - 0.3).clamp(min=0), "b": (b - 0.5).clamp(min=0) ** 2}

    return make


def levels(pairs: int, height: int, width: int, count: int = 3):
    """Maps that hold a few whole numbers, of both signs."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        a = normal(generator, pairs, 1, height, width)
        b = a + normal(generator, *a.shape)
        low, high = -(count // 2), (count - 1) // 2
        a, b = ((1.2 * each + 0.3).round().clamp(low, high) for each in (a, b))
        return {"a": a, "b": b}

    return make


def some_constant(generator: torch.Generator) -> dict[str, Tensor]:
    """Of 5 pairs, a is constant in the second, b in the fourth, and both in the third."""
    made = related(5, 3, 4)(generator)
    made["a"][1], made["a"][2] = 0.0, 0.7
    made["b"][2], made["b"][3] = -1.5, 0.1
    return made


def itself_and_opposite(generator: torch.Generator) -> dict[str, Tensor]:
    a = clipped(2, 5, 3)(generator)["a"]
    return {"a": a, "b": torch.stack([a[0], -3 * a[1]])}


TASK = Task(
    id="saliency.spearman",
    title="Do two maps rank places alike?",
    difficulty=2,
    minutes=20,
    points=2,
    function="spearman",
    takes={"a": "(B, 1, h, w)", "b": "(B, 1, h, w)"},
    gives={"number of NaNs": "(B,)", "correlation": "(B,)"},
    written="spearman(a: (B, 1, h, w), b: (B, 1, h, w)) -> (B,)",
    use=use,
    hints=(
        "Replace every value by its place in the sorted order; what is left is an ordinary correlation. "
        "Then look at a map that is 0 in half of its places: does your order depend on where they stand?",
        "rank of v = (number of values below v) + (number of values equal to v, itself too, + 1) / 2\n"
        "rho = Σ (p - mean p)(q - mean q) / √( Σ (p - mean p)² · Σ (q - mean q)² ),   p, q the ranks of a, b",
        "for each of a and b:\n"
        "  v     <- the values of each map in one line                               # (B, n)\n"
        "  below <- for each value, how many of its own map are smaller              # (B, n)\n"
        "  equal <- for each value, how many of its own map are equal                # (B, n)\n"
        "  ranks <- below + (equal + 1) / 2\n"
        "  ranks <- ranks minus their mean, map by map\n"
        "return sum of the products of both, over the root of the product of their sums of squares   # (B,)",
    ),
    oracle=oracle,
    tolerance=1e-5,  # ranks may be held in float32
    cases=(
        Case("3 pairs of maps of 4×5 places", related(3, 4, 5)),
        Case("4 pairs of maps that are mostly 0", clipped(4, 3, 6)),
        Case("5 pairs of maps, some of them constant", some_constant),
        Case("2 pairs of maps that hold three numbers only", levels(2, 4, 4)),
        Case("a map with itself, and one with its opposite", itself_and_opposite),
        Case("1 pair of maps of 2×3 places", related(1, 2, 3)),
        Case("3 pairs of maps that hold four numbers, in float32", levels(3, 5, 4, 4), dtype=torch.float32),
    ),
    large=Case("10 pairs of maps of 14×15 places", levels(10, 14, 15, 40)),
    misconceptions=MISCONCEPTIONS,
)
