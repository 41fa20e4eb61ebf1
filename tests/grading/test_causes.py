"""Every cause, on the shade task: it is recognised, told in words, and told before all that come after it."""

import random
from collections import Counter

import numpy as np
import pytest
import torch

from course_lib.grading import tasks
from course_lib.grading.judge import CAUSES, judge
from course_lib.grading.observe import observe
from tests.grading.answers import right, stub

TASK = tasks.get("shade.penalty")


def verdict(answer):
    return judge(TASK, observe(TASK, answer, devices=("cpu",)))


def docstring_only(h, mu):
    """To do."""


def dots(h, mu): ...


def returns_dots(h, mu):
    return ...


def wrong_parameters_but_blank(h):
    raise NotImplementedError


@pytest.mark.parametrize(
    "answer", [None, ..., stub, docstring_only, dots, returns_dots, wrong_parameters_but_blank]
)
def test_what_nobody_has_begun_is_not_attempted(answer):
    outcome = verdict(answer)
    assert (outcome.cause, outcome.state, outcome.points) == ("not attempted", "not attempted", 0)
    assert "shade_penalty" in outcome.message


def forgets_return(h, mu):
    right(h, mu)


def torch_says_not_implemented(h, mu):
    return torch.empty(3, device="meta").cpu()


def raises(h, mu):
    columns = h.shape[1]
    return h.view(columns + 1, -1)


def raises_for_one_sample_only(h, mu):
    return right(h, mu) / (h.shape[0] != 1) if h.shape[0] != 1 else {}["K"]


def leaves(h, mu):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (torch.zeros(3), "without brackets"),
        ([1.0], "a list"),
        (torch.nn.ReLU, "the class ReLU"),
        (forgets_return, "without `return`"),
        (lambda h, mu: 0.5, "a float"),
        (lambda h, mu: right(h, mu).numpy(), "a ndarray"),
        (lambda h, mu: (right(h, mu), 1), "a tuple"),
        (lambda h, mu: right(h, mu).to_sparse(), "torch.sparse_coo"),
        (torch_says_not_implemented, "your line 2: `return torch.empty"),
        (raises, "your line 3: `return h.view(columns + 1, -1)`"),
        (raises_for_one_sample_only, "with 1 sample of 4 units"),
        (leaves, "SystemExit: 3"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_answer_that_gives_no_tensor_is_unusable(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable"
    if "your line" in words:  # counted from the top of this file here, of the cell in a notebook
        line = answer.__code__.co_firstlineno + int(words.split("line ")[1].split(":")[0]) - 1
        words = f"your line {line}:" + words.split(":", 1)[1]
    assert words in outcome.message
    assert "course_lib" not in outcome.message


@pytest.mark.parametrize(
    "answer", [lambda h: h, lambda h, mu, decay: h, lambda *, h, mu: h], ids=["few", "many", "by name"]
)
def test_other_parameters_are_the_signature(answer):
    outcome = verdict(answer)
    assert outcome.cause == "signature"
    assert "shade_penalty(h, mu)" in outcome.message


def remembers():
    """Right for two calls with the same input (for the result, for the gradient), wrong after."""
    calls = Counter()

    def answer(h, mu):
        calls[float(h.detach().sum())] += 1
        return right(h, mu) * (1 if calls[float(h.detach().sum())] <= 2 else 2)

    return answer


def draws(h, mu):
    """Right for the seed of the first call, noisy for another."""
    noise = torch.rand(()).item() + random.random() + np.random.rand()
    draws.first = noise if draws.first is None else draws.first
    return right(h, mu) + (noise - draws.first)


def endless(h, mu):
    while len(h) > 20:
        pass
    return right(h, mu)


def endless_and_deaf(h, mu):
    while len(h) > 20:
        try:
            while True:
                pass
        except BaseException:
            if len(h) > 1000:
                break
            h = torch.cat([h, h])
    return right(h[:64], mu)


def nan_for_one(h):
    return 0.0 / torch.tensor(len(h) - 1.0)


FAULTS = [
    (lambda h, mu: right(h, mu)[:, None], "shape", "(3, 1)"),
    (lambda h, mu: right(h, mu).round().long(), "dtype", "int64"),
    (lambda h, mu: right(h, mu).bool(), "dtype", "bool"),
    (lambda h, mu: right(h, mu).to(torch.complex64), "dtype", "complex64"),
    (lambda h, mu: right(h, mu).half(), "dtype", "float16"),
    (lambda h, mu: right(h, mu).to("meta"), "device", "on meta"),
    (lambda h, mu: right(h, mu) + nan_for_one(h), "finite", "1 sample of 4 units, the result at index [0]"),
    (lambda h, mu: right(h, mu) * 1.001, "value", "should be"),
    (lambda h, mu: right(h, mu) + 1e-6, "value", "5 samples of 3 units"),
    (lambda h, mu: right(h, mu).detach(), "gradient", "no gradient reaches h"),
    (lambda h, mu: torch.from_numpy(right(h, mu).numpy()), "gradient", "RuntimeError"),
    (lambda h, mu: right(h, mu) + h.sum(0) - h.sum(0).detach(), "gradient", "the gradient at h["),
    (lambda h, mu: (right(h, mu), h.zero_())[0], "inputs", "changes h"),
    (lambda h, mu: (right(h, mu), mu.add_(1))[0], "inputs", "changes mu"),
    (lambda h, mu: (right(h, mu), h.t_())[0], "inputs", "changes h"),
    (remembers(), "state", "remembers"),
    (endless, "cost", "64 samples of 16 units"),
    (endless_and_deaf, "cost", "plain loops"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "cause", "words"), FAULTS, ids=[f"{n}-{f[1]}" for n, f in enumerate(FAULTS)]
)
def test_each_fault_is_told_by_its_cause(answer, cause, words):
    outcome = verdict(answer)
    assert outcome.cause == cause
    assert words in outcome.message
    assert outcome.points == 0


def test_chance_is_told_from_memory():
    draws.first = None
    outcome = verdict(draws)
    assert outcome.cause == "state"
    assert "random" in outcome.message


REMEMBERS = remembers()

# For each cause an answer with this fault and a later one: the earlier cause is the one that is told.
BOTH = {
    "signature": lambda h: h.long(),
    "shape": lambda h, mu: right(h, mu)[:, None].long(),
    "dtype": lambda h, mu: right(h, mu).long().to("meta"),
    "device": lambda h, mu: (right(h, mu) / 0).to("meta"),
    "finite": lambda h, mu: right(h, mu) * 2 + nan_for_one(h),
    "value": lambda h, mu: 2 * right(h, mu).detach(),
    "gradient": lambda h, mu: (right(h, mu).detach(), h.zero_())[0],
    "inputs": lambda h, mu: (REMEMBERS(h, mu), h.zero_())[0],
}  # fmt: skip


@pytest.mark.parametrize("cause", BOTH)
def test_only_the_first_cause_is_told(cause):
    assert verdict(BOTH[cause]).cause == cause


def test_the_order_of_causes_is_fixed():
    assert CAUSES == (
        "not attempted", "unusable", "borrowed", "signature", "shape", "dtype", "device", "finite", "value",
        "gradient", "inputs", "state", "cost",
    )  # fmt: skip


def test_a_call_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr("course_lib.grading.observe.attempt.__kwdefaults__", {"number": 0, "seconds": 0.3})

    def never(h, mu):
        while True:
            pass

    outcome = verdict(never)
    assert outcome.cause == "cost"
    assert "did not end" in outcome.message


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_tensor_made_on_the_cpu_is_told_on_the_gpu():
    def answer(h, mu):
        return right(h, mu) + torch.zeros(h.shape[1], device="cpu")

    outcome = judge(TASK, observe(TASK, answer, devices=("cpu", "cuda")))
    assert outcome.cause == "device"
    assert judge(TASK, observe(TASK, right, devices=("cpu", "cuda"))).passed
