"""How much each layer counts in a combination: four schemes (Rebuffi 2020, Chapter 8, §4.2).

The layers are j = 1 to J, the first one first; the printed sums begin at 0. Each scheme gives weights that
add up to 1.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

READINGS = ("course", "printed")
Features = Mapping[str, Tensor]


def uniform_weights(layers: int) -> list[float]:
    """The same for every one of J layers: γ_j = 1 / J."""
    return normalised([1.0] * _counted(layers))


def linear_weights(layers: int) -> list[float]:
    """More for later layers: γ_j in proportion to j / J, for j = 1 to J, the first layer first."""
    return normalised([j / layers for j in range(1, _counted(layers) + 1)])


def spread_weights(features: Features, reading: str = "course") -> dict[str, float]:
    """In proportion to ``feature_spread`` of each layer.

    Args:
        features: activations (M, K, h, w), or (M, K), by layer name; the same M images, drawn evenly over
            the classes.
        reading: as in ``feature_spread``.

    Raises:
        ValueError: no features, shapes that do not fit, no such reading, or no layer tells the images apart.
    """
    found = {name: feature_spread(x, reading) for name, x in _checked(features).items()}
    return dict(zip(found, normalised(list(found.values())), strict=True))


def feature_spread(x: Tensor, reading: str = "course") -> float:
    """How much a layer differs between images: (1/M) Σ_i |x̄^i - x̄^μ|, the mean over channels.

    The formula leaves open what it means. The text calls x̄^i a spatial mean and prints a sum; it prints the
    centre as x̄^μ = (1/M) Σ_i |x̄^i|; and both are vectors of K channels, while the weight is one number.

    Args:
        x: (M, K, h, w), or (M, K) where the locations are pooled already.
        reading: ``course``: x̄^i is the mean over the locations, x̄^μ the mean of the x̄^i. ``printed``: x̄^i is
            the sum over the locations, and x̄^μ the mean of |x̄^i|; layers with many locations then count
            more, and after a ReLU the bars change nothing. Both average |x̄^i - x̄^μ| over the channels.

    Raises:
        ValueError: the shape is another, or no such reading.
    """
    if reading not in READINGS:
        raise ValueError(f"reading is {reading!r}, possible are {', '.join(READINGS)}.")
    x = _located(x)
    pooled = x.mean(2) if reading == "course" else x.sum(2)
    centre = (pooled if reading == "course" else pooled.abs()).mean(0)
    return (pooled - centre).abs().mean().item()


def accuracy_weights(features: Features, labels: Tensor | Sequence[int], seed: int = 0) -> dict[str, float]:
    """In proportion to ``probe_accuracy`` of each layer, with the same halves for all.

    Args:
        features: activations (M, K, h, w), or (M, K), by layer name; the same M images.
        labels: (M,) whole numbers.
        seed: decides which half the probes learn from.

    Raises:
        ValueError: as in ``probe_accuracy``, or every probe is always wrong.
    """
    found = {name: probe_accuracy(x, labels, seed) for name, x in _checked(features).items()}
    return dict(zip(found, normalised(list(found.values())), strict=True))


def probe_accuracy(x: Tensor, labels: Tensor | Sequence[int], seed: int = 0) -> float:
    """The accuracy of a linear classifier of a layer's features (Alain and Bengio 2016).

    The source gives no details. Here: the mean over the locations, each channel standardised; multinomial
    logistic regression with scikit-learn's penalty; fitted on one half of every class, measured on the other.

    Args:
        x: (M, K, h, w), or (M, K).
        labels: (M,) whole numbers, each class at least twice and at least two classes.
        seed: decides the halves; no global random state is touched.

    Returns:
        a number in [0, 1].

    Raises:
        ValueError: shapes that do not fit, features that are not finite, or too few labels of a class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pooled = _located(x).mean(2).cpu().numpy()
    labels = torch.as_tensor(labels).cpu()
    if labels.shape != x.shape[:1] or labels.is_floating_point():
        raise ValueError(
            f"labels are {labels.dtype} {tuple(labels.shape)}, needed are {len(x)} whole numbers."
        )
    counts = labels.unique(return_counts=True)[1]
    if len(counts) < 2 or counts.min() < 2:
        raise ValueError(
            f"labels have {len(counts)} classes, the smallest with {int(counts.min())} images: a probe needs "
            "two classes and two images of each."
        )
    learn, measure, learn_labels, measure_labels = train_test_split(
        pooled, labels.numpy(), test_size=0.5, stratify=labels.numpy(), random_state=seed
    )
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(probe.fit(learn, learn_labels).score(measure, measure_labels))


def normalised(weights: list[float]) -> list[float]:
    """The weights divided by their sum.

    Raises:
        ValueError: one is negative or not finite, or all are 0.
    """
    total = sum(weights)
    if not (min(weights) >= 0 and 0 < total < float("inf")):
        raise ValueError(f"weights are {weights}, needed are numbers of at least 0 and one above it.")
    return [w / total for w in weights]


def _counted(layers: int) -> int:
    if layers < 1:
        raise ValueError(f"layers is {layers}, needed is at least one.")
    return layers


def _checked(features: Features) -> Features:
    if not features or len({len(x) for x in features.values()}) > 1:
        given = {name: tuple(x.shape) for name, x in features.items()}
        raise ValueError(f"features are {given}, needed is at least one layer, and the same images in all.")
    return features


def _located(x: Tensor) -> Tensor:
    """Features (M, K, locations) in float64."""
    if x.ndim not in (2, 4) or x.numel() == 0:
        raise ValueError(
            f"features have shape {tuple(x.shape)}, needed is (M, K, h, w) or (M, K), not empty."
        )
    if not x.isfinite().all():
        raise ValueError("features contain NaN or infinity.")
    return x.detach().double().flatten(2) if x.ndim == 4 else x.detach().double()[:, :, None]
