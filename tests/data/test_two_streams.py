"""TwoStreams: which images, how many with a label, in which order, and where a pass ends."""

from itertools import pairwise

import pytest
import torch

from course_lib.data import Augment, Batches, ImageSet, TwoStreams
from course_lib.training.identity import in_words
from course_lib.training.optimisers import Rates
from tests.data.some_sets import same, some_set

LABELLED, UNLABELLED = 7, 23
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def sets():
    """Two sets of other images, with labels that tell them apart."""
    known = some_set(LABELLED)
    hidden = some_set(LABELLED + UNLABELLED).subset(range(LABELLED, LABELLED + UNLABELLED))
    return known, ImageSet(hidden.images, hidden.labels + 10)


def streams(n_labelled=3, n_unlabelled=4, **options):
    return TwoStreams(*sets(), n_labelled, n_unlabelled, **options)


def places(batches, n=3):
    """One pass, as places of labelled images and of unlabelled ones in their own sets."""
    index = torch.stack([batch.index for batch in batches])
    return index[:, :n].flatten().tolist(), (index[:, n:] - LABELLED).flatten().tolist()


def test_each_batch_has_exactly_so_many_of_both():
    found = list(streams())
    known, hidden = sets()
    assert len(found) == len(streams()) == 23 // 4
    for batch in found:
        assert batch.x.shape == (7, 3, 8, 8) and batch.y.dtype == torch.int64
        assert torch.equal(batch.y[:3], known.labels[batch.index[:3]])
        assert batch.y[3:].tolist() == [-1] * 4
        assert (batch.index[:3] < LABELLED).all()
        assert ((batch.index[3:] >= LABELLED) & (batch.index[3:] < LABELLED + UNLABELLED)).all()
    assert (hidden.labels >= 10).all()  # what was hidden is still there


def test_the_index_says_which_image_it_is():
    known, hidden = sets()
    images = torch.cat((known.images, hidden.images))
    for batch in streams(mean=0.0, std=1.0):
        torch.testing.assert_close(batch.x, images[batch.index] / 255)


def test_a_pass_goes_once_through_the_unlabelled():
    batches = streams(n_unlabelled=5)
    for _ in range(3):
        _, hidden = places(batches)
        assert len(hidden) == len(set(hidden)) == 20
    _, hidden = places(streams(n_unlabelled=23))
    assert sorted(hidden) == list(range(23))


def test_the_labelled_are_gone_through_again_and_again_each_time_in_a_new_order():
    known, _ = places(streams(n_labelled=3, n_unlabelled=1))
    assert len(known) == 3 * 23
    rounds = [known[start : start + LABELLED] for start in range(0, 63, LABELLED)]
    assert all(sorted(one) == list(range(LABELLED)) for one in rounds)
    assert len({tuple(one) for one in rounds}) == 9


def test_each_pass_has_another_order():
    batches = streams()
    passes = [places(batches) for _ in range(3)]
    for known, hidden in pairwise(passes):
        assert known[0] != hidden[0] and known[1] != hidden[1]


def test_both_streams_are_batches_with_seeds_of_their_own():
    """So that no stream of one seed is a stream of another one."""
    known, hidden = sets()
    mean, std = hidden.statistics()
    for seed in (0, 4):
        how = {"mean": mean, "std": std, "steps": 5, "augment": Augment(flip=True, noise=0.1), "views": 2}
        expected = zip(
            Batches(known, 3, seed=2 * seed, **how), Batches(hidden, 4, seed=2 * seed + 1, **how), strict=True
        )
        found = streams(seed=seed, augment=how["augment"], views=2)
        for batch, (a, b) in zip(found, expected, strict=True):
            assert batch.x is batch.views[0] and len(batch.views) == 2
            for view, of_a, of_b in zip(batch.views, a.views, b.views):
                assert torch.equal(view, torch.cat((of_a, of_b)))
            assert torch.equal(batch.index, torch.cat((a.index, b.index + LABELLED)))


def test_the_same_seed_gives_the_same_batches_and_another_others():
    assert same(streams(augment=Augment(noise=1.0)), streams(augment=Augment(noise=1.0)))
    assert same(streams(), streams(seed=0))
    one, other = streams(seed=1), streams(seed=2)
    first, second = places(one), places(other)
    assert first[0] != second[0] and first[1] != second[1]
    random = torch.get_rng_state()
    list(streams(augment=Augment(noise=1.0)))
    assert torch.equal(random, torch.get_rng_state())


def test_it_is_continued_where_it_was():
    straight = streams(augment=Augment(flip=True, noise=0.1))
    list(straight), list(straight)
    state = straight.state_dict()
    assert state == {"epoch": 2}
    after = streams(augment=Augment(flip=True, noise=0.1))
    after.load_state_dict(state)
    assert same(after, straight) and same(after, straight)
    after.load_state_dict({"epoch": 0})
    assert same(after, streams(augment=Augment(flip=True, noise=0.1)))


def test_a_pass_that_is_left_early_counts():
    batches, other = streams(), streams()
    next(iter(batches))
    other.load_state_dict({"epoch": 1})
    assert same(batches, other)


def test_an_unlabelled_set_may_hold_the_labelled_images_too():
    known = some_set(4)
    everything = some_set(9)  # the same first four
    for batch in TwoStreams(known, everything, 2, 3, mean=0.0, std=1.0):
        assert (batch.y[:2] >= 0).all() and (batch.y[2:] == -1).all()
        assert (batch.index[2:] >= 4).all()
        torch.testing.assert_close(batch.x[2:], everything.images[batch.index[2:] - 4] / 255)


@pytest.mark.parametrize("steps", [1, 5, 13])
def test_a_pass_may_have_any_number_of_batches(steps):
    batches = streams(steps=steps)
    known, hidden = places(batches)
    assert len(batches) == steps and (len(known), len(hidden)) == (3 * steps, 4 * steps)
    assert len(set(hidden)) == min(4 * steps, UNLABELLED)


def test_more_than_there_are_can_be_had_only_in_so_many_steps():
    known, hidden = places(streams(n_labelled=20, n_unlabelled=50, steps=1), n=20)
    assert set(known) == set(range(LABELLED)) and set(hidden) == set(range(UNLABELLED))


def test_normalised_by_the_unlabelled_unless_told_otherwise():
    known, hidden = sets()
    mean, std = (values.view(-1, 1, 1) for values in hidden.statistics())
    images = torch.cat((known.images, hidden.images)) / 255
    for options, a, b in (
        ({}, mean, std),
        ({"mean": 0.25}, 0.25, std),
        ({"std": [0.5, 0.25, 2.0]}, mean, torch.tensor([0.5, 0.25, 2.0]).view(-1, 1, 1)),
    ):
        for batch in streams(**options):
            torch.testing.assert_close(batch.x, (images[batch.index] - a) / b)


def test_a_channel_that_never_changes_becomes_zero():
    known, hidden = sets()
    for one in (known, hidden):
        one.images[:, 1] = 77
    for batch in TwoStreams(known, hidden, 3, 4):
        assert batch.x[:, 1].abs().max() < 1e-6 and batch.x.isfinite().all()


def test_a_channel_that_never_changes_in_the_unlabelled_is_divided_by_one():
    known, hidden = sets()
    hidden.images[:, 1] = 77
    for batch in TwoStreams(known, hidden, 3, 4):
        expected = (known.images[batch.index[:3], 1].float() - 77) / 255
        torch.testing.assert_close(batch.x[:3, 1], expected)


def test_types_formats_and_sizes_are_those_of_batches():
    batches = streams(augment=Augment(crop=6), dtype=torch.bfloat16, channels_last=True, views=3)
    assert batches.shape == (3, 6, 6)
    for batch in batches:
        assert len(batch.views) == 3
        for view in batch.views:
            assert view.dtype == torch.bfloat16 and view.shape == (7, 3, 6, 6)
            assert view.is_contiguous(memory_format=torch.channels_last) and not view.is_contiguous()
    assert next(iter(streams(augment=Augment(crop=6)))).x.is_contiguous()
    assert not next(iter(streams(channels_last=True))).x.is_contiguous()
    plain = next(iter(streams()))
    assert len(plain.views) == 1 and plain.x.dtype == torch.float32 and plain.x.is_contiguous()


@pytest.mark.parametrize("device", DEVICES)
def test_batches_are_where_the_sets_are(device):
    known, hidden = (each.to(device) for each in sets())
    for batch in TwoStreams(known, hidden, 3, 4, augment=Augment(flip=True, noise=0.1), views=2):
        assert {tensor.device.type for tensor in (*batch.views, batch.y, batch.index)} == {device}


def test_a_checkpoint_can_tell_two_of_them_apart():
    model = torch.nn.Linear(1, 1)
    rates = Rates(torch.optim.SGD(model.parameters(), lr=1.0), None)
    words = lambda batches: in_words(model, batches, lambda: 0, rates, None, None)["batches"]
    assert words(streams()) == words(streams())
    for options in ({"seed": 1}, {"n_labelled": 2}, {"views": 2}, {"augment": Augment(flip=True)}):
        assert words(streams(**options)) != words(streams())
    batches = streams(seed=5, views=2)
    assert (batches.batch_size, batches.seed, batches.views, batches.augment) == (7, 5, 2, Augment())


@pytest.mark.parametrize(
    "options, words",
    [
        ({"n_labelled": 0}, "n_labelled is 0, possible are whole numbers from 1."),
        ({"n_unlabelled": 0}, "n_unlabelled is 0, possible are whole numbers from 1."),
        ({"n_unlabelled": 2.0}, "n_unlabelled is 2.0, possible are whole numbers from 1."),
        ({"n_unlabelled": 24}, "n_unlabelled is 24, but there are 23 images without a label."),
        ({"seed": -1}, "seed is -1, possible are whole numbers from 0."),
        ({"seed": 0.5}, "seed is 0.5, possible are whole numbers from 0."),
        ({"steps": 0}, "steps is 0, possible are whole numbers from 1."),
        ({"views": 0}, "views is 0, possible are whole numbers from 1."),
    ],
)
def test_impossible_arguments_are_refused_in_one_sentence(options, words):
    with pytest.raises(ValueError) as refused:
        streams(**options)
    assert str(refused.value) == words


def test_images_that_are_not_alike_are_refused():
    with pytest.raises(ValueError) as refused:
        TwoStreams(some_set(5, height=6), some_set(9), 2, 3)
    assert str(refused.value) == "labelled images are (3, 6, 8) and unlabelled ones (3, 8, 8), not alike."
    cut = TwoStreams(some_set(5, height=6), some_set(9), 2, 3, augment=Augment(crop=4))
    assert cut.shape == (3, 4, 4)


def test_a_set_without_images_is_refused():
    nothing = some_set(5).subset([])
    with pytest.raises(ValueError, match="data has no images"):
        TwoStreams(nothing, some_set(9), 2, 3)
    with pytest.raises(ValueError, match="n_unlabelled is 3, but there are 0 images"):
        TwoStreams(some_set(9), nothing, 2, 3)
