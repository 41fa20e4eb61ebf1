"""Balanced subsets and stratified splits, as properties over random label lists."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import balanced_subset, split_off

labels_of = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda values: torch.tensor(values))
seeds = st.integers(0, 1000)


def counts(labels):
    return np.unique(labels.numpy(), return_counts=True)


@settings(max_examples=80, deadline=None)
@given(labels_of, st.integers(1, 60), seeds)
def test_balanced_subset_is_balanced_or_says_why_not(labels, n, seed):
    classes, available = counts(labels)
    try:
        chosen = balanced_subset(labels, n, seed)
    except ValueError as problem:
        assert n < len(classes) or -(-n // len(classes)) > available.min()
        assert str(n) in str(problem)
        return
    found, shares = counts(labels[chosen])
    assert len(chosen) == len(set(chosen.tolist())) == n
    assert found.tolist() == classes.tolist() and shares.max() - shares.min() <= 1
    assert torch.equal(chosen, chosen.sort().values) and chosen.dtype == torch.int64


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(5, 50), st.integers(5, 50))
def test_balanced_subsets_of_one_seed_are_nested(seed, n, m):
    labels = torch.arange(100) % 5
    small, large = (set(balanced_subset(labels, k, seed).tolist()) for k in sorted((n, m)))
    assert small <= large


def test_balanced_subset_depends_on_the_seed_alone():
    labels = torch.arange(200) % 10
    state = torch.get_rng_state()
    first, again, other = (balanced_subset(labels, 50, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_balanced_subset_never_takes_an_image_without_label():
    labels = torch.tensor([-1, 0, -1, 1, 0, 1, -1])
    assert set(balanced_subset(labels, 4, 0).tolist()) == {1, 3, 4, 5}


def test_balanced_subset_reaches_every_image():
    labels = torch.arange(40) % 2
    seen = set().union(*(balanced_subset(labels, 10, seed).tolist() for seed in range(40)))
    assert seen == set(range(40))


@settings(max_examples=80, deadline=None)
@given(labels_of, st.floats(0, 1), seeds)
def test_split_off_is_a_stratified_partition(labels, share, seed):
    n = round(share * len(labels))
    rest, held_out = split_off(labels, n, seed)
    assert sorted([*rest.tolist(), *held_out.tolist()]) == list(range(len(labels)))
    assert len(held_out) == n
    for c, available in zip(*counts(labels), strict=True):
        assert abs((labels[held_out] == c).sum() - n * available / len(labels)) < 1


def test_bad_arguments_are_named():
    labels = torch.arange(20) % 4
    with pytest.raises(ValueError, match=r"n is 3, .* at least 4"):
        balanced_subset(labels, 3, 0)
    with pytest.raises(ValueError, match=r"class 0 has only 5 .* at most 20"):
        balanced_subset(labels, 24, 0)
    with pytest.raises(ValueError, match="n is 21, possible are 0 to 20"):
        split_off(labels, 21, 0)
    with pytest.raises(ValueError, match=r"\(2, 10\)"):
        split_off(labels.reshape(2, 10), 3, 0)
