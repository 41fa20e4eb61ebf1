"""The task hybridnet.temporal_ensemble: any way to keep averages passes, slips get their own message."""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.grading.tasks.hybridnet.faulty_ensembles import Pieces
from course_lib.grading.tasks.hybridnet.temporal_ensemble import TASK, oracle, use
from course_lib.methods.temporal_ensembling import TemporalEnsembling
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


class WithTensors:
    def __init__(self, n, classes, alpha=0.6):
        self.alpha = alpha
        self.z, self.total = torch.zeros(2, n, classes)
        self.t, self.count = torch.zeros(2, n)

    def target(self, index):
        t = self.t[index]
        known = t > 0
        divisor = torch.where(known, 1 - self.alpha**t, 1.0)
        return self.z[index] / divisor[:, None], known

    def observe(self, index, prob):
        self.total[index] += prob.detach()
        self.count[index] += 1

    def end_epoch(self):
        seen = self.count > 0
        mean = self.total[seen] / self.count[seen, None]
        self.z[seen] = torch.lerp(mean, self.z[seen], self.alpha)
        self.t[seen] += 1
        self.total.zero_()
        self.count.zero_()


class AsAModule(nn.Module):
    """Buffers in float64; what is not known is not a number."""

    def __init__(self, n, classes, alpha=0.6, **options):
        super().__init__()
        self.alpha = alpha
        for name, shape in (("z", (n, classes)), ("new", (n, classes)), ("t", (n, 1)), ("c", (n, 1))):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def target(self, index):
        return self.z[index] / (1 - self.alpha ** self.t[index]), self.t[index].squeeze(1) >= 1

    @torch.no_grad()
    def observe(self, index, prob):
        self.new.index_add_(0, index, prob.double())
        self.c.index_add_(0, index, torch.ones(len(index), 1, dtype=torch.float64))

    def end_epoch(self):
        came = (self.c > 0).double()
        mean = self.new / self.c.clamp(min=1)
        self.z = came * (self.alpha * self.z + (1 - self.alpha) * mean) + (1 - came) * self.z
        self.t = self.t + came
        self.new, self.c = torch.zeros_like(self.new), torch.zeros_like(self.c)


class WholeHistory:
    """Keeps every prediction and writes the weighted sum out."""

    def __init__(self, n, classes, alpha=0.6):
        self.past, self.now = {i: [] for i in range(n)}, {}
        self.none, self.alpha = torch.zeros(classes), alpha

    def target(self, index):
        rows = [self.row(int(i)) for i in index]
        return torch.stack(rows), torch.tensor([bool(self.past[int(i)]) for i in index])

    def row(self, i):
        past = self.past[i][::-1]
        weights = [self.alpha**j for j in range(len(past))]
        return sum((w * p for w, p in zip(weights, past)), self.none) / max(sum(weights), 1)

    def observe(self, index, prob):
        for i, p in zip(index, prob):
            self.now.setdefault(int(i), []).append(p.data.clone())

    def end_epoch(self):
        for i, told in self.now.items():
            self.past[i].append(torch.stack(told).mean(0))
        self.now.clear()


class MadeToSumToOne(WithTensors):
    """Probabilities sum to 1, so the sum of Z is 1 - αᵗ."""

    def target(self, index):
        z = self.z[index]
        return nn.functional.normalize(z, p=1, dim=1), z.sum(1) > 0


class InNumpy:
    def __init__(self, n, classes, alpha=0.6):
        self.a = alpha
        self.z, self.total = np.zeros((n, classes)), np.zeros((n, classes))
        self.weight, self.count = np.zeros(n), np.zeros(n)  # weight: what the past weighs in all

    def target(self, index):
        weight = self.weight[index.numpy()]
        targets = self.z[index.numpy()] / np.where(weight > 0, weight, 1)[:, None]
        return torch.from_numpy(targets).float(), torch.from_numpy(weight > 0)

    def observe(self, index, prob):
        np.add.at(self.total, index.numpy(), prob.detach().numpy())
        np.add.at(self.count, index.numpy(), 1)

    def end_epoch(self):
        for i in np.flatnonzero(self.count):
            self.z[i] = self.a * self.z[i] + (1 - self.a) * self.total[i] / self.count[i]
            self.weight[i] = self.a * self.weight[i] + 1 - self.a
        self.total[:], self.count[:] = 0, 0


class OfTheLibrary:
    """The library's own, with the epochs counted for it."""

    def __init__(self, n, classes, alpha=0.6):
        self.inner, self.epoch = TemporalEnsembling(n, classes, alpha), 0

    def target(self, index):
        return tuple(self.inner.target(Batch(index), self.epoch))

    def observe(self, index, prob):
        self.inner.observe(Batch(index), prob, self.epoch)

    def end_epoch(self):
        self.epoch += 1


class Batch:
    def __init__(self, index):
        self.index = index


RIGHT = [Pieces, WithTensors, AsAModule, WholeHistory, MadeToSumToOne, InNumpy, OfTheLibrary]

# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "1 - α for α everywhere": "finite",
    "gradient leaks": "gradient",
    "writes into prob": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    class Overwrites(WithTensors):
        def observe(self, index, prob):
            self.total[index] = prob.detach()
            self.count[index] = 1

    class ByPlace(WithTensors):
        def target(self, index):
            return self.z[: len(index)] / (1 - self.alpha ** self.t[: len(index), None]), self.t[
                : len(index)
            ] > 0

        def observe(self, index, prob):
            self.total[: len(index)] += prob.detach()
            self.count[: len(index)] += 1

    class Undetached(WholeHistory):
        def observe(self, index, prob):
            for i, p in zip(index, prob):
                self.now.setdefault(int(i), []).append(p)

    assert verdict(Overwrites).misconception == "last of the epoch"
    assert verdict(ByPlace).misconception == "place in the batch"
    assert verdict(Undetached).misconception == "gradient leaks"


@pytest.mark.parametrize(
    "target, said",
    [
        (lambda self, index: self.z[index], "must return two tensors"),
        (lambda self, index: (self.z[index], True), "its known are a bool"),
        (lambda self, index: (self.z, self.t > 0), "yours have (6, 3)"),
        (lambda self, index: (self.z[index], self.t[index, None] > 0), "yours have (4, 1)"),
    ],
)
def test_a_target_of_another_kind_is_told(target, said):
    outcome = verdict(type("Other", (WithTensors,), {"target": target}))
    assert outcome.cause == "unusable" and said in outcome.says


def test_a_class_that_nobody_has_begun_is_not_attempted():
    class Stub:
        def __init__(self, n, classes, alpha=0.6):
            raise NotImplementedError("hybridnet.temporal_ensemble")

    assert verdict(Stub).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def test_constant_predictions_are_their_own_target_after_any_number_of_epochs():
    prob = torch.rand(5, 4, 3, dtype=torch.float64)[:1].repeat(5, 1, 1)
    known, targets, _, last = oracle(torch.arange(4).repeat(5, 1), prob, n=4, batch=2, alpha=0.8)
    assert known.tolist() == [[0] * 4, *[[1] * 4] * 4]
    assert torch.allclose(targets[1:], prob[1:], rtol=1e-12) and torch.allclose(last, prob[0], rtol=1e-12)


def test_the_recursion_by_hand():
    """ŷ = 1, then 0: after one epoch the target is 1, after two 0.6 · 0.4 / (1 - 0.36)."""
    prob = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]], dtype=torch.float64)
    known, targets, _, last = oracle(torch.zeros(2, 1, dtype=torch.long), prob, n=1, batch=1)
    assert known.tolist() == [[0], [1]] and targets[1, 0].tolist() == pytest.approx([1, 0])
    assert last[0].tolist() == pytest.approx([0.24 / 0.64, 0.4 / 0.64])


def test_an_image_that_is_missing_keeps_what_it_has():
    index = torch.tensor([[0, 1], [0, 0], [0, 1]])
    prob = torch.rand(3, 2, 2, dtype=torch.float64)
    _, targets, _, _ = oracle(index, prob, n=2, batch=1)
    assert torch.allclose(targets[2, 1], prob[0, 1])


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[1].inputs()
    use(Pieces, **given)
    assert all(torch.equal(given[name], TASK.cases[1].inputs()[name]) for name in ("index", "prob"))
