"""Scores and their intervals. Metrics take ``(true, pred)``."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor


class Interval(NamedTuple):
    """A mean and a confidence interval for it."""

    mean: float
    low: float
    high: float
    n: int  # values that it rests on


def accuracy(true: Tensor | Sequence[int], pred: Tensor | Sequence[int]) -> float:
    """The part of the predictions that are right.

    Args:
        true: labels (N,), whole numbers.
        pred: labels (N,), or logits (N, C), of which the largest counts.

    Returns:
        a number in [0, 1].

    Raises:
        ValueError: nothing to score, shapes that do not fit, or NaN in the logits.
    """
    true, pred = _labels(true), torch.as_tensor(pred)
    if pred.ndim == 2:
        return top_k_accuracy(true, pred, k=1)
    if pred.shape != true.shape:
        raise ValueError(
            f"pred has shape {tuple(pred.shape)}, with true {tuple(true.shape)} it is (N,) or (N, C)."
        )
    if pred.is_floating_point():
        raise ValueError(f"pred has dtype {pred.dtype}, labels are whole numbers; logits have shape (N, C).")
    return (pred == true.to(pred.device)).double().mean().item()


def top_k_accuracy(true: Tensor | Sequence[int], pred: Tensor, k: int = 5) -> float:
    """The part of the samples whose true class is among the ``k`` largest logits.

    Args:
        true: labels (N,), whole numbers.
        pred: logits (N, C).
        k: 1 to C.

    Returns:
        a number in [0, 1].

    Raises:
        ValueError: nothing to score, shapes that do not fit, NaN in the logits, or an impossible ``k``.
    """
    true, pred = _labels(true), torch.as_tensor(pred)
    if pred.ndim != 2 or len(pred) != len(true):
        raise ValueError(
            f"pred has shape {tuple(pred.shape)}, with {len(true)} labels it is ({len(true)}, C)."
        )
    if not 1 <= k <= pred.shape[1]:
        raise ValueError(f"k is {k}, possible with {pred.shape[1]} classes is 1 to {pred.shape[1]}.")
    if pred.isnan().any():
        raise ValueError("pred contains NaN, which has no largest class.")
    best = pred.topk(k, dim=1).indices
    return (best == true.to(pred.device)[:, None]).any(dim=1).double().mean().item()


def mean_interval(values: Sequence[float] | Tensor, level: float = 0.95) -> Interval:
    """Mean and Student's t interval of independent runs, assuming that their values are about normal.

    Args:
        values: (n,) one value a run.
        level: part of such intervals that contain the true mean, in (0, 1).

    Returns:
        the interval; with a single value it is the whole line, since one run says nothing about the spread.

    Raises:
        ValueError: no value, NaN or infinity among them, or an impossible level.
    """
    values = _numbers("values", values)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, possible is above 0 and below 1.")
    n, mean = len(values), float(values.mean())
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def paired_interval(
    a: Sequence[float] | Tensor, b: Sequence[float] | Tensor, level: float = 0.95
) -> Interval:
    """Mean and Student's t interval of the differences ``a - b`` of paired runs (same seed, say).

    Args:
        a: (n,) values of one method.
        b: (n,) values of the other, in the same order.
        level: as in ``mean_interval``.

    Returns:
        the interval of the mean difference; one without 0 is a difference at this level.

    Raises:
        ValueError: as in ``mean_interval``, or the lengths differ.
    """
    a, b = _numbers("a", a), _numbers("b", b)
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} values and b has {len(b)}: pairs need equally many.")
    return mean_interval(a - b, level)


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation of each sample's two maps: Pearson's correlation of their average ranks.

    Equal values share the mean of their ranks, so it does not matter where in the map they stand.
    The ranks are sorted and compared in float64 on the CPU.

    Args:
        a: (B, ...), of any floating type; a sample is compared over all its values together.
        b: of the same shape.

    Returns:
        (B,) float64 on the device of ``a``, in [-1, 1]; NaN where a map is constant, or contains NaN,
        since it then has no order.

    Raises:
        ValueError: the shapes differ, or there is nothing to compare.
        TypeError: the values are complex.
    """
    if a.shape != b.shape or a.ndim < 2 or a.numel() == 0:
        raise ValueError(
            f"a has shape {tuple(a.shape)} and b {tuple(b.shape)}, needed is one shape (B, ...), not empty."
        )
    if a.is_complex() or b.is_complex():
        raise TypeError(f"a has type {a.dtype} and b {b.dtype}: complex numbers have no order.")
    ranks_a, ranks_b = (_centred_ranks(maps) for maps in (a, b))
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a constant map
        rho = (ranks_a * ranks_b).sum(1) / np.sqrt((ranks_a**2).sum(1) * (ranks_b**2).sum(1))
    return torch.from_numpy(rho).to(a.device)


def _labels(true: Tensor | Sequence[int]) -> Tensor:
    true = torch.as_tensor(true)
    if true.ndim != 1 or len(true) == 0:
        raise ValueError(f"true has shape {tuple(true.shape)}, needed are labels (N,) with N at least 1.")
    if true.is_floating_point():
        raise ValueError(f"true has dtype {true.dtype}, labels are whole numbers.")
    return true


def _numbers(name: str, values: Sequence[float] | Tensor) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} has shape {values.shape}, needed are numbers (n,) with n at least 1.")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} contains NaN or infinity, of which there is no mean.")
    return values


def _centred_ranks(maps: Tensor) -> np.ndarray:
    ranks = stats.rankdata(maps.detach().cpu().double().flatten(1).numpy(), axis=1)
    return ranks - (ranks.shape[1] + 1) / 2  # multiples of 1/2: the sums of their products are exact
