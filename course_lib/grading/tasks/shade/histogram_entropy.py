"""shade.histogram_entropy: the entropy of a unit from a histogram, to hold against Eq. 2.19 (Robert 2019)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Misconception, Task


def oracle(h: Tensor, bins: int = 30) -> Tensor:
    """-Σ p ln(p / width) over the bins between the smallest and the largest value, counted one by one."""
    values = h.tolist()
    low, high = min(values), max(values)
    width = (high - low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    entropy = 0.0
    for count in counts:
        if count > 0:
            mass = count / len(values)
            entropy -= mass * math.log(mass / width)
    return torch.tensor(entropy, dtype=torch.float64, device=h.device)


def values(count: int, bins: int, low: float, high: float, *, say_bins: bool = True):
    """Values from low to high, in bins near the middle more often, and none near an inner edge."""

    def make(generator: torch.Generator) -> dict[str, Tensor | int]:
        place = ((0.5 + 0.17 * normal(generator, count)) * bins).floor().clamp(0, bins - 1)
        h = low + (high - low) * (place + 0.1 + 0.8 * uniform(generator, count)) / bins
        h[0], h[-1] = high, low
        return {"h": h, "bins": bins} if say_bins else {"h": h}

    return make


def histogram(h: Tensor, bins: int, low: Tensor | float, high: Tensor | float) -> tuple[Tensor, Tensor]:
    """Counts of the values between low and high, and the width of a bin."""
    counts = torch.histc(h, bins, float(low), float(high))
    return counts, torch.as_tensor((high - low) / bins, dtype=h.dtype)


def plug_in(counts: Tensor, width: Tensor | float) -> Tensor:
    """The entropy of counts, whatever they add up to."""
    mass = counts / counts.sum()
    return -torch.xlogy(mass, mass / width).sum()


def wrong(of: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A wrong answer from the right masses and the right width."""

    def answer(h: Tensor, bins: int = 30) -> Tensor:
        counts, width = histogram(h, bins, h.min(), h.max())
        return of(counts / len(h), width)

    return answer


def between(low: float, high: float) -> Callable[..., Tensor]:
    """A wrong answer whose bins have a range of their own."""
    return lambda h, bins=30: plug_in(*histogram(h, bins, low, high))


def right(h: Tensor, bins: int = 30) -> Tensor:
    return wrong(lambda p, width: plug_in(p, width))(h, bins)


def in_counts(h: Tensor, bins: int = 30) -> Tensor:
    counts, width = histogram(h, bins, h.min(), h.max())
    return -torch.xlogy(counts, counts / width).sum()


def without_the_largest(h: Tensor, bins: int = 30) -> Tensor:
    place = ((h - h.min()) / (h.max() - h.min()) * bins).floor()
    mass = torch.stack([(place == i).sum() for i in range(bins)]) / len(h)
    return -torch.xlogy(mass, mass / ((h.max() - h.min()) / bins)).sum()


def around_the_middle(h: Tensor, bins: int = 30) -> Tensor:
    most = h.abs().max()
    return plug_in(*histogram(h, bins, -most, most))


def one_more_to_each_bin(h: Tensor, bins: int = 30) -> Tensor:
    counts, width = histogram(h, bins, h.min(), h.max())
    return plug_in(counts + 1, width)


def sorts_h(h: Tensor, bins: int = 30) -> Tensor:
    h.copy_(h.sort().values)
    return right(h, bins)


TASK = Task(
    id="shade.histogram_entropy",
    title="The entropy of a unit, from a histogram",
    difficulty=2,
    minutes=20,
    points=2,
    function="histogram_entropy",
    takes={"h": "(K,)", "bins": "int = 30"},
    gives={"entropy": "()"},
    hints=(
        "A histogram is a density that is flat inside each bin. "
        "How high is it there, if the bin holds a share p of the values?",
        "width = (max - min) / bins,   p_i = count_i / K\n"
        "entropy = -Σ p_i ln(p_i / width)   over the bins that are not empty",
        "counts  <- how many values each of the equal bins between min and max holds   # (bins,)\n"
        "p       <- counts / K\n"
        "p       <- p without the bins where it is 0\n"
        "density <- p / width\n"
        "return minus the sum of p times ln density",
    ),
    oracle=oracle,
    tolerance=1e-4,
    cases=(
        Case("40 values in 6 bins", values(40, 6, -1.4, 2.8)),
        Case("25 values and the default of 30 bins", values(25, 30, -0.7, 3.1, say_bins=False)),
        Case("200 values and the default of 30 bins", values(200, 30, -5.2, 4.1, say_bins=False)),
        Case("9 values in 4 bins", values(9, 4, 0.2, 1.9)),
        Case("values close together", values(30, 5, -0.011, 0.013)),
        Case("a single bin", values(6, 1, -2.0, 3.5)),
        Case("60 values in 8 bins in float32", values(60, 8, -2.3, 1.1), dtype=torch.float32),
    ),
    large=Case("2000 values in 50 bins", values(2000, 50, -3.0, 4.0)),
    misconceptions=(
        Misconception(
            "no width",
            wrong(lambda p, width: -torch.xlogy(p, p).sum()),
            "This is the entropy of the bin a value falls in, which grows without end as bins get finer. "
            "Divide p by the width inside the logarithm, which makes it a density.",
        ),
        Misconception(
            "sign",
            wrong(lambda p, width: torch.xlogy(p, p / width).sum()),
            "The sign is turned round: an entropy is minus the sum.",
        ),
        Misconception(
            "log2",
            wrong(lambda p, width: plug_in(p, width) / math.log(2)),
            "The logarithm has base 2, so this is in bits. Use the natural one.",
        ),
        Misconception(
            "log10",
            wrong(lambda p, width: plug_in(p, width) / math.log(10)),
            "The logarithm has base 10. Use the natural one.",
        ),
        Misconception(
            "density for mass",
            wrong(lambda p, width: -torch.xlogy(p / width, p / width).sum()),
            "The density stands before the logarithm too. "
            "There belongs the share p of the bin; an integral of the density needs the width of its steps.",
        ),
        Misconception(
            "empty bins",
            wrong(lambda p, width: -(p * (p / width).log()).sum()),
            "An empty bin gives 0 · ln 0, which is not a number here. It counts 0: leave such bins out.",
        ),
        Misconception(
            "times the width",
            wrong(lambda p, width: -torch.xlogy(p, p * width).sum()),
            "Inside the logarithm p is multiplied by the width. The density is p divided by the width.",
        ),
        Misconception(
            "mean over the bins",
            wrong(lambda p, width: -torch.xlogy(p, p / width).mean()),
            "The terms are averaged over the bins. Add them up: p weights them already.",
        ),
        Misconception(
            "counts not divided by K",
            in_counts,
            "The counts are used as they are. Divide them by K, so that they are shares and add up to 1.",
        ),
        Misconception(
            "width of a range of 1",
            wrong(lambda p, width: -torch.xlogy(p, p * len(p)).sum()),
            "The width is taken as 1 / bins, as if the values went from 0 to 1. It is (max - min) / bins.",
        ),
        Misconception(
            "range for width",
            wrong(lambda p, width: -torch.xlogy(p, p / (width * len(p))).sum()),
            "p is divided by the whole range. Divide it by the width of one bin.",
        ),
        Misconception(
            "from -1 to 1",
            between(-1.0, 1.0),
            "The bins go from -1 to 1 whatever the values are. "
            "Let them go from the smallest value to the largest.",
        ),
        Misconception(
            "from 0 to 1",
            between(0.0, 1.0),
            "The bins go from 0 to 1 whatever the values are. "
            "Put the first edge at the minimum and the last at the maximum.",
        ),
        Misconception(
            "as far to both sides",
            around_the_middle,
            "The bins reach as far below 0 as above it. "
            "Start them at the minimum and end them at the maximum.",
        ),
        Misconception(
            "always 30 bins",
            lambda h, bins=30: right(h),
            "There are 30 bins whatever is asked for. Use the argument bins.",
        ),
        Misconception(
            "default of 10",
            lambda h, bins=10: right(h, bins),
            "If bins is not given, you make 10 of them. The default is 30: `bins=30` in the first line.",
        ),
        Misconception(
            "edges for bins",
            lambda h, bins=30: right(h, max(bins - 1, 1)),
            "There is one bin too few. Between n edges lie n - 1 bins, so make bins + 1 edges.",
        ),
        Misconception(
            "the largest value left out",
            without_the_largest,
            "The largest value is in no bin, because it lies on the last edge. Count it in the last bin.",
        ),
        Misconception(
            "one more in each bin",
            one_more_to_each_bin,
            "Each bin holds one value more than there are. Leave empty bins empty: they count 0.",
        ),
        Misconception(
            "Gaussian bound",
            lambda h, bins=30: (2 * math.pi * math.e * h.var(correction=0)).log() / 2,
            "This is the bound from the variance, which takes the values for Gaussian. "
            "Count them in bins instead.",
        ),
        Misconception(
            "one number for each bin",
            wrong(lambda p, width: -torch.xlogy(p, p / width)),
            "The terms of the bins are not added up yet.",
        ),
        Misconception(
            "sorts h",
            sorts_h,
            "Write `h = h.sort().values`, or leave the order: h.sort_() and `h[…] = …` change it for others.",
        ),
    ),
)
