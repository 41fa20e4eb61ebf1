"""hybridnet.project: which lines of Table 3.5 beat which?  Paired over seeds, Holm for several questions."""

import math
from collections.abc import Callable

import torch
from scipy import stats
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.hybridnet.known_lines import LINES, KnownLines
from course_lib.grading.tasks.hybridnet.wrong_projects import MISCONCEPTIONS

NAMES = ("gain", "low", "high", "p", "verdict")


def oracle(accuracies: Tensor, pairs: Tensor, seeds: Tensor) -> tuple[Tensor, ...]:
    """For each pair: mean difference, its interval at 1 - 0.05/M, Holm's p-value, and what this one says."""
    n, m = len(seeds), len(pairs)
    gain, low, high, raw = ([0.0] * m for _ in range(4))
    for k, (one, other) in enumerate(pairs.tolist()):
        d = [(accuracies[one, s] - accuracies[other, s]).item() for s in range(n)]
        gain[k] = sum(d) / n
        error = math.sqrt(sum((each - gain[k]) ** 2 for each in d) / (n - 1) / n)
        half = stats.t.ppf(1 - 0.025 / m, n - 1) * error
        low[k], high[k] = gain[k] - half, gain[k] + half
        if error > 0:
            raw[k] = 2 * stats.t.sf(abs(gain[k]) / error, n - 1)
        else:
            raw[k] = 0.0 if gain[k] else 1.0
    p, largest = [0.0] * m, 0.0
    for rank, k in enumerate(sorted(range(m), key=lambda k: raw[k])):
        largest = max(largest, (m - rank) * raw[k])
        p[k] = min(largest, 1.0)
    verdict = [(1.0 if gain[k] > 0 else -1.0) if p[k] < 0.05 else 0.0 for k in range(m)]
    trained = n * len({line for pair in pairs.tolist() for line in pair})
    counts = torch.tensor([0.0, trained], dtype=torch.float64)
    tables = torch.tensor([gain, low, high, p, verdict], dtype=torch.float64)
    return *counts, *tables


def use(answer: Callable, accuracies: Tensor, pairs: Tensor, seeds: Tensor) -> tuple[Tensor, ...] | None:
    """Call an answer with a `train` that looks the accuracies up, and count how often it trains."""
    train = KnownLines(accuracies, seeds.tolist())
    result = answer(train, [(LINES[one], LINES[other]) for one, other in pairs.tolist()], seeds.tolist())
    if result is None or result is NotImplemented or result is ...:
        return result
    if not isinstance(result, tuple | list) or len(result) != len(NAMES):
        raise Unfit(f"The result must be a tuple of five, {', '.join(NAMES)}")
    tables = [torch.as_tensor(each, device=accuracies.device) for each in result]
    tables = [each if each.is_floating_point() else each.double() for each in tables]
    return *(torch.tensor(n).to(accuracies) for n in (train.other_seeds, train.calls)), *tables


def runs(seeds: int, effects: tuple[float, ...], pairs: tuple[tuple[int, int], ...], noise: float = 0.6):
    """Accuracies whose spread over seeds is mostly common to the lines, which is what pairing is for."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        lines = len(effects)
        luck = 65 + 4 * normal(generator, seeds)
        own = noise * normal(generator, lines, seeds)
        return {
            "accuracies": luck + torch.tensor(effects, dtype=torch.float64)[:, None] + own,
            "pairs": torch.tensor(pairs),
            "seeds": 100 + 37 * torch.randperm(seeds, generator=generator),
        }

    return make


def no_spread(generator: torch.Generator) -> dict[str, Tensor]:
    """The second line is 2.5 above the first with every seed, and the third is the first again."""
    base = runs(3, (0.0,), ((0, 0),))(generator)
    first = base["accuracies"].round()
    fourth = first + torch.tensor([[0.5, -1.0, 0.25]])
    return base | {
        "accuracies": torch.cat([first, first + 2.5, first, fourth]),
        "pairs": torch.tensor([[2, 0], [1, 0], [0, 1], [3, 0]]),
    }


FROM_A = ((1, 0), (2, 0), (3, 0), (4, 0))
CHAIN = ((5, 1), (6, 5), (7, 5), (8, 7), (1, 0))

TASK = Task(
    id="hybridnet.project",
    title="Project: which lines of the ablation are really better?",
    difficulty=5,
    minutes=75,
    points=5,
    function="compare_lines",
    takes={"accuracies": "(L, S)", "pairs": "(M, 2)", "seeds": "(S,)"},
    gives={
        "number of trainings with other seeds": "scalar",
        "number of trainings": "scalar",
        **dict.fromkeys(NAMES, "(M,)"),
    },
    written="compare_lines(train, pairs, seeds) -> gain (M,), low (M,), high (M,), p (M,), verdict (M,)",
    hints=(
        "First one pair alone: the differences of the same seed, and how far their mean is from 0. "
        "Then think of all pairs together. "
        "If nothing helped, how often would the smallest of M p-values still be below 5 %?",
        "d[s]  = accuracy of the first line with seed s - accuracy of the second,   n seeds, M pairs\n"
        "se    = standard deviation of d (with n - 1) / √n\n"
        "low, high = gain ± t(1 - 0.025 / M, n - 1) · se\n"
        "raw p = 2 · (1 - F(|gain| / se)),   F of Student's t with n - 1 degrees\n"
        "Holm: p of rank r (the smallest is r = 1) = largest of (M - k + 1) · raw p of rank k over k ≤ r, "
        "at most 1",
        "lines <- all lines that occur in pairs, each once\n"
        "a     <- train(line, seed) for each of them and each seed            # (lines, n), once each\n"
        "d     <- row of the first line minus row of the second, by pair      # (M, n)\n"
        "gain, se <- mean and standard error over the seeds                   # (M,)\n"
        "raw   <- 2 * stats.t.sf(|gain| / se, n - 1); where se is 0: 0 or 1   # (M,)\n"
        "largest <- 0\n"
        "for rank 0, 1, ... and the pair k that has this rank:\n"
        "  largest <- the larger of largest and (M - rank) * raw[k]\n"
        "  p[k]    <- the smaller of largest and 1\n"
        "verdict <- sign of gain where p < 0.05, else 0",
    ),
    oracle=oracle,
    use=use,
    tolerance=1e-4,
    may_use=("course_lib.grading.tasks.hybridnet.known_lines",),
    cases=(
        Case("5 seeds and 4 pairs", runs(5, (0.0, 3.0, 1.1, -1.28, 0.85), FROM_A)),
        Case("4 seeds and 5 pairs", runs(4, (0, 3.1, 0.9, 2.5, 3.7, 6.2, 5.9, 9.3, 9.4), CHAIN, 0.4)),
        Case("9 seeds and 3 pairs", runs(9, (0.0, -1.2, 0.45, -0.1), ((0, 1), (2, 0), (3, 0)), 0.7)),
        Case("3 seeds and 1 pair", runs(3, (0.0, 1.0, 4.0), ((2, 0),))),
        Case("differences that are the same with every seed", no_spread),
    ),
    misconceptions=MISCONCEPTIONS,
)
