"""The task shade.small_labels: honest comparisons pass, and each dishonest one gets its own message."""

import math
import statistics

import numpy as np
import pytest
import torch
from scipy import stats

from course_lib.grading.tasks.shade.known_training import KnownTraining
from course_lib.grading.tasks.shade.small_labels import TASK, oracle
from course_lib.metrics import paired_interval
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def with_tensors(train, labels, seeds):
    def accuracies(method):
        return torch.tensor([[train(method, n, s) for s in seeds] for n in labels], dtype=torch.float64)

    none, shade, varentropy = map(accuracies, ("none", "shade", "varentropy"))
    d = torch.stack([shade - none, shade - varentropy], dim=1)
    half = stats.t.ppf(0.975, len(seeds) - 1) * d.std(-1) / math.sqrt(len(seeds))
    gain = d.mean(-1)
    return gain, gain - half, gain + half, (gain > half).int() - (gain < -half).int()


def loops(train, labels, seeds, level=0.95):
    tables = torch.zeros(4, len(labels), 2)  # float32
    for i, n in enumerate(labels):
        differences = [], []
        for seed in seeds:
            shade = train(method="shade", labels=n, seed=seed)
            for j, other in enumerate(("none", "varentropy")):
                differences[j].append(shade - train(other, n, seed))
        for j in (0, 1):
            t = stats.t.isf((1 - level) / 2, len(seeds) - 1)
            gain = statistics.mean(differences[j])
            half = t * statistics.stdev(differences[j]) / len(seeds) ** 0.5
            verdict = 1 if gain > half else -1 if gain < -half else 0
            tables[:, i, j] = torch.tensor([gain, gain - half, gain + half, verdict])
    return tuple(tables)


def with_a_printed_table(train, labels, seeds):
    t = {2: 12.706, 3: 4.303, 4: 3.182, 9: 2.306}[len(seeds)]
    known = {(m, n, s): train(m, n, s) for s in reversed(seeds) for n in labels for m in METHODS}
    pairs = [[known["shade", n, s] - known[m, n, s] for s in seeds] for n in labels for m in METHODS[::2]]
    d = np.array(pairs).reshape(len(labels), 2, len(seeds))
    gain, half = d.mean(2), t * d.std(2, ddof=1) / np.sqrt(len(seeds))
    return gain, gain - half, gain + half, np.sign(gain) * (np.abs(gain) > half)


def with_the_courses_metric(train, labels, seeds):
    def row(n):
        none, shade, varentropy = ([train(m, n, s) for s in seeds] for m in METHODS)
        return [paired_interval(shade, other) for other in (none, varentropy)]

    rows = [row(n) for n in labels]
    tables = [torch.tensor([[getattr(i, name) for i in row] for row in rows]) for name in ENDS]
    return *tables, (tables[1] > 0).long() - (tables[2] < 0).long()


def lists(train, labels, seeds):
    return [table.tolist() for table in with_tensors(train, labels, seeds)]


METHODS = ("none", "shade", "varentropy")
ENDS = ("mean", "low", "high")
RIGHT = [with_tensors, loops, with_a_printed_table, with_the_courses_metric, lists]


def test_training_is_not_borrowing():
    assert verdict(with_tensors, watch=True).passed


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"labels in columns": "shape", "no interval without spread": "finite"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def counted_up(train, labels, seeds):
        count = iter(range(10_000))
        return with_tensors(lambda method, n, seed: train(method, n, next(count) - 10_000), labels, seeds)

    assert verdict(counted_up).misconception == "a new seed each time"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda train, labels, seeds: train("SHADE", labels[0], seeds[0]), "possible are none, shade"),
        (lambda train, labels, seeds: train("shade", 7, seeds[0]), "train got the labels 7, possible are"),
        (lambda train, labels, seeds: torch.zeros(3), "must be a tuple of four, gain, low, high, verdict"),
        (lambda train, labels, seeds: print(train("none", labels[0], seeds[0])), "its result is None"),
        (lambda train, labels: None, "takes 2 positional arguments but 3 were given"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(train, labels, seeds):
        raise NotImplementedError("shade.small_labels")

    assert verdict(stub).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def results(number):
    return dict(zip(TASK.gives, oracle(**TASK.cases[number].exact())))


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_verdict_is_that_of_the_paired_t_test_at_5_per_cent(number):
    given, found = TASK.cases[number].exact(), results(number)
    none, shade, varentropy = given["accuracies"]
    for i in range(len(shade)):
        for j, other in enumerate((none, varentropy)):
            difference = shade[i] - other[i]
            if difference.std() > 0:
                test = stats.ttest_rel(shade[i].numpy(), other[i].numpy())
                assert (found["verdict"][i, j] != 0) == (test.pvalue < 0.05)
            else:
                assert found["verdict"][i, j] == difference[0].sign()


def test_all_three_verdicts_occur_and_pairing_decides_what_unpaired_runs_do_not():
    said = torch.cat([results(n)["verdict"].flatten() for n in range(len(TASK.cases))])
    assert set(said.tolist()) == {-1, 0, 1}


def test_a_shift_that_all_methods_share_changes_nothing():
    given = TASK.cases[0].exact()
    shifted = given | {"accuracies": given["accuracies"] + 3 * torch.randn(3, 4).double()}
    for before, after in zip(oracle(**given), oracle(**shifted)):
        assert torch.allclose(before, after, rtol=0, atol=1e-9)


def test_an_interval_covers_the_true_gain_in_95_of_100_cases():
    torch.manual_seed(0)
    accuracies = torch.randn(3, 4000, 4).double()  # no method is better
    labels = torch.arange(4000)
    _, _, _, low, high, verdict = oracle(accuracies, labels, torch.arange(4))
    assert ((low < 0) & (high > 0)).double().mean() == pytest.approx(0.95, abs=0.01)
    assert verdict.abs().mean() == pytest.approx(0.05, abs=0.01)


def test_the_known_training_counts_and_answers_for_unknown_seeds():
    train = KnownTraining(torch.arange(12.0).reshape(3, 2, 2), [50, 100], [7, 3])
    assert [train("shade", 50, 3), train("none", 100, 7), train("varentropy", 50, 4)] == [5.0, 2.0, 8.5]
    assert (train.calls, train.other_seeds) == (3, 1)
