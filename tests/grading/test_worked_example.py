"""The worked example of CONTRIBUTING is a task that keeps every rule it teaches."""

import re
from pathlib import Path

import pytest
import torch

from tests.grading.trying import verdict

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def task():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    space = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), space)
    return space["TASK"]


def by_hand(x):
    top = x.max(dim=1).values
    return top + torch.stack([torch.exp(row - c).sum().log() for row, c in zip(x, top)])


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: torch.logsumexp(x, 1),
        lambda x: x.amax(1) + (x - x.amax(1)[:, None]).exp().sum(-1).log(),
        by_hand,
    ],
)
def test_right_answers_pass(task, answer):
    assert verdict(task, answer).says == ""


def test_wrong_answers_are_told_their_own_mistake(task):
    assert len(task.misconceptions) >= 8
    for entry in task.misconceptions:
        outcome = verdict(task, entry.wrong)
        assert (outcome.misconception, outcome.advice) == (entry.name, entry.message)


def test_the_stub_is_not_attempted(task):
    def stub(x):
        raise NotImplementedError

    assert verdict(task, stub).state == "not attempted"
