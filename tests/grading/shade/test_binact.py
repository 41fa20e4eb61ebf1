"""The task shade.binact: right answers pass however they are written, wrong ones get their own message."""

import numpy as np
import pytest
import torch

from course_lib.grading.tasks.shade.binact import TASK, oracle
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


def loops(h_train, h):
    out = torch.zeros(h.shape)  # float32
    for d in range(h.shape[1]):
        total, count = 0.0, 0
        for x in h_train[:, d].tolist():
            if x > 0:
                total, count = total + x, count + 1
        for k in range(h.shape[0]):
            out[k, d] = (total / count if count else 1) if h[k, d] > 0 else 0
    return out


def with_where(h_train, h):
    on = h_train > 0
    count = on.sum(0)
    level = torch.where(count > 0, (h_train * on).sum(0) / count, 1.0)
    return torch.where(h > 0, level, 0.0)


def with_nanmean(h_train, h, *, silent=1.0, **options):
    level = torch.where(h_train > 0, h_train, torch.nan).nanmean(0).nan_to_num(nan=silent)
    return level * (h > 0)


def unit_after_unit(train_values, values):
    columns = []
    for seen, now in zip(train_values.T, values.T):
        positive = seen[seen > 0]
        level = positive.mean() if len(positive) else torch.ones(()).to(now)
        columns.append(level * (now > 0))
    return torch.stack(columns, dim=1)


def with_einsum(h_train, h):
    on = (h_train > 0).to(h)
    total, count = torch.einsum("nd,nd->d", on, h_train), on.sum(0)
    level = (total + (count == 0)) / (count + (count == 0))
    return torch.einsum("kd,d->kd", (h > 0).to(h), level)


def in_numpy(h_train, h):
    train = np.ma.masked_less_equal(h_train.numpy(), 0)
    level = train.mean(0).filled(1.0)
    return torch.from_numpy(np.where(h.numpy() > 0, level, 0.0))


def on_copies(h_train, h):
    h_train, h = h_train.clone(), h.clone()
    h_train[h_train <= 0] = 0
    count = h_train.count_nonzero(0)
    level = h_train.sum(0) / count
    level[count == 0] = 1
    h[h <= 0] = 0
    h[h > 0] = level.expand_as(h)[h > 0]
    return h


class AModule(torch.nn.Module):
    def forward(self, h_train, h):
        return with_where(h_train, h)


RIGHT = [
    loops, with_where, with_nanmean, unit_after_unit, with_einsum, in_numpy, on_copies, AModule(), oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "the training values switched": "shape",
    "levels alone": "shape",
    "no level for a silent unit": "finite",
    "writes into h": "inputs",
    "writes into h_train": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def in_float32(h_train, h):
        level = np.maximum(h_train.numpy(), 0).sum(0, dtype=np.float32) / len(h_train)
        return torch.from_numpy((h.numpy() > 0) * level)

    assert verdict(in_float32).misconception == "zeros averaged in"


# --- the oracle, against what the source says --------------------------------------------------

GIVEN = [case.exact() for case in TASK.cases]


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: "x".join(map(str, given["h"].shape)))
def test_each_unit_has_two_values_at_most_one_of_them_zero(given):
    out = oracle(**given)
    for d in range(out.shape[1]):
        assert len(set(out[:, d].tolist()) - {0.0}) <= 1
    assert (out >= 0).all() and torch.equal(out > 0, given["h"] > 0)


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: "x".join(map(str, given["h"].shape)))
def test_it_is_idempotent(given):
    once = oracle(**given)
    assert torch.equal(oracle(given["h_train"], once), once)


@pytest.mark.parametrize("given", GIVEN[:1] + GIVEN[2:3])
def test_on_the_training_values_it_keeps_the_mean_activation(given):
    """A unit that is on as often as before, at its mean, gives as much on average as the ReLU did."""
    train = given["h_train"]
    assert torch.allclose(oracle(train, train).mean(0), torch.relu(train).mean(0), rtol=1e-12, atol=0)


def test_a_value_of_exactly_zero_stays_zero():
    h_train, h = torch.tensor([[2.0], [-1.0]]).double(), torch.tensor([[0.0], [-0.0], [1e-9]]).double()
    assert oracle(h_train, h).flatten().tolist() == [0, 0, 2]
