"""The task hybridnet.project: honest comparisons pass, and each slip gets its own message."""

import math
import statistics

import numpy as np
import pytest
import torch
from scipy import stats

from course_lib.grading.tasks.hybridnet.known_lines import KnownLines
from course_lib.grading.tasks.hybridnet.project import TASK, oracle, runs
from course_lib.grading.tasks.hybridnet.wrong_projects import comparing
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def with_tensors(train, pairs, seeds):
    lines = sorted({line for pair in pairs for line in pair})
    a = torch.tensor([[train(line, seed) for seed in seeds] for line in lines], dtype=torch.float64)
    first, second = ([lines.index(pair[i]) for pair in pairs] for i in (0, 1))
    d, n, m = a[first] - a[second], len(seeds), len(pairs)
    gain, error = d.mean(1), d.std(1) / math.sqrt(n)
    raw = torch.from_numpy(np.asarray(2 * stats.t.cdf(-(gain.abs() / error).numpy(), n - 1)))
    raw = raw.nan_to_num(nan=1.0)
    order = raw.argsort()
    steps = (raw[order] * torch.arange(m, 0, -1)).cummax(0).values.clamp(max=1)
    p = torch.empty_like(raw).scatter(0, order, steps)
    half = stats.t.isf(0.025 / m, n - 1) * error
    return gain, gain - half, gain + half, p, torch.where(p < 0.05, gain.sign(), 0)


def loops(train, pairs, seeds, level=0.95):
    cache = {}

    def accuracy(line, seed):
        if (line, seed) not in cache:
            cache[line, seed] = train(line=line, seed=seed)
        return cache[line, seed]

    found = []
    for one, other in pairs:
        d = [accuracy(one, seed) - accuracy(other, seed) for seed in seeds]
        mean, spread = statistics.mean(d), statistics.stdev(d)
        if spread == 0:
            found.append((mean, 0.0, float(mean == 0)))
            continue
        error = spread / len(d) ** 0.5
        found.append((mean, error, 2 * (1 - stats.t(len(d) - 1).cdf(abs(mean) / error))))
    t = stats.t.ppf(1 - (1 - level) / 2 / len(pairs), len(seeds) - 1)
    ranks = sorted(range(len(pairs)), key=lambda k: found[k][2])
    p, so_far = {}, 0.0
    for place, k in enumerate(ranks):
        so_far = p[k] = min(1.0, max(so_far, found[k][2] * (len(pairs) - place)))
    rows = [
        (g, g - t * e, g + t * e, p[k], 0 if p[k] >= 1 - level else 1 if g > 0 else -1)
        for k, (g, e, _) in enumerate(found)
    ]
    return torch.tensor(rows, dtype=torch.float64).unbind(1)


def with_scipys_paired_test(train, pairs, seeds):
    a = {line: [train(line, s) for s in seeds] for line in {x for pair in pairs for x in pair}}
    gain, low, high, raw = [], [], [], []
    for one, other in pairs:
        d = np.subtract(a[one], a[other])
        gain.append(d.mean())
        if np.ptp(d) == 0:
            low.append(d[0])
            high.append(d[0])
            raw.append(0.0 if d[0] else 1.0)
            continue
        test = stats.ttest_rel(a[one], a[other])
        interval = test.confidence_interval(1 - 0.05 / len(pairs))
        low.append(interval.low)
        high.append(interval.high)
        raw.append(test.pvalue)

    def not_smaller(r):
        return sum(q >= r for q in raw)

    p = [min(1.0, max(not_smaller(r) * r for r in raw if r <= own)) for own in raw]
    return gain, low, high, p, [int(np.sign(g)) if q < 0.05 else 0 for g, q in zip(gain, p)]


def without_ranks(train, pairs, seeds):
    """With Fisher's distribution, and without any ranks."""
    a = {x: np.array([train(x, s) for s in seeds]) for x in set().union(*pairs)}
    d = np.array([a[x] - a[y] for x, y in pairs])
    n, m = len(seeds), len(pairs)
    gain, var = d.mean(1), d.var(1, ddof=1)
    with np.errstate(all="ignore"):
        f = n * gain**2 / var  # the square of t has Fisher's distribution
        raw = np.nan_to_num(stats.f.sf(f, 1, n - 1), nan=1.0)
    p = [max(min(1, (raw >= r).sum() * r) for r in raw[raw <= own]) for own in raw]
    half = np.sqrt(stats.f.isf(0.05 / m, 1, n - 1) * var / n)
    return gain, gain - half, gain + half, np.array(p), np.sign(gain) * (np.array(p) < 0.05)


def lists(train, pairs, seeds):
    return [table.tolist() for table in with_tensors(train, pairs, seeds)]


RIGHT = [with_tensors, loops, with_scipys_paired_test, without_ranks, lists, comparing()]


def test_training_is_not_borrowing():
    assert verdict(with_tensors, watch=True).passed


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"no spread, no p": "finite"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def only_the_first_step(train, pairs, seeds):
        gain, low, high, _, _ = with_tensors(train, pairs, seeds[:])
        return gain, low, high, gain * 0, gain.sign()

    def with_bonferroni(train, pairs, seeds):
        alone = [loops(Silent(train), [pair], seeds) for pair in pairs]
        gain, low, high, _, _ = loops(Silent(train), pairs, seeds)
        for line in {line for pair in pairs for line in pair}:
            for seed in seeds:
                train(line, seed)
        p = torch.cat([one[3] for one in alone]).mul(len(pairs)).clamp(max=1)
        return gain, low, high, p, gain.sign() * (p < 0.05)

    assert verdict(only_the_first_step).misconception is None
    assert verdict(with_bonferroni).misconception == "Bonferroni"


class Silent:
    """Looks up without counting."""

    def __init__(self, train):
        self.train = train

    def __call__(self, line, seed):
        row = self.train.accuracies[self.train.lines.index(line)]
        return row[self.train.seeds.index(seed)].item()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda train, pairs, seeds: train("z", seeds[0]), "train got the line 'z', possible are a, b, c, d"),
        (lambda train, pairs, seeds: torch.zeros(3), "tuple of five, gain, low, high, p, verdict"),
        (lambda train, pairs, seeds: print(train("a", seeds[0])), "its result is None"),
        (lambda train, pairs: None, "takes 2 positional arguments but 3 were given"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(train, pairs, seeds):
        raise NotImplementedError("hybridnet.project")

    assert verdict(stub).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def results(number):
    return dict(zip(TASK.gives, oracle(**TASK.cases[number].exact())))


def raw_p(number):
    given = TASK.cases[number].exact()
    pairs = given["pairs"].tolist()
    return [stats.ttest_rel(*given["accuracies"][pair].numpy()).pvalue for pair in pairs]


def test_one_pair_alone_is_the_paired_t_test():
    assert len(TASK.cases[3].exact()["pairs"]) == 1
    assert results(3)["p"].tolist() == pytest.approx(raw_p(3))


def test_the_cases_tell_apart_raw_corrected_and_simultaneous():
    raw_only = holm_only = capped = tied = 0
    for number in range(len(TASK.cases) - 1):
        found = results(number)
        for raw, p, low, high in zip(raw_p(number), *(found[k].tolist() for k in ("p", "low", "high"))):
            assert abs(p - 0.05) > 1e-3 and abs(raw - 0.05) > 1e-3  # a verdict is no matter of rounding
            raw_only += raw < 0.05 <= p
            holm_only += p < 0.05 and low < 0 < high
            capped += p == 1
        tied += len(set(found["p"].tolist())) < len(found["p"])
    assert raw_only and holm_only and capped and tied


def test_all_three_verdicts_occur():
    said = torch.cat([results(n)["verdict"] for n in range(len(TASK.cases))])
    assert set(said.tolist()) == {-1, 0, 1}


def test_luck_that_all_lines_share_changes_nothing():
    given = TASK.cases[0].exact()
    shifted = given | {"accuracies": given["accuracies"] + 3 * torch.randn(1, 5).double()}
    for before, after in zip(oracle(**given), oracle(**shifted)):
        assert torch.allclose(before, after, rtol=0, atol=1e-9)


def test_the_correction_keeps_the_chance_of_any_false_verdict_at_5_per_cent():
    generator = torch.Generator().manual_seed(0)
    make = runs(5, (0.0,) * 4, ((0, 1), (2, 1), (3, 1)))
    false, uncovered = 0, 0
    for _ in range(1500):
        found = dict(zip(TASK.gives, oracle(**make(generator))))
        false += bool(found["verdict"].any())
        uncovered += bool(((found["low"] > 0) | (found["high"] < 0)).any())
    assert 0.02 < false / 1500 <= 0.06 and 0.02 < uncovered / 1500 <= 0.06


def test_the_known_training_counts_and_answers_for_unknown_seeds():
    train = KnownLines(torch.arange(4.0).reshape(2, 2), [7, 3])
    assert [train("a", 3), train("b", 7), train("b", 4)] == [1.0, 2.0, 2.5]
    assert (train.calls, train.other_seeds) == (3, 1)
