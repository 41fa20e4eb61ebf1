"""hybridnet.two_streams: batches of so many labelled and so many unlabelled images (Robert 2019, §B.2).

Many orders are right.  So an answer is tried for several epochs, and what is compared is what all right
ones have in common.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.hybridnet.wrong_streams import MISCONCEPTIONS

EPOCHS = 8
FEW = 9  # so few labelled images, or fewer, come in the given order by chance now and then
NUMBERS = (
    "number of batches in an epoch",
    "smallest number of labelled images in a batch",
    "largest number of labelled images in a batch",
    "smallest number of unlabelled images in a batch",
    "largest number of unlabelled images in a batch",
)
CHECKS = (
    "labelled parts hold places of labelled only",
    "unlabelled parts hold places of unlabelled only",
    "no unlabelled image comes twice in an epoch",
    f"in {EPOCHS} epochs every unlabelled image comes once at least",
    "no labelled image comes twice more often than another",
    "the labelled images do not come in the order given",
    "the labelled cycles of an epoch differ",
    "the unlabelled images do not come in the order given",
    "every epoch has unlabelled batches of its own",
)


def oracle(labelled: Tensor, unlabelled: Tensor, n_s: int, n_u: int) -> tuple[Tensor, ...]:
    """What the text asks for: full batches while the unlabelled suffice, and every check passed."""
    batches = 0
    while (batches + 1) * n_u <= len(unlabelled):
        batches += 1
    found = [batches, n_s, n_s, n_u, n_u, *[1] * len(CHECKS)]
    return tuple(torch.tensor(float(each), dtype=torch.float64) for each in found)


def use(answer: Callable, labelled: Tensor, unlabelled: Tensor, n_s: int, n_u: int) -> Any:
    """Run through some epochs, count, and check what all right orders keep."""
    most = 4 * (len(unlabelled) // n_u) + 4  # and no further, for an answer that never ends
    ours, theirs = (each.cpu().clone() for each in (labelled, unlabelled))
    epochs = []
    for _ in range(EPOCHS):
        made = answer(labelled, unlabelled, n_s, n_u)
        if made is None or made is ... or made is NotImplemented:
            return made
        if not isinstance(made, Iterable):
            raise Unfit(f"The result must give batches one after the other; yours is a {type(made).__name__}")
        epochs.append([pair_of(batch) for batch in islice(made, most)])
    if not all(epochs):
        return tuple(torch.zeros(len(TASK.gives), dtype=torch.float64, device=labelled.device))
    sizes = torch.tensor([[len(part) for part in batch] for epoch in epochs for batch in epoch])
    least, most = sizes.amin(0).tolist(), sizes.amax(0).tolist()
    streams = [[torch.cat(part) for part in zip(*epoch)] for epoch in epochs]
    orders = [content(epoch, 1) for epoch in epochs]
    own = [
        not any(strangers(stream[0], ours) for stream in streams),
        not any(strangers(stream[1], theirs) for stream in streams),
        all(len(stream[1].unique()) == len(stream[1]) for stream in streams),
    ]
    full = all(len(epoch) == len(theirs) // n_u for epoch in epochs) and all(own)
    checks = [
        *own,
        not full or bool(torch.isin(theirs, torch.cat([stream[1] for stream in streams])).all()),
        not any(one_gets_ahead(epoch, ours) for epoch in epochs),
        len(ours) <= FEW or not any(starts_alike(stream[0], ours) for stream in streams),
        not any(cycles_alike(epoch, len(ours), n_s) for epoch in epochs),
        not any(starts_alike(stream[1], theirs) for stream in streams),
        not any(order in orders[:number] for number, order in enumerate(orders)),
    ]
    found = [max(map(len, epochs)), least[0], most[0], least[1], most[1], *checks]
    return tuple(torch.tensor(float(each), dtype=torch.float64, device=labelled.device) for each in found)


def pair_of(batch: Any) -> tuple[Tensor, Tensor]:
    """The two parts of a batch, on the CPU."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        kind = f"{len(batch)} things" if isinstance(batch, tuple | list) else f"a {type(batch).__name__}"
        raise Unfit(f"Each batch must be a pair, labelled places and unlabelled places; yours is {kind}")
    parts = tuple(torch.as_tensor(part).cpu().clone() for part in batch)  # what is given out may change later
    for part in parts:
        if part.dim() != 1 or part.is_floating_point():
            raise Unfit(
                "Each part of a batch must be a row of places, whole numbers of shape (n_s,) or (n_u,); "
                f"yours is {part.dtype} of shape {tuple(part.shape)}"
            )
    return parts


def strangers(stream: Tensor, allowed: Tensor) -> bool:
    return not bool(torch.isin(stream, allowed).all())


def one_gets_ahead(epoch: list[tuple[Tensor, Tensor]], places: Tensor) -> bool:
    """Whether, after some batch, a place has come twice more often than another."""
    counts = torch.zeros(len(places), dtype=torch.int64)
    for part, _ in epoch:
        counts += (part[:, None] == places).sum(0)
        if counts.max() - counts.min() > 1:
            return True
    return False


def starts_alike(stream: Tensor, given: Tensor) -> bool:
    """Whether the places come in the order in which they were given."""
    return bool(torch.equal(stream[: len(given)], given[: len(stream)]))


def content(epoch: list[tuple[Tensor, Tensor]], which: int) -> list[list[int]]:
    """What each batch holds, whatever its inner order."""
    return [sorted(batch[which].tolist()) for batch in epoch]


def cycles_alike(epoch: list[tuple[Tensor, Tensor]], labelled: int, n_s: int) -> bool:
    """Whether every cycle through the labelled images has the batches of the first; where it fits a whole
    number of them, and at least twice into the epoch."""
    each = labelled // n_s
    if labelled % n_s or each < 2 or len(epoch) < 2 * each:
        return False
    batches = content(epoch, 0)
    cycles = [batches[i : i + each] for i in range(0, len(batches) - each + 1, each)]
    return all(cycle == cycles[0] for cycle in cycles)


def places(labelled: int, unlabelled: int, n_s: int, n_u: int):
    """Places of a set of images, most of which belong to neither."""

    def make(generator: torch.Generator) -> dict:
        drawn = 5 + torch.randperm(2 * (labelled + unlabelled), generator=generator)
        parts = drawn[:labelled], drawn[labelled : labelled + unlabelled]
        return dict(zip(("labelled", "unlabelled", "n_s", "n_u"), (*parts, n_s, n_u)))

    return make


TASK = Task(
    id="hybridnet.two_streams",
    title="Two streams into one batch",
    difficulty=2,
    minutes=25,
    points=2,
    function="two_stream_batches",
    takes={"labelled": "(N_s,)", "unlabelled": "(N_u,)", "n_s": "number", "n_u": "number"},
    gives=dict.fromkeys((*NUMBERS, *(f"check (1 is passed) that {each}" for each in CHECKS)), "scalar"),
    written="two_stream_batches(labelled: (N_s,), unlabelled: (N_u,), n_s, n_u) -> pairs (n_s,), (n_u,)",
    use=use,
    hints=(
        "The unlabelled stream says when the epoch ends; it is one shuffled pass. "
        "The labelled stream never ends: whenever it runs dry, shuffle all labelled places anew "
        "and put them behind what is left.",
        "epoch:  ⌊N_u / n_u⌋ batches, batch b holding shuffled[b · n_u : (b + 1) · n_u]\n"
        "labelled stream:  permutation 1, permutation 2, permutation 3, …\n"
        "cut into pieces of n_s, across their borders",
        "order <- unlabelled, shuffled\n"
        "waiting <- nothing\n"
        "for each whole piece of n_u places of order:\n"
        "    while fewer than n_s places are waiting:\n"
        "        append labelled, shuffled anew, to waiting\n"
        "    give out the first n_s of waiting, and the piece\n"
        "    take those n_s away from waiting",
    ),
    oracle=oracle,
    cases=(
        Case("20 labelled in fives and 60 unlabelled in sixes", places(20, 60, 5, 6)),
        Case("11 labelled in fours and 53 unlabelled in eights", places(11, 53, 4, 8)),
        Case("30 labelled in fours and 23 unlabelled in fives", places(30, 23, 4, 5)),
        Case("13 labelled in fours and 32 unlabelled in threes", places(13, 32, 4, 3)),
        Case("2 labelled in fives and 30 unlabelled in tens", places(2, 30, 5, 10)),
        Case("12 labelled in ones and 24 unlabelled in ones", places(12, 24, 1, 1)),
    ),
    large=Case("50 labelled in tens and 1,000 unlabelled in forties", places(50, 1_000, 10, 40)),
    misconceptions=MISCONCEPTIONS,
)
