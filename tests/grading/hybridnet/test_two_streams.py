"""The task hybridnet.two_streams: every right order passes, and wrong ones get their own message."""

import random
from itertools import chain, cycle, islice

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from course_lib.grading.tasks.hybridnet.two_streams import TASK, use
from course_lib.grading.tasks.hybridnet.wrong_streams import draw, pieces, shuffled, two_streams
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


def waiting_list(labelled, unlabelled, n_s, n_u):
    waiting = labelled[:0]
    order = unlabelled[torch.randperm(len(unlabelled))]
    for start in range(0, len(unlabelled) - n_u + 1, n_u):
        while len(waiting) < n_s:
            waiting = torch.cat([waiting, labelled[torch.randperm(len(labelled))]])
        yield waiting[:n_s], order[start : start + n_u]
        waiting = waiting[n_s:]


def all_cycles_at_once(labelled, unlabelled, n_s, n_u):
    """A list of views: as many cycles as the epoch needs, one behind the other."""
    batches = len(unlabelled) // n_u
    cycles = [shuffled(labelled) for _ in range(-(-batches * n_s // len(labelled)))]
    ours = torch.cat(cycles)[: batches * n_s].reshape(batches, n_s)
    theirs = shuffled(unlabelled)[: batches * n_u].reshape(batches, n_u)
    return list(zip(ours, theirs))


def with_plain_python(labelled, unlabelled, n_s, n_u):
    """Lists in the place of tensors, and Python's own generator of chance."""
    ours, theirs = labelled.tolist(), unlabelled.tolist()
    random.shuffle(theirs)
    stream = chain.from_iterable(random.sample(ours, len(ours)) for _ in cycle([0]))
    while len(theirs) >= n_u:
        yield list(islice(stream, n_s)), theirs[:n_u]
        del theirs[:n_u]


def in_numpy(labelled, unlabelled, n_s, n_u):
    rng = np.random.default_rng()
    order, waiting = rng.permutation(unlabelled.numpy()), np.array([], int)
    for batch in range(len(order) // n_u):
        while len(waiting) < n_s:
            waiting = np.append(waiting, rng.permutation(labelled.numpy()))
        yield torch.from_numpy(waiting[:n_s]), torch.from_numpy(order[batch * n_u :][:n_u])
        waiting = waiting[n_s:]


def with_a_loader(labelled, unlabelled, n_s, n_u):
    """PyTorch's loader for the unlabelled, and one that begins again for the labelled."""

    def endlessly():
        while True:
            yield from DataLoader(labelled, batch_size=None, shuffle=True)

    stream = endlessly()
    for part in DataLoader(unlabelled, batch_size=n_u, shuffle=True, drop_last=True):
        yield torch.stack([next(stream) for _ in range(n_s)]), part


def sorted_within_a_batch(labelled, unlabelled, n_s, n_u):
    for ours, theirs in waiting_list(labelled, unlabelled, n_s, n_u):
        yield ours.sort().values, theirs.sort().values


class Epoch:
    """An object that can be iterated, as a batch sampler is."""

    def __init__(self, *given):
        self.given = given

    def __iter__(self):
        return iter(all_cycles_at_once(*self.given))

    def __len__(self):
        return len(self.given[1]) // self.given[3]


def a_sampler(labelled, unlabelled, n_s, n_u):
    return Epoch(labelled, unlabelled, n_s, n_u)


def least_used_first(labelled, unlabelled, n_s, n_u):
    """Another way to let no image get ahead: always take those that have come least often."""
    counts = torch.zeros(len(labelled))
    for theirs in pieces(shuffled(unlabelled), n_u):
        ours = []
        for _ in range(n_s):
            least = (counts == counts.min()).nonzero().squeeze(1)
            ours.append(int(shuffled(least)[0]))
            counts[ours[-1]] += 1
        yield labelled[ours], theirs


RIGHT = [
    waiting_list, all_cycles_at_once, with_plain_python, in_numpy, with_a_loader, sorted_within_a_batch,
    a_sampler, least_used_first, two_streams,
]  # fmt: skip


@pytest.mark.parametrize("answer", [waiting_list, in_numpy])
def test_a_right_answer_passes_whatever_the_chance(answer):
    for seed in range(20):
        torch.manual_seed(seed)
        for case in TASK.cases:
            expected = [each.item() for each in TASK.oracle(**case.exact())]
            assert [each.item() for each in use(answer, **case.inputs())] == expected


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"writes into unlabelled": "inputs"}


def choice_with_replacement(labelled, unlabelled, n_s, n_u):
    for _ in range(len(unlabelled) // n_u):
        ours = torch.tensor(random.sample(labelled.tolist() * n_s, n_s))
        yield ours, torch.tensor(random.choices(unlabelled.tolist(), k=n_u))


def repeats_one_shuffle(labelled, unlabelled, n_s, n_u):
    stream = cycle(random.sample(labelled.tolist(), len(labelled)))
    for theirs in pieces(shuffled(unlabelled), n_u):
        yield torch.tensor(list(islice(stream, n_s))), theirs


def seeds_a_generator(labelled, unlabelled, n_s, n_u):
    rng = np.random.default_rng(7)
    stream = iter([i for _ in range(99) for i in rng.permutation(labelled.numpy())])
    for theirs in pieces(torch.from_numpy(rng.permutation(unlabelled.numpy())), n_u):
        yield torch.tensor([int(next(stream)) for _ in range(n_s)]), theirs


def zips_two_loaders(labelled, unlabelled, n_s, n_u):
    loaders = [
        DataLoader(part, batch_size=n, shuffle=True, drop_last=True)
        for part, n in ((labelled, n_s), (unlabelled, n_u))
    ]
    return zip(*loaders)


def joins_and_draws(labelled, unlabelled, n_s, n_u):
    theirs = random.sample(labelled.tolist() + unlabelled.tolist(), len(unlabelled))
    stream = chain.from_iterable(random.sample(labelled.tolist(), len(labelled)) for _ in cycle([0]))
    for i in range(len(theirs) // n_u):
        yield list(islice(stream, n_s)), theirs[i * n_u :][:n_u]


def samples_each_time(labelled, unlabelled, n_s, n_u):
    times = -(-n_s // len(labelled))
    for theirs in pieces(shuffled(unlabelled), n_u):
        yield torch.cat([shuffled(labelled) for _ in range(times)])[:n_s], theirs


def draws_the_labelled(labelled, unlabelled, n_s, n_u):
    for theirs in pieces(shuffled(unlabelled), n_u):
        yield labelled[torch.randint(len(labelled), (n_s,))], theirs


def draws_the_unlabelled(labelled, unlabelled, n_s, n_u):
    for ours, _ in two_streams(labelled, unlabelled, n_s, n_u):
        yield ours, random.sample(unlabelled.tolist(), n_u)


@pytest.mark.parametrize(
    "answer, name",
    [
        (repeats_one_shuffle, "the same permutation in each cycle"),
        (seeds_a_generator, "the same epoch again"),
        (zips_two_loaders, "until one runs out"),
        (draws_the_labelled, "labelled anew for each batch"),
        (draws_the_unlabelled, "unlabelled anew for each batch"),
        (joins_and_draws, "unlabelled from everything"),
        (samples_each_time, "labelled anew for each batch"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(answer).misconception == name


def test_two_mistakes_at_once_are_told_by_the_first():
    outcome = verdict(choice_with_replacement)
    assert outcome.cause == "value"
    assert "that no unlabelled image comes twice in an epoch should be 1 and is 0" in outcome.says


def test_one_image_in_the_place_of_another_is_enough_to_be_refused():
    """A single cycle, in which one place comes twice and another not at all: ahead by two, and no more."""

    def answer(labelled, unlabelled, n_s, n_u):
        batches = all_cycles_at_once(labelled, unlabelled, n_s, n_u)
        batches[0][0][0] = batches[1][0][0]
        return batches

    found = use(answer, torch.arange(20), torch.arange(100, 124), 5, 6)
    failed = [name for name, number in zip(TASK.gives, found) if number == 0]
    assert failed == ["check (1 is passed) that no labelled image comes twice more often than another"]


def one_tensor(labelled, unlabelled, n_s, n_u):
    for ours, theirs in two_streams(labelled, unlabelled, n_s, n_u):
        yield torch.cat([ours, theirs])


def one_batch(labelled, unlabelled, n_s, n_u):
    return draw(iter(shuffled(labelled)), n_s), shuffled(unlabelled)[:n_u]


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda *given: 3, "yours is a int"),
        (one_tensor, "yours is a Tensor"),
        (one_batch, "yours is a Tensor"),
        (lambda *given: [(a.float(), b) for a, b in two_streams(*given)], "yours is torch.float32"),
        (lambda *given: [(a[:, None], b) for a, b in two_streams(*given)], "of shape (5, 1)"),
    ],
)
def test_what_gives_no_pairs_of_places_is_told(answer, said):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and said in outcome.says


def begins_nothing(labelled, unlabelled, n_s, n_u):
    raise NotImplementedError("hybridnet.two_streams")
    yield


def test_a_generator_that_nobody_has_begun_is_not_attempted():
    assert verdict(begins_nothing).state == "not attempted"
