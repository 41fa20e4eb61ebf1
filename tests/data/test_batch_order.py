"""The order of batches: every image once, as the seed and the pass say, also after a stop."""

import random

import numpy as np
import pytest
import torch
from scipy import stats

from course_lib.data.augment import Augment
from course_lib.data.batches import Batches
from tests.data.some_sets import order, same, some_set

EVERYTHING = Augment(crop=6, pad=2, flip=True, translate=1, rotate=10, colour=0.3, noise=0.1)


def test_every_image_comes_once_with_its_label_and_its_place():
    data = some_set()
    batches = Batches(data, 5, mean=0, std=1)
    assert len(batches) == 5
    passed = list(batches)
    assert [len(batch.x) for batch in passed] == [5, 5, 5, 5, 3]
    assert sorted(torch.cat([batch.index for batch in passed]).tolist()) == list(range(23))
    for batch in passed:
        assert batch.x is batch.views[0] and len(batch.views) == 1
        torch.testing.assert_close(batch.x * 255, data.images[batch.index].float())
        assert torch.equal(batch.y, data.labels[batch.index])
        assert batch.y.dtype == batch.index.dtype == torch.int64


def test_each_pass_has_a_new_order_and_all_orders_are_as_likely():
    batches = Batches(some_set(3), 3)
    counts = {}
    for _ in range(1200):
        places = tuple(order(batches))
        counts[places] = counts.get(places, 0) + 1
    assert len(counts) == 6
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_without_shuffling_the_order_is_that_of_the_set():
    batches = Batches(some_set(), 4, shuffle=False)
    assert order(batches) == order(batches) == list(range(23))


def test_drop_last_leaves_full_batches_only():
    batches = Batches(some_set(), 5, drop_last=True)
    assert len(batches) == 4
    assert [len(batch.y) for batch in batches] == [5] * 4


def test_a_batch_larger_than_the_set_holds_the_set():
    (batch,) = Batches(some_set(), 100)
    assert sorted(batch.index.tolist()) == list(range(23))


@pytest.mark.parametrize("steps", [2, 7, 40])
def test_steps_are_full_batches_that_go_through_the_set_again_and_again(steps):
    batches = Batches(some_set(), 5, steps=steps, drop_last=True)
    assert len(batches) == steps
    assert [len(batch.x) for batch in batches] == [5] * steps
    counts = np.bincount(order(batches), minlength=23)
    assert counts.sum() == 5 * steps and np.ptp(counts) <= 1


def test_steps_without_shuffling_start_over():
    assert order(Batches(some_set(3), 4, steps=2, shuffle=False)) == [0, 1, 2, 0, 1, 2, 0, 1]


def test_with_replacement_each_place_is_drawn_from_all():
    batches = Batches(some_set(10), 10, replacement=True, steps=1000)
    drawn = np.array(order(batches)).reshape(1000, 10)
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=10)).pvalue > 1e-3
    distinct = np.mean([len(set(row)) for row in drawn])
    assert distinct == pytest.approx(10 * (1 - 0.9**10), abs=0.15)
    assert len(order(Batches(some_set(), 5, replacement=True))) == 23


def test_randomness_comes_from_seed_and_pass_alone():
    options = {"augment": EVERYTHING, "views": 2}
    first, second = (Batches(some_set(), 5, seed=3, **options) for _ in range(2))
    for _ in range(3):
        torch.rand(7)
        passes = iter(first), iter(second)
        assert same(*passes)
    assert not same(first, Batches(some_set(), 5, seed=4, **options))
    assert order(Batches(some_set(), 5, seed=1)) != order(Batches(some_set(), 5, seed=0))


def test_pass_one_of_seed_zero_is_not_pass_zero_of_seed_one():
    zero, one = Batches(some_set(), 23, seed=0), Batches(some_set(), 23, seed=1)
    order(zero)
    assert order(zero) != order(one)


def test_no_global_generator_is_touched():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    for _ in Batches(some_set(), 5, augment=EVERYTHING, views=2):
        pass
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_a_stopped_run_continues_exactly():
    whole = Batches(some_set(), 5, augment=EVERYTHING)
    passes = [list(whole) for _ in range(4)]
    stopped = Batches(some_set(), 5, augment=EVERYTHING)
    assert same(stopped, passes[0]) and same(stopped, passes[1])
    continued = Batches(some_set(), 5, augment=EVERYTHING)
    continued.load_state_dict(stopped.state_dict())
    assert continued.state_dict() == {"epoch": 2}
    assert same(continued, passes[2]) and same(continued, passes[3])


def test_a_pass_left_early_does_not_change_the_next():
    whole, left = Batches(some_set(), 5), Batches(some_set(), 5)
    order(whole)
    next(iter(left))
    assert order(left) == order(whole)


def test_two_passes_at_once_do_not_disturb_each_other():
    batches, reference = (Batches(some_set(), 5, augment=EVERYTHING) for _ in range(2))
    one, two = zip(*zip(batches, batches))
    assert same(one, reference) and same(two, reference)


def test_the_order_does_not_depend_on_augmentation_or_views():
    plain = order(Batches(some_set(), 5))
    assert order(Batches(some_set(), 5, augment=EVERYTHING, views=3)) == plain
    assert order(Batches(some_set(), 7)) == plain
