"""Wrong answers to hybridnet.two_streams: other unlabelled streams, other labelled ones, other batches."""

import torch

from course_lib.grading.task import Misconception


def shuffled(places):
    return places[torch.randperm(len(places))]


def pieces(order, size):
    """The whole pieces of this size, in order."""
    return [order[i : i + size] for i in range(0, len(order) - size + 1, size)]


def cycling(places, shuffle=shuffled):
    """Place after place for ever, each cycle shuffled anew."""
    while True:
        yield from shuffle(places).unbind()


def draw(stream, size):
    return torch.stack([next(stream) for _ in range(size)])


def with_unlabelled(cut):
    """The right labelled stream beside other unlabelled pieces."""

    def answer(labelled, unlabelled, n_s, n_u):
        stream = cycling(labelled)
        for piece in cut(unlabelled, n_u):
            yield draw(stream, n_s), piece

    return answer


def with_labelled(make):
    """The right unlabelled pieces beside other labelled parts; make(labelled, n_s) gives one at a time."""

    def answer(labelled, unlabelled, n_s, n_u):
        parts = make(labelled, n_s)
        for piece in pieces(shuffled(unlabelled), n_u):
            yield next(parts), piece

    return answer


two_streams = with_unlabelled(lambda unlabelled, n_u: pieces(shuffled(unlabelled), n_u))


def over_the_labelled(labelled, unlabelled, n_s, n_u):
    stream = cycling(unlabelled)
    for piece in pieces(shuffled(labelled), n_s):
        yield piece, draw(stream, n_u)


def until_one_runs_out(labelled, unlabelled, n_s, n_u):
    yield from zip(pieces(shuffled(labelled), n_s), pieces(shuffled(unlabelled), n_u))


def endless(labelled, unlabelled, n_s, n_u):
    while True:
        yield from two_streams(labelled, unlabelled, n_s, n_u)


def from_a_fixed_seed(labelled, unlabelled, n_s, n_u):
    torch.manual_seed(0)
    yield from two_streams(labelled, unlabelled, n_s, n_u)


def keeps_the_rest(labelled, unlabelled, n_s, n_u):
    stream = cycling(labelled)
    for piece in shuffled(unlabelled).split(n_u):
        yield draw(stream, n_s), piece


def fills_the_rest_up(unlabelled, n_u):
    """The last piece is filled with places from the beginning of the epoch."""
    order = shuffled(unlabelled)
    return pieces(torch.cat([order, order[: -len(order) % n_u]]), n_u)


def leaks(labelled, unlabelled, n_s, n_u):
    stream, everyone = cycling(labelled), torch.cat([labelled, unlabelled])
    for piece in pieces(shuffled(everyone), n_u)[: len(unlabelled) // n_u]:
        yield draw(stream, n_s), piece


def one_shuffled_list(labelled, unlabelled, n_s, n_u):
    for batch in pieces(shuffled(torch.cat([labelled, unlabelled])), n_s + n_u):
        yield batch[:n_s], batch[n_s:]


def same_permutation(labelled, n_s):
    once = shuffled(labelled)
    stream = cycling(once, shuffle=lambda places: places)
    while True:
        yield draw(stream, n_s)


def in_order(labelled, n_s):
    stream = cycling(labelled, shuffle=lambda places: places)
    while True:
        yield draw(stream, n_s)


def fresh_each_time(labelled, n_s):
    while True:
        yield draw(cycling(labelled), n_s)


def shorter_at_the_end(labelled, n_s):
    while True:
        yield from shuffled(labelled).split(n_s)


def rest_dropped(labelled, n_s):
    while True:
        yield from pieces(shuffled(labelled), n_s) or [draw(cycling(labelled), n_s)]


def always_the_first(labelled, n_s):
    stream = cycling(labelled, shuffle=lambda places: places)
    first = draw(stream, n_s)
    while True:
        yield first


def by_position(labelled, unlabelled, n_s, n_u):
    yield from two_streams(torch.arange(len(labelled)), torch.arange(len(unlabelled)), n_s, n_u)


def writes_into_theirs(labelled, unlabelled, n_s, n_u):
    unlabelled[:] = shuffled(unlabelled)
    yield from with_unlabelled(pieces)(labelled, unlabelled, n_s, n_u)


MISCONCEPTIONS = (
    Misconception(
        "epoch over the labelled",
        over_the_labelled,
        "The epoch ends with the labelled images. They are few and go round and round: "
        "the epoch is one pass over the unlabelled.",
    ),
    Misconception(
        "until one runs out",
        until_one_runs_out,
        "The epoch ends as soon as either stream runs out. "
        "When the labelled are through, shuffle them again and go on.",
    ),
    Misconception(
        "endless",
        endless,
        "The batches never end. The epoch is over when no n_u unlabelled images are left.",
    ),
    Misconception(
        "incomplete last batch",
        keeps_the_rest,
        "The last batch holds fewer unlabelled images than n_u. Drop what does not fill a batch.",
    ),
    Misconception(
        "last batch filled up",
        with_unlabelled(fills_the_rest_up),
        "The last batch is filled up with unlabelled images that have come already. "
        "Drop what does not fill a batch.",
    ),
    Misconception(
        "n_s and n_u exchanged",
        lambda labelled, unlabelled, n_s, n_u: two_streams(labelled, unlabelled, n_u, n_s),
        "There are n_u labelled and n_s unlabelled images in a batch. It is the other way round.",
    ),
    Misconception(
        "parts exchanged",
        lambda *given: ((ours, theirs) for theirs, ours in two_streams(*given)),
        "The unlabelled part comes first in your pairs. Give out the labelled part first.",
    ),
    Misconception(
        "positions in the place of places",
        by_position,
        "You give out positions in the two lists, 0, 1, 2 and so on. "
        "Give out what stands there: labelled[position].",
    ),
    Misconception(
        "unlabelled from everything",
        leaks,
        "Labelled images come in the unlabelled part too, drawn from all places together. "
        "Draw it from unlabelled alone.",
    ),
    Misconception(
        "one shuffled list",
        one_shuffled_list,
        "All images are shuffled together and cut into batches, so a part holds images of either kind. "
        "Keep two streams.",
    ),
    Misconception(
        "unlabelled anew for each batch",
        with_unlabelled(
            lambda unlabelled, n_u: unlabelled[
                torch.randint(len(unlabelled), (len(unlabelled) // n_u, n_u))
            ].unbind()
        ),
        "The unlabelled images are drawn anew for each batch, or with replacement, "
        "so some come twice in an epoch and others not at all. Shuffle them once and cut.",
    ),
    Misconception(
        "unlabelled not shuffled",
        with_unlabelled(pieces),
        "The unlabelled images come as they were given, the same batches in every epoch. Shuffle them first.",
    ),
    Misconception(
        "the same epoch again",
        from_a_fixed_seed,
        "Every epoch is the same: a fixed seed is set each time. Leave the seed to whoever calls you.",
    ),
    Misconception(
        "the same rest dropped",
        with_unlabelled(
            lambda unlabelled, n_u: pieces(shuffled(unlabelled[: len(unlabelled) // n_u * n_u]), n_u)
        ),
        "The images that do not fill a batch are cut off before the shuffle, so they never come. "
        "Shuffle first, then cut.",
    ),
    Misconception(
        "the same permutation in each cycle",
        with_labelled(same_permutation),
        "The labelled images are shuffled once, and each cycle repeats that order. Shuffle for every cycle.",
    ),
    Misconception(
        "labelled not shuffled",
        with_labelled(in_order),
        "The labelled images come as they were given. Shuffle them, for every cycle anew.",
    ),
    Misconception(
        "labelled anew for each batch",
        with_labelled(fresh_each_time),
        "The labelled images are drawn anew for each batch, or with replacement, "
        "so one can come again before all have come. Go through a whole shuffle first.",
    ),
    Misconception(
        "shorter labelled batch",
        with_labelled(shorter_at_the_end),
        "At the end of a cycle the batch holds what is left of the labelled images. "
        "Fill it with the first ones of the next cycle.",
    ),
    Misconception(
        "rest of the cycle dropped",
        with_labelled(rest_dropped),
        "What is left at the end of a labelled cycle is dropped, so those images come less often. "
        "Put the next cycle behind it.",
    ),
    Misconception(
        "always the first labelled",
        with_labelled(always_the_first),
        "Every batch holds the same labelled images, and the others never come. "
        "Go on where the last batch ended.",
    ),
    Misconception(
        "writes into unlabelled",
        writes_into_theirs,
        "The order of the given unlabelled has changed. Shuffle a copy: unlabelled[permutation] makes one.",
    ),
)
