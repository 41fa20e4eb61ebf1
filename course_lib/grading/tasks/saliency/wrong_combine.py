"""Wrong answers to saliency.combine: a right one in pieces, and each wrong one replaces a piece."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.grading.task import Misconception


def enlarged(m: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(m, size, mode="bilinear", align_corners=False)


def over(m: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The smallest and the largest value over some axes."""
    return m.amin(axes, keepdim=True), m.amax(axes, keepdim=True)


def min_max(m: Tensor, axes: tuple[int, ...] = (1, 2, 3)) -> Tensor:
    low, high = over(m, axes)
    return (m - low) / torch.where(high > low, high - low, 1.0)


def shares(weights: Tensor) -> Tensor:
    return weights / weights.sum()


def added(layers: list[Tensor], gamma: Tensor) -> Tensor:
    return sum(g * m for g, m in zip(gamma, layers))


def multiplied(layers: list[Tensor], gamma: Tensor) -> Tensor:
    return torch.stack([m**g for g, m in zip(gamma, layers)]).prod(0)


def combining(
    resize: Callable = enlarged,
    normalise: Callable = min_max,
    gammas: Callable = shares,
    modes: dict[str, Callable] | None = None,
    final: Callable = lambda m: m,
) -> Callable:
    """An answer from its pieces; each argument is one thing to get wrong."""
    ways = {"sum": added, "product": multiplied} | (modes or {})

    def answer(maps, weights, size, mode="sum"):
        layers = [normalise(resize(m, size)) for m in maps]
        return final(ways[mode](layers, gammas(weights)))

    return answer


def resized_by(**options) -> Callable:
    return combining(resize=lambda m, size: F.interpolate(m, size, **options))


def range_before_size(maps, weights, size, mode="sum"):
    return combining(normalise=lambda m: m)([min_max(m) for m in maps], weights, size, mode)


def combined_small(maps, weights, size, mode="sum"):
    """All maps at the size of the last one; only the result is enlarged."""
    small = tuple(maps[-1].shape[2:])
    layers = [min_max(F.adaptive_avg_pool2d(m, small)) for m in maps]
    return enlarged({"sum": added, "product": multiplied}[mode](layers, shares(weights)), size)


def with_logarithms(floor: float) -> Callable:
    return lambda layers, gamma: sum(g * (m + floor).log() for g, m in zip(gamma, layers)).exp()


def divided_by_nothing(m: Tensor) -> Tensor:
    low, high = over(m, (1, 2, 3))
    return (m - low) / (high - low)


def writes_into_maps(maps, weights, size, mode="sum"):
    made = combining()(maps, weights, size, mode)
    for m in maps:
        m -= m.amin((1, 2, 3), keepdim=True)
    return made


RANGES = (
    Misconception(
        "range of the batch",
        combining(normalise=lambda m: min_max(m, (0, 1, 2, 3))),
        "A map is scaled by the smallest and the largest value of the whole batch, so it depends on the "
        "other "
        "images. Take them over the last two axes, map by map.",
    ),
    Misconception(
        "no range",
        combining(normalise=lambda m: m),
        "The maps are not scaled. The layer with the largest values then decides alone, and the power of a "
        "negative number is no number: bring each map to [0, 1] first.",
    ),
    Misconception(
        "cut at 0 instead of scaled",
        combining(normalise=torch.relu),
        "Negative values are cut off, and the maps are not scaled: the layer with the largest values decides "
        "alone. Shift and scale each map to [0, 1].",
    ),
    Misconception(
        "largest value only",
        combining(normalise=lambda m: m.relu() / over(m.relu(), (1, 2, 3))[1].clamp(min=1e-9)),
        "Negative values are cut off and the rest is divided by the largest. "
        "Take the smallest value away instead, whatever its sign, then divide by the range.",
    ),
    Misconception(
        "sizes",
        combining(normalise=lambda m: min_max(m.abs())),
        "The signs are taken away before scaling. The smallest value becomes 0, even if it is very negative.",
    ),
    Misconception(
        "sums to 1",
        combining(normalise=lambda m: m.flatten(1).softmax(1).reshape(m.shape)),
        "Each map is made to sum to 1 (softmax). Scale it from its smallest value, 0, to its largest, 1.",
    ),
    Misconception(
        "standardised",
        combining(
            normalise=lambda m: (
                (m - m.mean((1, 2, 3), True)) / m.std((1, 2, 3), unbiased=False, keepdim=True).clamp(min=1e-9)
            )
        ),
        "The maps get mean 0 and variance 1, so they have negative values, whose powers are no numbers. "
        "Scale each map to [0, 1] by its smallest and largest value.",
    ),
    Misconception(
        "row by row",
        combining(normalise=lambda m: min_max(m, (3,))),
        "Each row of a map is scaled by itself. Take the smallest and the largest value over rows and "
        "columns.",
    ),
    Misconception(
        "constant map divided by 0",
        combining(normalise=divided_by_nothing),
        "A map that is the same everywhere has a range of 0, and 0 / 0 is no number. It becomes 0 "
        "everywhere.",
    ),
    Misconception(
        "constant map becomes 1",
        combining(
            normalise=lambda m: torch.where(
                m.amax((2, 3), True) == m.amin((2, 3), True), torch.ones_like(m), min_max(m)
            )
        ),
        "A map that is the same everywhere becomes 1. It says nothing of any place: let it be 0 everywhere.",
    ),
    Misconception(
        "scaled again at the end",
        combining(final=min_max),
        "The result is scaled to [0, 1] once more. Leave it: it lies in there already.",
    ),
    Misconception(
        "range before size",
        range_before_size,
        "The maps are scaled before they are enlarged. Enlarging mixes neighbours, so the largest value is "
        "lost: "
        "enlarge first.",
    ),
)

SIZES = (
    Misconception(
        "combined before enlarged",
        combined_small,
        "The maps are combined at the size of the last one and enlarged afterwards, "
        "which throws away how sharp the early layers are. Enlarge each map to size first.",
    ),
    Misconception(
        "nearest pixel",
        resized_by(mode="nearest"),
        "The maps are enlarged by repeating pixels (nearest). Interpolate between them (bilinear).",
    ),
    Misconception(
        "corners aligned",
        resized_by(mode="bilinear", align_corners=True),
        "The centres of the corner pixels are laid on one another (align_corners=True), "
        "which moves everything else towards them. Use align_corners=False.",
    ),
    Misconception(
        "bicubic",
        resized_by(mode="bicubic", align_corners=False),
        "The maps are enlarged by cubic curves, which overshoot. Interpolate linearly (bilinear).",
    ),
    Misconception(
        "rows and columns exchanged",
        combining(final=lambda m: m.mT),
        "The map has W rows and H columns. size is (H, W): rows first.",
    ),
    Misconception(
        "no axis for the map",
        combining(final=lambda m: m[:, 0]),
        "The maps have no axis of their own. Keep it: (B, 1, H, W), as all maps of this course.",
    ),
)

WEIGHTS = (
    Misconception(
        "weights as given",
        combining(gammas=lambda weights: weights),
        "The weights are used as they are. Divide them by their sum: then the map stays in [0, 1], "
        "and only their proportions matter.",
    ),
    Misconception(
        "exponents as given",
        combining(modes={"product": lambda layers, gamma: multiplied(layers, gamma) ** len(layers)}),
        "The exponents of the product do not sum to 1. The largest place stays the same, but the map is much "
        "darker: divide the weights by their sum there too.",
    ),
    Misconception(
        "weights ignored",
        combining(gammas=lambda weights: torch.ones_like(weights) / len(weights)),
        "All layers count the same. Use the weights, divided by their sum.",
    ),
    Misconception(
        "softmax of the weights",
        combining(gammas=lambda weights: weights.softmax(0)),
        "The weights go through a softmax. They are shares already: divide them by their sum.",
    ),
    Misconception(
        "weights turned round",
        combining(gammas=lambda weights: shares(weights).flip(0)),
        "The weights come in the opposite order. The first weight belongs to the first map.",
    ),
    Misconception(
        "largest weight is 1",
        combining(gammas=lambda weights: weights / weights.max()),
        "The weights are divided by the largest of them. Divide them by their sum.",
    ),
    Misconception(
        "plain product",
        combining(modes={"product": lambda layers, gamma: torch.stack(layers).prod(0)}),
        "The product has no exponents. The weight of a layer in a product is its exponent: m to the power "
        "of γ.",
    ),
    Misconception(
        "product of weighted maps",
        combining(
            modes={
                "product": lambda layers, gamma: torch.stack([g * m for g, m in zip(gamma, layers)]).prod(0)
            }
        ),
        "In the product you multiply each map with its weight, which only scales the result. "
        "The weight is an exponent: m to the power of γ.",
    ),
    Misconception(
        "always the sum",
        combining(modes={"product": added}),
        "The mode product gives the sum. Multiply the powers of the maps.",
    ),
    Misconception(
        "sum and product exchanged",
        combining(modes={"sum": multiplied, "product": added}),
        "Sum and product are exchanged.",
    ),
    Misconception(
        "logarithm of 0",
        combining(modes={"product": with_logarithms(0.0)}),
        "You sum up logarithms. Where a map is 0 and its weight too, 0 · log 0 is no number; "
        "the power says it right: 0⁰ is 1.",
    ),
    Misconception(
        "little number in the logarithm",
        combining(modes={"product": with_logarithms(1e-6)}),
        "A little number is added before the logarithm, so where a map is 0 the product is not. "
        "Take powers: they need no logarithm.",
    ),
    Misconception(
        "writes into the maps",
        writes_into_maps,
        "Write `m = m - m.amin(…)` where you write `m -= m.amin(…)`: the maps belong to whoever called.",
    ),
)

MISCONCEPTIONS = (*RANGES, *SIZES, *WEIGHTS)
