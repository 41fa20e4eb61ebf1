"""The task saliency.spearman: right answers pass in any form, wrong ones get their own message."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from course_lib import metrics
from course_lib.grading.tasks.saliency.spearman import TASK, oracle, rank_correlation
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def by_counting(a, b):
    def ranks(maps):
        v = maps.flatten(1)
        return (v[:, None] < v[:, :, None]).sum(2) + ((v[:, None] == v[:, :, None]).sum(2) + 1) / 2

    p, q = (r - r.mean(1, keepdim=True) for r in (ranks(a).to(a.dtype), ranks(b).to(a.dtype)))
    return (p * q).sum(1) / (p.square().sum(1) * q.square().sum(1)).sqrt()


def with_scipy(a, b):
    found = []
    for one, other in zip(a.flatten(1).tolist(), b.flatten(1).tolist()):
        if len(set(one)) == 1 or len(set(other)) == 1:
            found.append(math.nan)
        else:
            found.append(stats.spearmanr(one, other)[0])
    return torch.tensor(found)  # float32


def from_sorted_values(a, b):
    """Ranks from 0, of unique values: all that are below, and half of the equal ones."""
    rows = []
    for pair in zip(a, b):
        ranks = []
        for one in pair:
            _, place, count = one.unique(return_inverse=True, return_counts=True)
            ranks.append((count.cumsum(0) - (count - 1) / 2)[place].flatten().double())
        rows.append(torch.corrcoef(torch.stack(ranks))[0, 1])
    return torch.stack(rows)


def from_both_ends(a, b):
    """The mean of the lowest and the highest rank, found by a search; scaled to unit length."""
    unit = []
    for maps in (a, b):
        v = maps.flatten(1)
        s = v.sort(dim=1).values
        r = torch.searchsorted(s, v) + torch.searchsorted(s, v, right=True) - v.shape[1]
        r = r.double()
        unit.append(r / r.norm(dim=1, keepdim=True))
    return torch.einsum("bn,bn->b", *unit)


def from_signs_of_pairs(a, b):
    """A centred rank is half the sum of the signs of what a value differs by from all others."""
    p, q = ((m.flatten(1)[:, :, None] - m.flatten(1)[:, None, :]).sign().sum(2) for m in (a, b))
    return (p * q).sum(1) / ((p**2).sum(1) ** 0.5 * (q**2).sum(1) ** 0.5)


def in_numpy(a, b, axis=1):
    p, q = (stats.rankdata(m.reshape(len(m), -1).numpy(), axis=axis) for m in (a, b))
    p, q = p - p.mean(axis, keepdims=True), q - q.mean(axis, keepdims=True)
    with np.errstate(invalid="ignore"):
        return torch.from_numpy((p * q).sum(axis) / np.sqrt((p * p).sum(axis) * (q * q).sum(axis)))


def of_the_library(a, b):
    return metrics.spearman(a, b)


RIGHT = [
    by_counting, with_scipy, from_sorted_values, from_both_ends, from_signs_of_pairs, in_numpy,
    of_the_library,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"one number for the batch": "shape", "writes into a": "inputs"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def torchs_corrcoef(a, b):
        return torch.stack(
            [torch.corrcoef(torch.stack([p.flatten(), q.flatten()]))[0, 1] for p, q in zip(a, b)]
        )

    def guarded(a, b):
        def ranks(m):
            r = torch.from_numpy(stats.rankdata(m.flatten(1).numpy(), axis=1))
            return r - r.mean(1, keepdim=True)

        p, q = ranks(a), ranks(b)
        return (p * q).sum(1) / (p.norm(dim=1) * q.norm(dim=1) + 1e-12)

    assert verdict(TASK, torchs_corrcoef).misconception == "values instead of ranks"
    assert verdict(TASK, guarded).misconception == "a constant map counts 0"


def test_what_cannot_be_used_is_explained():
    outcome = verdict(TASK, lambda a, b: [0.0] * len(a))
    assert outcome.cause == "unusable" and "tensor of shape (B,), but it is a list" in outcome.message
    assert "without `return`" in verdict(TASK, lambda a, b: print(a.sum())).message


def test_a_nan_too_many_and_one_too_few_are_told_in_words():
    def never(a, b):
        return by_counting(a, b).nan_to_num(nan=0.25)

    def after_the_first(a, b):
        rho = by_counting(a, b)
        return torch.where(torch.arange(len(rho)) > 0, math.nan, rho)

    assert (
        "some of them constant, the number of NaNs at index [1] should be 1" in verdict(TASK, never).message
    )
    assert "the number of NaNs at index [1] should be 0" in verdict(TASK, after_the_first).message


# --- the oracle ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_oracle_is_scipys_coefficient_and_nan_where_a_map_is_constant(number):
    given = TASK.cases[number].exact()
    for one, other, missing, rho in zip(*given.values(), *oracle(**given)):
        if len(one.unique()) == 1 or len(other.unique()) == 1:
            assert (missing, rho) == (1, 0)
        else:
            expected = stats.spearmanr(one.flatten().numpy(), other.flatten().numpy()).statistic
            assert missing == 0 and rho.item() == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    assert rank_correlation([1, 2, 3], [1, 3, 2]) == 0.5
    assert rank_correlation([1, 2, 3], [7, 7, 9]) == pytest.approx(3**0.5 / 2)
    assert math.isnan(rank_correlation([1, 2, 3], [4, 4, 4]))


def test_only_the_order_counts():
    given = TASK.cases[0].exact()
    for rising in (torch.exp, torch.atan, lambda v: 3 * v - 7):
        assert torch.equal(oracle(rising(given["a"]), given["b"])[1], oracle(**given)[1])
    assert torch.equal(oracle(-given["a"], given["b"])[1], -oracle(**given)[1])
    assert torch.equal(oracle(given["b"], given["a"])[1], oracle(**given)[1])


def test_the_cases_hold_what_tells_mistakes_apart():
    heavy = TASK.cases[1].exact()
    assert all((each == 0).double().mean() > 0.5 for each in heavy.values())
    missing, rho = oracle(**TASK.cases[2].exact())
    assert missing.tolist() == [0, 1, 1, 1, 0]
    assert all(abs(each) < 0.999 for each in rho.tolist())
    signs = oracle(**TASK.cases[0].exact())[1].sign()
    assert set(signs.tolist()) == {-1, 1}
    assert oracle(**TASK.cases[4].exact())[1].tolist() == [1, -1]
