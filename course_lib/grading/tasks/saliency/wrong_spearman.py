"""Wrong answers to saliency.spearman: a right one in pieces, and each wrong one replaces a piece."""

import warnings

import torch
from scipy import stats
from torch import Tensor

from course_lib.grading.task import Misconception


def below_and_equal(v: Tensor) -> tuple[Tensor, Tensor]:
    """For each value of (B, n) how many of its map are smaller, and how many are equal."""
    mine, others = v[:, :, None], v[:, None, :]
    return (others < mine).sum(2).double(), (others == mine).sum(2).double()


def average_ranks(v: Tensor) -> Tensor:
    below, equal = below_and_equal(v)
    return below + (equal + 1) / 2


def dense_ranks(v: Tensor) -> Tensor:
    return torch.stack([row.unique(return_inverse=True)[1].double() for row in v])


def pearson(p: Tensor, q: Tensor) -> Tensor:
    p, q = p - p.mean(1, keepdim=True), q - q.mean(1, keepdim=True)
    return (p * q).sum(1) / ((p * p).sum(1) * (q * q).sum(1)).sqrt()


def correlating(
    ranks=average_ranks, compared=pearson, given=lambda a, b: (a, b), final=lambda rho: rho, lines=None
):
    """An answer from its pieces; each argument is one thing to get wrong."""
    lines = lines or (lambda a, b: (a.flatten(1), b.flatten(1)))

    def answer(a: Tensor, b: Tensor) -> Tensor:
        p, q = (ranks(each) for each in lines(*given(a, b)))
        return final(compared(p, q))

    return answer


def formula_without_ties(p: Tensor, q: Tensor) -> Tensor:
    n = p.shape[1]
    return 1 - 6 * (p - q).square().sum(1) / (n * (n * n - 1))


def mixed_divisors(p: Tensor, q: Tensor) -> Tensor:
    together = ((p - p.mean(1, keepdim=True)) * (q - q.mean(1, keepdim=True))).mean(1)
    return together / (p.std(1) * q.std(1))


def covariance(p: Tensor, q: Tensor) -> Tensor:
    return ((p - p.mean(1, keepdim=True)) * (q - q.mean(1, keepdim=True))).mean(1)


def row_by_row(a: Tensor, b: Tensor) -> Tensor:
    by_row = pearson(average_ranks(a.flatten(0, 2)), average_ranks(b.flatten(0, 2)))
    return by_row.reshape(len(a), -1).mean(1)


def with_scipy(look):
    """What a function of SciPy says of each pair; ``look`` picks from its result."""

    def answer(a: Tensor, b: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy warns of constant maps
            found = [
                look(one.flatten().cpu().numpy(), other.flatten().cpu().numpy()) for one, other in zip(a, b)
            ]
        return torch.tensor(found, dtype=torch.float64, device=a.device)

    return answer


def ranked_together(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return tuple(average_ranks(each.reshape(1, -1)).reshape(len(each), -1) for each in (a, b))


def only_where_neither_is_0(a: Tensor, b: Tensor) -> Tensor:
    found = []
    for one, other in zip(a.flatten(1), b.flatten(1)):
        kept = (one != 0) & (other != 0)
        found.append(correlating()(one[kept][None], other[kept][None]))
    return torch.cat(found)


def writes_into_a(a: Tensor, b: Tensor) -> Tensor:
    rho = correlating()(a, b)
    a -= a.mean((1, 2, 3), keepdim=True)
    return rho


MISCONCEPTIONS = (
    Misconception(
        "values instead of ranks",
        correlating(ranks=lambda v: v),
        "This is Pearson's correlation of the values, which a few large ones decide. "
        "Replace each value by its rank in its map first.",
    ),
    Misconception(
        "ties by position",
        correlating(ranks=lambda v: v.argsort(dim=1, stable=True).argsort(1).double()),
        "Equal values get different ranks, by where they stand. "
        "Two maps that are 0 in many places then seem to agree there. "
        "Give equal values the mean of their ranks.",
    ),
    Misconception(
        "ties get the lowest rank",
        correlating(ranks=lambda v: below_and_equal(v)[0]),
        "Equal values get the lowest of their ranks. Give them the mean of these: "
        "half of their number goes on top.",
    ),
    Misconception(
        "ties get the highest rank",
        correlating(ranks=lambda v: sum(below_and_equal(v))),
        "Equal values get the highest of their ranks. Give them the mean of the ranks that they take up.",
    ),
    Misconception(
        "dense ranks",
        correlating(ranks=dense_ranks),
        "The ranks count different values, so a thousand zeros weigh no more than one. "
        "Equal values take up as many ranks as there are of them, and share the mean.",
    ),
    Misconception(
        "formula for no ties",
        correlating(compared=formula_without_ties),
        "1 - 6 Σ d² / (n (n² - 1)) holds only where no two values are equal. "
        "Take Pearson's correlation of the ranks, which holds with ties too.",
    ),
    Misconception(
        "sorted once",
        correlating(ranks=lambda v: v.argsort(dim=1, stable=True).double()),
        "argsort says which place comes at rank r, not which rank a place has. "
        "Sort a second time, or count for each value how many are smaller.",
    ),
    Misconception(
        "magnitudes",
        correlating(given=lambda a, b: (a.abs(), b.abs())),
        "The sign of the maps is taken away before they are ranked. "
        "A negative place counts against the class: it belongs below 0, so leave the signs.",
    ),
    Misconception(
        "size of the correlation",
        correlating(final=lambda rho: rho.abs()),
        "The sign of the correlation is gone. Maps that are opposite give -1, which says something else "
        "than 1.",
    ),
    Misconception(
        "squared",
        correlating(final=lambda rho: rho.square()),
        "This is the square of the correlation. Return the correlation itself, with its sign.",
    ),
    Misconception(
        "a constant map counts 0",
        correlating(final=lambda rho: rho.nan_to_num(nan=0.0)),
        "A constant map gives 0, as if it had been compared and found unrelated. "
        "It has no order, so there is nothing to compare: let it be NaN.",
    ),
    Misconception(
        "a constant map counts 1",
        correlating(final=lambda rho: rho.nan_to_num(nan=1.0)),
        "A constant map gives 1, as if it agreed. It has no order, so let the correlation be NaN.",
    ),
    Misconception(
        "ranked over the batch",
        correlating(lines=ranked_together, ranks=lambda v: v),
        "The values of all maps are ranked together, so a result depends on the other pairs of the batch. "
        "Rank each map by itself.",
    ),
    Misconception(
        "one number for the batch",
        correlating(final=lambda rho: rho.nanmean()),
        "There is one number for the whole batch. Return one correlation for each pair of maps.",
    ),
    Misconception(
        "row by row",
        row_by_row,
        "Each row of the maps is ranked and compared by itself. "
        "Flatten a map first: all its places are ranked together.",
    ),
    Misconception(
        "rows against columns",
        correlating(lines=lambda a, b: (a.flatten(1), b.mT.flatten(1))),
        "One map is read along its rows and the other along its columns. Flatten both in the same order.",
    ),
    Misconception(
        "one order turned round",
        correlating(final=lambda rho: -rho),
        "The sign is wrong: one map is ranked from the top and the other from the bottom. "
        "Rank both the same way.",
    ),
    Misconception(
        "ranks not centred",
        correlating(compared=lambda p, q: torch.cosine_similarity(p, q, dim=1)),
        "This is the cosine of the ranks, which is never negative. Take the mean away from the ranks first.",
    ),
    Misconception(
        "covariance",
        correlating(compared=covariance),
        "This is the covariance of the ranks. Divide it by both standard deviations.",
    ),
    Misconception(
        "n and n - 1 mixed",
        correlating(compared=mixed_divisors),
        "The products are averaged over n and the squares over n - 1, as torch.std does. "
        "Then a map does not even agree with itself: use the same divisor in both, or sums.",
    ),
    Misconception(
        "Kendall",
        with_scipy(lambda one, other: stats.kendalltau(one, other).statistic),
        "This is Kendall's tau, which counts pairs of places in the same order. "
        "Spearman's correlates the ranks.",
    ),
    Misconception(
        "p-value",
        with_scipy(lambda one, other: stats.spearmanr(one, other).pvalue),
        "This is the p-value, which says how surely the correlation differs from 0 and not how large it is. "
        "Return the coefficient.",
    ),
    Misconception(
        "zeros left out",
        only_where_neither_is_0,
        "Places where a map is 0 are left out. They have a rank like all others: a shared one.",
    ),
    Misconception(
        "writes into a",
        writes_into_a,
        "Write `p = a - a.mean()` where you write `a -= a.mean()`: the maps belong to whoever called.",
    ),
)
