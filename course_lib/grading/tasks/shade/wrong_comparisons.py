"""Wrong answers to shade.small_labels: ways to compare two methods that say too much, or something else."""

import numpy as np
import torch
from scipy import stats

from course_lib.grading.task import Misconception

METHODS = ("none", "shade", "varentropy")


def trained(train, labels, seeds, method, seed_of=lambda seed: seed):
    rows = [[train(method, n, seed_of(seed)) for seed in seeds] for n in labels]
    return torch.tensor(rows, dtype=torch.float64)


def compared(interval, seed_of=None):
    """An answer from what it makes of the two methods of a pair: gain, low, high and verdict."""

    def answer(train, labels, seeds):
        seed_of_ = seed_of or (lambda method, seed: seed)
        a = {m: trained(train, labels, seeds, m, lambda s, m=m: seed_of_(m, s)) for m in METHODS}
        pairs = [interval(a["shade"], a["none"]), interval(a["shade"], a["varentropy"])]
        return tuple(torch.stack(both, dim=1) for both in zip(*pairs))

    return answer


def judged(gain, half):
    low, high = gain - half, gain + half
    return gain, low, high, (low > 0).double() - (high < 0).double()


def half_of(values, level=0.975, df=None, unbiased=True, root=True):
    """Half the interval of a mean; each argument is one thing to get wrong."""
    n = values.shape[-1]
    t = stats.t.ppf(level, n - 1 if df is None else df(n))
    return t * values.std(-1, unbiased=unbiased) / (n**0.5 if root else 1)


def paired(a, b, **wrong):
    return judged((a - b).mean(-1), half_of(a - b, **wrong))


def normal_interval(a, b):
    d = a - b
    return judged(d.mean(-1), stats.norm.ppf(0.975) * d.std(-1) / d.shape[-1] ** 0.5)


def pooled(a, b):
    n = a.shape[-1]
    spread = ((a.var(-1) + b.var(-1)) / n).sqrt()
    return judged((a - b).mean(-1), stats.t.ppf(0.975, 2 * n - 2) * spread)


def welch(a, b):
    n = a.shape[-1]
    va, vb = a.var(-1) / n, b.var(-1) / n
    df = (va + vb) ** 2 / ((va**2 + vb**2) / (n - 1))
    t = torch.from_numpy(stats.t.ppf(0.975, df.numpy()))
    return judged((a - b).mean(-1), t * (va + vb).sqrt())


def two_intervals(a, b):
    """Right but for the verdict, which asks whether the intervals of the two methods overlap."""
    gain, low, high, _ = paired(a, b)
    apart = gain.abs() > half_of(a) + half_of(b)
    return gain, low, high, gain.sign() * apart


def by_the_mean(a, b):
    gain, low, high, _ = paired(a, b)
    return gain, low, high, gain.sign()


def without_sign(a, b):
    gain, low, high, verdict = paired(a, b)
    return gain, low, high, verdict.abs()


def ends_counted(a, b):
    gain, low, high, _ = paired(a, b)
    return gain, low, high, (low >= 0).double() - (high <= 0).double() * (low < 0)


def relative(a, b):
    share = 100 * (a - b) / b
    return judged(share.mean(-1), half_of(share))


def scipys_interval(a, b):
    gain = (a - b).mean(-1)
    spread = stats.sem((a - b).numpy(), axis=-1)
    with np.errstate(invalid="ignore"):
        low, high = stats.t.interval(0.95, a.shape[-1] - 1, loc=gain.numpy(), scale=spread)
    low, high = torch.from_numpy(low), torch.from_numpy(high)
    return gain, low, high, (low > 0).double() - (high < 0).double()


def both_over_none(train, labels, seeds):
    none, shade, varentropy = (trained(train, labels, seeds, m) for m in METHODS)
    pairs = [paired(shade, none), paired(varentropy, none)]
    return tuple(torch.stack(both, dim=1) for both in zip(*pairs))


def second_reversed(train, labels, seeds):
    none, shade, varentropy = (trained(train, labels, seeds, m) for m in METHODS)
    pairs = [paired(shade, none), paired(varentropy, shade)]
    return tuple(torch.stack(both, dim=1) for both in zip(*pairs))


def shade_twice(train, labels, seeds):
    trained(train, labels, seeds, "shade")
    return compared(paired)(train, labels, seeds)


def in_rows(train, labels, seeds):
    return tuple(table.T for table in compared(paired)(train, labels, seeds))


def columns_swapped(train, labels, seeds):
    return tuple(table.flip(1) for table in compared(paired)(train, labels, seeds))


MISCONCEPTIONS = (
    Misconception(
        "unpaired, one variance",
        compared(pooled),
        "This interval takes the two methods for independent, with the variances of both. "
        "They share seeds: take the differences first, then the interval of their mean.",
    ),
    Misconception(
        "unpaired, Welch",
        compared(welch),
        "This is Welch's interval, for runs that have nothing in common. "
        "Runs with the same seed are pairs: work with their differences.",
    ),
    Misconception(
        "normal instead of t",
        compared(normal_interval),
        "1.96 belongs to a spread that is known exactly. "
        "Yours is estimated from a few seeds: take Student's t with n - 1 degrees.",
    ),
    Misconception(
        "spread of single runs",
        compared(lambda a, b: paired(a, b, root=False)),
        "This is the range of single differences. "
        "The mean of n of them varies less: divide the standard deviation by the root of n.",
    ),
    Misconception(
        "standard deviation with n",
        compared(lambda a, b: paired(a, b, unbiased=False)),
        "The squares are divided by n, which makes the spread of few seeds look too small. Divide by n - 1.",
    ),
    Misconception(
        "n degrees",
        compared(lambda a, b: paired(a, b, df=lambda n: n)),
        "Student's t is taken with n degrees. One is used up by the mean: take n - 1.",
    ),
    Misconception(
        "5 % on each side",
        compared(lambda a, b: paired(a, b, level=0.95)),
        "With t at 0.95 there are 5 % left on each side, so this is an interval at 90 %. "
        "For 95 % take t at 0.975.",
    ),
    Misconception(
        "t at 0.05",
        compared(lambda a, b: paired(a, b, level=0.025)),
        "The lower end is above the upper one: t at 0.025 is negative. Take it at 0.975.",
    ),
    Misconception(
        "best seed",
        compared(lambda a, b: judged(a.amax(-1) - b.amax(-1), half_of(a - b))),
        "The gain compares the best run of each method, and luck decides which that is. "
        "Take the mean over all seeds.",
    ),
    Misconception(
        "median",
        compared(lambda a, b: judged((a - b).median(-1).values, half_of(a - b))),
        "The gain is the median of the differences. The interval belongs to their mean: use it for both.",
    ),
    Misconception(
        "relative gain",
        compared(relative),
        "The differences are divided by the accuracy. Points of accuracy are asked for: subtract only.",
    ),
    Misconception(
        "signs reversed",
        compared(lambda a, b: paired(b, a)),
        "The signs are reversed: it is the accuracy of shade minus that of the other method.",
    ),
    Misconception(
        "second sign reversed",
        second_reversed,
        "The second comparison is reversed: it is shade minus varentropy, as the first is shade minus none.",
    ),
    Misconception(
        "both over none",
        both_over_none,
        "The second column compares varentropy with none. Compare shade with varentropy: "
        "that one beats the baseline and the other does too says nothing about which of them is better.",
    ),
    Misconception(
        "columns swapped",
        columns_swapped,
        "The two comparisons are swapped. The first column is over none, the second over varentropy.",
    ),
    Misconception(
        "labels in columns",
        in_rows,
        "The tables are transposed: a row for each number of labels, a column for each comparison.",
    ),
    Misconception(
        "verdict by the mean",
        compared(by_the_mean),
        "The verdict looks at the mean alone, which is never exactly 0. "
        "Where the interval holds 0 the seeds do not decide, and the verdict is 0.",
    ),
    Misconception(
        "verdict by two intervals",
        compared(two_intervals),
        "The verdict asks whether the intervals of the two methods overlap, "
        "which is far too strict for pairs. Ask whether the interval of the difference holds 0.",
    ),
    Misconception(
        "verdict without a sign",
        compared(without_sign),
        "The verdict says that there is a difference, but not which way. Where high is below 0 it is -1.",
    ),
    Misconception(
        "0 at the end counts",
        compared(ends_counted),
        "An interval that ends in 0 holds 0 still. Better is low > 0, and worse is high < 0.",
    ),
    Misconception(
        "no interval without spread",
        compared(scipys_interval),
        "Where all differences are equal, scipy's t.interval gives nan. "
        "Compute gain - half and gain + half yourself: half is 0 there.",
    ),
    Misconception(
        "seeds of their own",
        compared(paired, seed_of=lambda method, seed: seed + 1000 * METHODS.index(method)),
        "The methods are trained with different seeds, so their differences hold the luck of both. "
        "Train all three with the same seed.",
    ),
    Misconception(
        "a new seed each time",
        compared(paired, seed_of=lambda method, seed: -1),
        "None of the given seeds is used. Hand each of them to train, for every method.",
    ),
    Misconception(
        "shade trained twice",
        shade_twice,
        "The trainings of shade are done once for each comparison. "
        "Training is what takes the time: keep the accuracies and use them twice.",
    ),
)
