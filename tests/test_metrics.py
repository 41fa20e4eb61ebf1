"""Scores against counting by hand and against SciPy; bad input is refused in one sentence."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import top_k_accuracy_score

from course_lib import metrics


def test_accuracy_counts_the_labels_that_agree():
    assert metrics.accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 2, 2, 2])) == 0.75
    assert metrics.accuracy([1, 1], [1, 1]) == 1.0


def test_accuracy_of_logits_takes_the_largest():
    logits = torch.tensor([[-1.0, -2.0, -3.0], [0.0, 5.0, 4.0], [1.0, 0.0, 2.0], [9.0, 1.0, 1.0]])
    assert metrics.accuracy(torch.tensor([0, 1, 0, 1]), logits) == 0.5


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 1000))
def test_accuracy_equals_a_loop(n, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    true = torch.randint(classes, (n,), generator=generator)
    logits = torch.randn(n, classes, generator=generator)
    right = sum(int(max(range(classes), key=lambda c: logits[i, c]) == true[i]) for i in range(n))
    assert metrics.accuracy(true, logits) == pytest.approx(right / n, abs=1e-12)
    assert metrics.accuracy(true, logits.argmax(1)) == metrics.accuracy(true, logits)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_equals_scikit_learn(k):
    generator = torch.Generator().manual_seed(0)
    true, logits = torch.randint(6, (50,), generator=generator), torch.randn(50, 6, generator=generator)
    expected = top_k_accuracy_score(true.numpy(), logits.numpy(), k=k, labels=range(6))
    assert metrics.top_k_accuracy(true, logits, k=k) == pytest.approx(expected)


def test_mean_interval_equals_scipy():
    values = [78.0, 80.5, 77.1, 79.3]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = metrics.mean_interval(values, level=0.9)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.n == 4


def test_paired_interval_equals_scipy():
    a, b = [40.9, 41.0, 38.2, 43.5, 44.0], [32.5, 35.1, 30.0, 33.3, 31.2]
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    found = metrics.paired_interval(torch.tensor(a, dtype=torch.float64), b)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean > 0  # a minus b


def test_mean_interval_covers_the_mean_as_often_as_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for values in generator.normal(3.0, 2.0, size=(2000, 4)):
        interval = metrics.mean_interval(values, level=0.8)
        hits += interval.low <= 3.0 <= interval.high
    assert abs(hits / 2000 - 0.8) < 0.03


def test_one_run_says_nothing_about_the_spread():
    assert metrics.mean_interval([5.0]) == (5.0, -math.inf, math.inf, 1)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: metrics.accuracy([], []), "true has shape"),
        (lambda: metrics.accuracy([0, 1], [0]), r"pred has shape \(1,\)"),
        (lambda: metrics.accuracy([0.0, 1.0], [0, 1]), "true has dtype"),
        (lambda: metrics.accuracy([0, 1], [0.2, 0.8]), "pred has dtype"),
        (lambda: metrics.accuracy([0, 1], torch.zeros(3, 2)), r"is \(2, C\)"),
        (lambda: metrics.accuracy([0], torch.tensor([[math.nan, 1.0]])), "NaN"),
        (lambda: metrics.accuracy(torch.zeros(2, 2, dtype=torch.long), [0, 1]), r"labels \(N,\)"),
        (lambda: metrics.top_k_accuracy([0], torch.zeros(1, 3), k=4), "k is 4"),
        (lambda: metrics.top_k_accuracy([0], torch.zeros(1, 3), k=0), "1 to 3"),
        (lambda: metrics.mean_interval([]), "n at least 1"),
        (lambda: metrics.mean_interval([1.0, math.nan]), "values contains NaN"),
        (lambda: metrics.mean_interval([[1.0, 2.0]]), "values has shape"),
        (lambda: metrics.mean_interval([1.0, 2.0], level=95), "level is 95"),
        (lambda: metrics.paired_interval([1.0, 2.0], [1.0]), "a has 2 values and b has 1"),
        (lambda: metrics.paired_interval([1.0, 2.0], [1.0, math.inf]), "b contains"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
