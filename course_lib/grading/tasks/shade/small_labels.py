"""shade.small_labels: is one method better than another?  Paired over seeds, with Student's t (Fig. 2.7a)."""

import math
from collections.abc import Callable

import torch
from scipy import stats
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.shade.known_training import KnownTraining
from course_lib.grading.tasks.shade.wrong_comparisons import MISCONCEPTIONS

NAMES = ("gain", "low", "high", "verdict")


def oracle(accuracies: Tensor, labels: Tensor, seeds: Tensor) -> tuple[Tensor, ...]:
    """For each number of labels: the mean difference, its interval at 95 %, and what the interval says."""
    none, shade, varentropy = accuracies.tolist()
    n = len(seeds)
    tables = torch.zeros(4, len(labels), 2, dtype=torch.float64)
    for i in range(len(labels)):
        for j, other in enumerate((none, varentropy)):
            differences = [shade[i][s] - other[i][s] for s in range(n)]
            gain = sum(differences) / n
            variance = sum((d - gain) ** 2 for d in differences) / (n - 1)
            half = stats.t.ppf(0.975, n - 1) * math.sqrt(variance / n)
            low, high = gain - half, gain + half
            verdict = 1 if low > 0 else -1 if high < 0 else 0
            tables[:, i, j] = torch.tensor([gain, low, high, verdict], dtype=torch.float64)
    trained = torch.tensor(3 * len(labels) * n, dtype=torch.float64)
    return torch.zeros_like(trained), trained, *tables


def use(answer: Callable, accuracies: Tensor, labels: Tensor, seeds: Tensor) -> tuple[Tensor, ...] | None:
    """Call an answer with a `train` that looks the accuracies up, and count how often it trains."""
    train = KnownTraining(accuracies, labels.tolist(), seeds.tolist())
    result = answer(train, labels.tolist(), seeds.tolist())
    if result is None or result is NotImplemented or result is ...:
        return result
    if not isinstance(result, tuple | list) or len(result) != len(NAMES):
        raise Unfit(f"The result must be a tuple of four, {', '.join(NAMES)}")
    tables = [torch.as_tensor(each, device=accuracies.device) for each in result]
    tables = [each if each.is_floating_point() else each.double() for each in tables]
    return *(torch.tensor(n).to(accuracies) for n in (train.other_seeds, train.calls)), *tables


def runs(seeds: int, gains: tuple[float, ...], over_varentropy: tuple[float, ...], noise: float = 0.6):
    """Accuracies whose spread over seeds is mostly common to the methods, which is what pairing is for."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        rows = len(gains)
        base = torch.linspace(35, 70, rows, dtype=torch.float64)[:, None] + 5 * normal(generator, rows, seeds)
        shade = base + torch.tensor(gains)[:, None] + noise * normal(generator, rows, seeds)
        other = shade - torch.tensor(over_varentropy)[:, None] + noise * normal(generator, rows, seeds)
        return {
            "accuracies": torch.stack([base, shade, other]),
            "labels": torch.tensor([250, 50, 1000, 100])[:rows],
            "seeds": 100 + 37 * torch.randperm(seeds, generator=generator),
        }

    return make


def no_spread(generator: torch.Generator) -> dict[str, Tensor]:
    """Differences that are the same with every seed: 2.5 and 0, then 0 and -1.5."""
    made = runs(3, (0.0, 0.0), (0.0, 0.0))(generator)
    base = made["accuracies"][0].round()
    shade = base + torch.tensor([[2.5], [0.0]])
    return made | {"accuracies": torch.stack([base, shade, shade + torch.tensor([[0.0], [1.5]])])}


TASK = Task(
    id="shade.small_labels",
    title="Project: does SHADE help with few labels?",
    difficulty=4,
    minutes=60,
    points=4,
    function="compare",
    takes={"accuracies": "(3, L, S)", "labels": "(L,)", "seeds": "(S,)"},
    gives={
        "number of trainings with other seeds": "scalar",
        "number of trainings": "scalar",
        **dict.fromkeys(NAMES, "(L, 2)"),
    },
    written="compare(train, labels, seeds) -> gain (L, 2), low (L, 2), high (L, 2), verdict (L, 2)",
    hints=(
        "Think of one number of labels and one seed. "
        "There the methods saw the same images and began with the same weights, so their difference is fair. "
        "How much do these differences vary from seed to seed, and is their mean far from 0 against that?",
        "d[s]  = accuracy of shade with seed s - accuracy of the other with seed s,   n seeds\n"
        "gain  = mean of d\n"
        "half  = t(0.975, n - 1) · standard deviation of d (with n - 1) / √n\n"
        "low, high = gain - half, gain + half\n"
        "verdict = +1 if low > 0,  -1 if high < 0,  else 0",
        "for each of the three methods:\n"
        "  a[method] <- train(method, labels, seed) for all labels and seeds   # (L, S), once each\n"
        "d      <- shade minus none, and shade minus varentropy                # (L, 2, S)\n"
        "gain   <- mean of d over the seeds                                    # (L, 2)\n"
        "t      <- stats.t.ppf(0.975, n - 1)\n"
        "half   <- t * std of d over the seeds / square root of n              # (L, 2)\n"
        "return gain, gain - half, gain + half, and the verdict of these two",
    ),
    oracle=oracle,
    use=use,
    tolerance=5e-4,  # whoever takes t from a printed table has three digits after the point
    may_use=("course_lib.grading.tasks.shade.known_training",),
    cases=(
        Case("4 seeds and 3 numbers of labels", runs(4, (6.0, 1.0, -4.0), (0.3, 3.0, -3.0))),
        Case("3 seeds and 2 numbers of labels", runs(3, (-5.0, 0.4), (4.0, -5.0))),
        Case("2 seeds and 4 numbers of labels", runs(2, (5.0, -1.0, 2.0, 9.0), (1.0, 2.0, -8.0, 0.0), 0.2)),
        Case("9 seeds and 1 number of labels", runs(9, (1.5,), (-0.1,), 1.5)),
        Case("differences that are the same with every seed", no_spread),
    ),
    misconceptions=MISCONCEPTIONS,
)
