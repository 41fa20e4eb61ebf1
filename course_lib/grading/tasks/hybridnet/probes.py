"""hybridnet.probes: what a ridge regression reads from a latent, and its R² on unseen images."""

from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.hybridnet.wrong_probes import MISCONCEPTIONS


def oracle(h: Tensor, t: Tensor, h_test: Tensor, t_test: Tensor, ridge: float = 1.0) -> tuple[Tensor, Tensor]:
    """The normal equations, summed up sample by sample; then R² target by target."""
    n, d = h.shape
    mean_h, mean_t = sum(h) / n, sum(t) / n
    gram, cross = torch.zeros(d, d, dtype=h.dtype), torch.zeros(d, t.shape[1], dtype=h.dtype)
    for features, targets in zip(h, t):
        gram = gram + torch.outer(features - mean_h, features - mean_h)
        cross = cross + torch.outer(features - mean_h, targets - mean_t)
    for k in range(d):
        gram[k, k] = gram[k, k] + ridge
    weights = torch.linalg.solve(gram, cross)
    predicted = torch.stack([mean_t + sum(x * w for x, w in zip(row - mean_h, weights)) for row in h_test])
    r2 = 0.0
    for k in range(t.shape[1]):
        middle = sum(t_test[:, k]) / len(t_test)
        missed = sum((t_test[:, k] - predicted[:, k]) ** 2)
        spread = sum((value - middle) ** 2 for value in t_test[:, k])
        r2 = r2 + (1 - missed / spread) / t.shape[1]
    return predicted, r2


def latents(samples: int, units: int, targets: int, tests: int, noise: float = 0.7, **options: Any):
    """Features of different sizes, far from 0; targets that hang on them, with offsets and noise."""

    def make(generator: torch.Generator) -> dict[str, Any]:
        sizes = torch.linspace(0.4, 1.6, units, dtype=torch.float64)
        weights = normal(generator, units, targets)
        offset = 2 + normal(generator, targets)
        scale = torch.linspace(0.5, 2.5, targets, dtype=torch.float64)

        def drawn(count: int, moved: float) -> tuple[Tensor, Tensor]:
            h = (moved + normal(generator, count, units)) * sizes
            return h, (h @ weights + noise * normal(generator, count, targets)) * scale + offset

        (h, t), (h_test, t_test) = drawn(samples, 1.0), drawn(tests, 1.3)
        return {"h": h, "t": t, "h_test": h_test, "t_test": t_test, **options}

    return make


TASK = Task(
    id="hybridnet.probes",
    title="What can be read from a latent?",
    difficulty=3,
    minutes=30,
    points=3,
    function="linear_probe",
    takes={
        "h": "(N, D)",
        "t": "(N, T)",
        "h_test": "(M, D)",
        "t_test": "(M, T)",
        "ridge": "number = 1.0",
    },
    gives={"predicted": "(M, T)", "r2": "scalar"},
    hints=(
        "Take the means away first: then the straight line goes through 0, and its slope is all there is "
        "to find. "
        "Where do these means come from, and where do they have to be put back?",
        "W = (HᵀH + ridge · I)⁻¹ Hᵀ T,   H and T with the training means taken away\n"
        "predicted = (h_test - training mean of h) W + training mean of t\n"
        "R² of a target = 1 - Σ (t - predicted)² / Σ (t - mean of t)²,   over the test samples",
        "mean_h, mean_t <- means of h and t over the training samples   # (D,), (T,)\n"
        "H, T   <- h - mean_h, t - mean_t                               # (N, D), (N, T)\n"
        "W      <- torch.linalg.solve(HᵀH + ridge · I, HᵀT)             # (D, T)\n"
        "predicted <- (h_test - mean_h) W + mean_t                      # (M, T)\n"
        "missed <- sum over the test samples of (t_test - predicted)²   # (T,)\n"
        "spread <- sum over the test samples of (t_test - its mean)²    # (T,)\n"
        "r2     <- mean over the targets of 1 - missed / spread",
    ),
    oracle=oracle,
    tolerance=1e-5,
    cases=(
        Case("20 samples of 4 units and 3 targets", latents(20, 4, 3, 9)),
        Case("15 samples of 3 units and 1 target", latents(15, 3, 1, 15, ridge=0.2)),
        Case("5 samples of 8 units", latents(5, 8, 2, 6, ridge=3.0)),
        Case("targets that are mostly noise", latents(12, 4, 2, 7, noise=9.0, ridge=0.5)),
        Case("9 samples of 2 units in float32", latents(9, 2, 2, 4), dtype=torch.float32),
    ),
    large=Case("1500 samples of 12 units", latents(1500, 12, 3, 700)),
    misconceptions=MISCONCEPTIONS,
)
