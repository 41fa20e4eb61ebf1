"""Several layers' maps in one (Rebuffi 2020, Chapter 8, §4.2).

The text does not say that each map is normalised before; without it the layer with the largest values
decides alone, so ``combine`` does it. How much each layer counts is in ``layer_weights``.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_lib.localisation import to_size
from course_lib.localisation.inputs import check_maps
from course_lib.methods.saliency.layer_weights import (
    accuracy_weights,
    feature_spread,
    linear_weights,
    normalised,
    probe_accuracy,
    spread_weights,
    uniform_weights,
)

__all__ = [
    "accuracy_weights",
    "combine",
    "feature_spread",
    "linear_weights",
    "min_max",
    "probe_accuracy",
    "spread_weights",
    "uniform_weights",
]

MODES = ("sum", "product")
Maps = Mapping[str, Tensor] | Sequence[Tensor]
Weights = Mapping[str, float] | Sequence[float] | Tensor


def min_max(maps: Tensor) -> Tensor:
    """Each map shifted and scaled to [0, 1], by its own smallest and largest value.

    A constant map shows no place more than another and becomes 0 everywhere.

    Args:
        maps: (B, 1, h, w); half precision is raised to float32.

    Returns:
        (B, 1, h, w).

    Raises:
        ValueError: the shape is another, or a map is not finite.
    """
    check_maps(maps, finite=True)
    maps = maps if maps.element_size() > 2 else maps.float()
    above = maps - maps.amin((2, 3), keepdim=True)
    largest = above.amax((2, 3), keepdim=True)
    return above / torch.where(largest > 0, largest, 1.0)


def combine(
    maps: Maps,
    weights: Weights | None = None,
    size: int | tuple[int, int] | None = None,
    mode: str = "sum",
) -> Tensor:
    """The weighted sum Σ_j γ_j m_j or the weighted product Π_j m_j^γ_j of maps in [0, 1].

    The maps are brought to one size first and normalised there, each for itself (``min_max``). A layer of
    weight 0 does not count, also where its map is 0. In a product a place that one layer holds for nothing
    stays 0; so a constant map erases all, unless its weight is 0.

    Args:
        maps: (B, 1, h_j, w_j) of each layer, in a sequence or by name.
        weights: one a layer, at least 0, in the maps' order or by name; they are divided by their sum. None:
            all the same.
        size: (H, W) of the result, or one number for both; None takes that of the map with the most pixels.
        mode: ``sum`` or ``product``.

    Returns:
        (B, 1, H, W) in [0, 1].

    Raises:
        ValueError: no maps, shapes or names that do not fit, a map that is not finite, weights that cannot
            add up to 1, or no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}, possible are {', '.join(MODES)}.")
    layers = list(maps.values()) if isinstance(maps, Mapping) else list(maps)
    if not layers:
        raise ValueError("maps are empty: there is nothing to combine.")
    if len({len(one) for one in layers}) > 1:
        raise ValueError(f"maps have {[len(one) for one in layers]} samples, needed are equally many.")
    gammas = _gammas(maps, weights, len(layers))
    size = max((one.shape[2:] for one in layers), key=lambda shape: shape.numel()) if size is None else size
    layers = [min_max(to_size(one, size)) for one in layers]
    if mode == "product":
        return math.prod(m**gamma for m, gamma in zip(layers, gammas, strict=True))
    return sum(gamma * m for m, gamma in zip(layers, gammas, strict=True)).clamp(max=1)  # but for rounding


def _gammas(maps: Maps, weights: Weights | None, n: int) -> list[float]:
    if weights is None:
        return uniform_weights(n)
    if isinstance(weights, Mapping):
        names = list(maps) if isinstance(maps, Mapping) else []
        if set(weights) != set(names):
            raise ValueError(
                f"weights are of {', '.join(weights)}, the maps of {', '.join(names) or 'no names'}."
            )
        weights = [weights[name] for name in names]
    if len(weights) != n:
        raise ValueError(f"there are {len(weights)} weights for {n} maps.")
    return normalised([float(w) for w in weights])
