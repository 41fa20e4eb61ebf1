"""Wrong answers to hybridnet.project: a right one in pieces, and each wrong one replaces a piece or two."""

import numpy as np
from scipy import stats

from course_lib.grading.task import Misconception


def accuracies(train, pairs, seeds):
    """Of every line that a pair names, once each."""
    lines = sorted({line for pair in pairs for line in pair})
    return {line: np.array([train(line, seed) for seed in seeds]) for line in lines}


def error_of(d, ddof=1):
    return d.std(-1, ddof=ddof) / d.shape[-1] ** 0.5


def raw_p(d, gain, error, df=None, sides=2):
    """Of Student's t; 0 or 1 where the differences have no spread."""
    known = error > 0
    t = np.abs(gain) / np.where(known, error, 1.0)
    p = sides * stats.t.sf(t, d.shape[-1] - 1 if df is None else df)
    return np.where(known, p, np.where(gain == 0, 1.0, 0.0))


def half_width(d, error, m, level=None):
    return stats.t.ppf(1 - 0.025 / m if level is None else level, d.shape[-1] - 1) * error


def holm(p, factor=None, monotone=True, capped=True):
    m, order = len(p), np.argsort(p, kind="stable")
    factors = np.arange(m, 0, -1) if factor is None else factor(m)
    adjusted = factors * p[order]
    if monotone:
        adjusted = np.maximum.accumulate(adjusted)
    if capped:
        adjusted = np.minimum(adjusted, 1.0)
    result = np.empty(m)
    result[order] = adjusted
    return result


def by_p(gain, low, high, raw, p):
    return np.sign(gain) * (p < 0.05)


def comparing(
    known=accuracies,
    difference=lambda a, b: a - b,
    error=error_of,
    half=half_width,
    raw=raw_p,
    adjust=holm,
    verdict=by_p,
    middle=lambda d: d.mean(-1),
):
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(train, pairs, seeds):
        a = known(train, pairs, seeds)
        d = np.stack([difference(a[one], a[other]) for one, other in pairs])
        gain, spread, m = middle(d), error(d), len(pairs)
        width = half(d, spread, m)
        low, high = gain - width, gain + width
        p = raw(d, gain, spread)
        adjusted = adjust(p)
        return gain, low, high, adjusted, verdict(gain, low, high, p, adjusted)

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def unpaired(train, pairs, seeds):
    a, m, n = accuracies(train, pairs, seeds), len(pairs), len(seeds)
    both = [(a[one], a[other]) for one, other in pairs]
    gain = np.array([x.mean() - y.mean() for x, y in both])
    error = np.array([((x.var(ddof=1) + y.var(ddof=1)) / n) ** 0.5 for x, y in both])
    half = stats.t.ppf(1 - 0.025 / m, 2 * n - 2) * error
    p = holm(2 * stats.t.sf(np.abs(gain) / error, 2 * n - 2))
    return gain, gain - half, gain + half, p, np.sign(gain) * (p < 0.05)


def for_each_pair(train, pairs, seeds):
    known = {}
    for pair in pairs:
        known |= accuracies(train, [pair], seeds)
    return known


def every_line(train, pairs, seeds):
    known = accuracies(train, pairs, seeds)
    for line in train.lines:
        if line not in known:
            known[line] = np.array([train(line, seed) for seed in seeds])
    return known


def new_seeds(train, pairs, seeds):
    lines = sorted({line for pair in pairs for line in pair})
    return {line: np.array([train(line, -1) for _ in seeds]) for line in lines}


def scipys_p(d, gain, error):
    with np.errstate(invalid="ignore", divide="ignore"):
        return stats.t.sf(np.abs(gain) / error, d.shape[-1] - 1) * 2


def benjamini_hochberg(p):
    m, order = len(p), np.argsort(p, kind="stable")
    adjusted = np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1]
    result = np.empty(m)
    result[order] = np.minimum(adjusted, 1.0)
    return result


def holm_sidak(p):
    m, order = len(p), np.argsort(p, kind="stable")
    result = np.empty(m)
    result[order] = np.maximum.accumulate(1 - (1 - p[order]) ** np.arange(m, 0, -1))
    return result


def in_the_order_of_p(p):
    return np.sort(holm(p))


MISCONCEPTIONS = (
    Misconception(
        "unpaired",
        unpaired,
        "The two lines are compared as if they had nothing in common, with the variances of both. "
        "They share seeds: take the difference of each seed first.",
    ),
    Misconception(
        "no correction",
        comparing(adjust=lambda p: p),
        "These are the p-values of each pair alone. With several pairs one of them is small by luck: "
        "correct them with Holm's steps.",
    ),
    Misconception(
        "Bonferroni",
        comparing(adjust=lambda p: np.minimum(len(p) * p, 1.0)),
        "Every p-value is multiplied by M, which is Bonferroni. "
        "Holm multiplies the smallest by M, the next by M - 1, and so on.",
    ),
    Misconception(
        "Benjamini-Hochberg",
        comparing(adjust=benjamini_hochberg),
        "This is Benjamini and Hochberg's correction. It bounds the share of false findings among the "
        "findings, and not the chance of a single one. Use Holm's steps.",
    ),
    Misconception(
        "powers instead of factors",
        comparing(adjust=holm_sidak),
        "You take 1 - (1 - p)^k, Šidák's form, which needs independent pairs. "
        "Pairs that share a line are not: multiply p by k.",
    ),
    Misconception(
        "not monotone",
        comparing(adjust=lambda p: holm(p, monotone=False)),
        "A pair with a larger raw p-value has got a smaller corrected one. "
        "Along the ranks, none may fall below the one before it: keep the largest so far.",
    ),
    Misconception(
        "more than 1",
        comparing(adjust=lambda p: holm(p, capped=False)),
        "A corrected p-value is larger than 1. It is a bound on a probability: stop at 1.",
    ),
    Misconception(
        "factors in the wrong order",
        comparing(adjust=lambda p: holm(p, factor=lambda m: np.arange(1, m + 1))),
        "The smallest p-value is multiplied by 1 and the largest by M. "
        "It is the other way round: the smallest has to stand up to all M.",
    ),
    Misconception(
        "one factor too low",
        comparing(adjust=lambda p: holm(p, factor=lambda m: np.maximum(np.arange(m, 0, -1) - 1, 1))),
        "Each factor is one too low: with M pairs the smallest p-value is multiplied by M, the largest by 1.",
    ),
    Misconception(
        "in the order of p",
        comparing(adjust=in_the_order_of_p),
        "The corrected p-values are sorted. Put each back where its pair stands.",
    ),
    Misconception(
        "one side",
        comparing(raw=lambda d, g, e: raw_p(d, g, e, sides=1)),
        "This is the p-value of one side. A line may also be worse: count both sides, that is twice as much.",
    ),
    Misconception(
        "normal p-values",
        comparing(raw=lambda d, g, e: raw_p(d, g, e, df=1e9)),
        "The p-values are those of a normal distribution. "
        "The spread is estimated from a few seeds: use Student's t with n - 1 degrees.",
    ),
    Misconception(
        "n degrees",
        comparing(raw=lambda d, g, e: raw_p(d, g, e, df=d.shape[-1])),
        "The p-values are those of Student's t with n degrees. One is used up by the mean: take n - 1.",
    ),
    Misconception(
        "no spread, no p",
        comparing(raw=scipys_p),
        "Where the differences are all 0 the quotient is 0 / 0, and p becomes nan. "
        "Without any spread, p is 1 if the gain is 0, and else 0.",
    ),
    Misconception(
        "standard deviation with n",
        comparing(error=lambda d: error_of(d, ddof=0)),
        "The squares are divided by n, which makes the spread of few seeds look too small. Divide by n - 1.",
    ),
    Misconception(
        "spread of single runs",
        comparing(error=lambda d: d.std(-1, ddof=1)),
        "You use the spread of single differences. "
        "The mean of n of them varies less: divide the standard deviation by the root of n.",
    ),
    Misconception(
        "intervals of one pair",
        comparing(half=lambda d, e, m: half_width(d, e, m, level=0.975)),
        "Each interval holds its own gain in 95 of 100 cases, but not all of them together. "
        "Take t at 1 - 0.025 / M.",
    ),
    Misconception(
        "5 % on each side",
        comparing(half=lambda d, e, m: half_width(d, e, m, level=1 - 0.05 / m)),
        "With t at 1 - 0.05 / M twice as much is left outside as should be. "
        "The 5 % are for both sides: take t at 1 - 0.025 / M.",
    ),
    Misconception(
        "median",
        comparing(middle=lambda d: np.median(d, axis=-1)),
        "The gain is the median of the differences. Interval and p-value belong to their mean: use it.",
    ),
    Misconception(
        "relative gain",
        comparing(difference=lambda a, b: 100 * (a - b) / b),
        "The differences are divided by the accuracy. Points of accuracy are asked for: subtract only.",
    ),
    Misconception(
        "signs reversed",
        comparing(difference=lambda a, b: b - a),
        "The signs are reversed: a pair (one, other) asks for the accuracy of one minus that of other.",
    ),
    Misconception(
        "verdict by raw p",
        comparing(verdict=lambda gain, low, high, raw, p: np.sign(gain) * (raw < 0.05)),
        "The verdict looks at the p-value before the correction. Compare the corrected one with 0.05.",
    ),
    Misconception(
        "verdict by the interval",
        comparing(verdict=lambda gain, low, high, raw, p: 1.0 * (low > 0) - (high < 0)),
        "The verdict asks whether the interval holds 0. The intervals follow Bonferroni, which finds less "
        "than Holm: ask whether p is below 0.05.",
    ),
    Misconception(
        "verdict by the mean",
        comparing(verdict=lambda gain, low, high, raw, p: np.sign(gain)),
        "The verdict looks at the sign of the gain alone. "
        "Where p is 0.05 or more the seeds do not decide, and the verdict is 0.",
    ),
    Misconception(
        "verdict without a sign",
        comparing(verdict=lambda gain, low, high, raw, p: 1.0 * (p < 0.05)),
        "The verdict says that there is a difference, but not which way. Where the gain is negative it is "
        "-1.",
    ),
    Misconception(
        "trained for each pair",
        comparing(known=for_each_pair),
        "A line that stands in several pairs is trained for each of them. "
        "Training is what takes the time: keep the accuracies.",
    ),
    Misconception(
        "lines that nobody asked for",
        comparing(known=every_line),
        "You train lines that stand in no pair. Train only what is compared.",
    ),
    Misconception(
        "a new seed each time",
        comparing(known=new_seeds),
        "None of the given seeds is used. Hand each of them to train, for every line.",
    ),
)
