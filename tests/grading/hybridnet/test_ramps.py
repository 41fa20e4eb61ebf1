"""The task hybridnet.ramps: the four curves pass however written, wrong ones get their own message."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from course_lib.grading.tasks.hybridnet.ramps import TASK, oracle
from course_lib.training.schedules import cosine, linear_ramp, sigmoid_ramp
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def clamped(step, start, end, kind):
    t = torch.clamp((step - start) / (end - start), 0, 1)
    if kind == "linear":
        return 1 - t
    if kind == "cosine":
        return 0.5 * (1 + torch.cos(torch.pi * t))
    return torch.exp(-5 * (1 - t if kind == "increase" else t) ** 2)


def plain_loop(step, start, end, kind):
    factors = []
    for s in step:
        s = min(max(float(s), start), end)
        left = (end - s) / (end - start)
        factors.append(
            {
                "increase": math.exp(-5 * left * left),
                "decrease": math.exp(-5 * (1 - left) ** 2),
                "linear": left,
                "cosine": math.sin(math.pi * left / 2) ** 2,
            }[kind]
        )
    return torch.tensor(factors)


def in_numpy(step, start, end, kind):
    t = np.interp(step.numpy(), [start, end], [0, 1])
    curves = {
        "increase": np.exp(-5 * (t - 1) ** 2),
        "decrease": np.exp(-5 * t**2),
        "linear": 1 - t,
        "cosine": (np.cos(np.pi * t) + 1) / 2,
    }
    return torch.from_numpy(curves[kind])


def with_where(steps, first, last, shape, steepness=5.0):
    t = (steps.double() - first) / (last - first)
    t = torch.where(t < 0, 0.0, torch.where(t > 1, 1.0, t))
    match shape:
        case "increase":
            return (-steepness * (1 - t).square()).exp()
        case "decrease":
            return (-steepness * t.square()).exp()
        case "linear":
            return torch.lerp(torch.ones_like(t), torch.zeros_like(t), t)
        case _:
            return torch.cos(math.pi * t).add(1).div(2)


class AModule(torch.nn.Module):
    def forward(self, step, start, end, kind):
        return clamped(step.float(), float(start), float(end), kind)


RIGHT = [clamped, plain_loop, in_numpy, with_where, AModule()]

# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"writes into step": "inputs"}
FALLING = {"increase": "decrease"}


@pytest.mark.parametrize(
    "answer, name",
    [
        (lambda s, a, b, k: clamped(s, 0, b, k), "start ignored"),
        (lambda s, a, b, k: clamped(s, a, b, k) * (1 + (k == "cosine")), "cosine without the half"),
        (lambda s, a, b, k: clamped(s, a, b, FALLING.get(k, k)), "increase not turned round"),
        (lambda s, a, b, k: clamped((s >= b).int(), 0, 1, k), "integer division"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(TASK, answer).misconception == name


def test_a_plain_number_is_no_row_of_factors():
    outcome = verdict(TASK, lambda step, start, end, kind: 1.0)
    assert outcome.cause == "unusable" and "a float" in outcome.says


# --- the oracle, against what the source says ------------------------------------------------


def along(kind, *steps, start=40, end=80):
    return oracle(torch.tensor(steps), start, end, kind).tolist()


def test_an_increase_goes_from_exp_minus_5_to_1_and_rests_outside():
    assert along("increase", 0, 40, 60, 80, 99) == pytest.approx(
        [0.0067379, 0.0067379, 0.2865, 1, 1], abs=1e-4
    )


@pytest.mark.parametrize("kind", ["decrease", "linear", "cosine"])
def test_what_decreases_does_so_from_1_and_never_rises(kind):
    factors = along(kind, *range(120))
    assert factors[:41] == [1.0] * 41
    assert all(a >= b for a, b in pairwise(factors)) and factors[41] > factors[79]
    assert factors[-1] == pytest.approx({"decrease": math.exp(-5)}.get(kind, 0), abs=1e-12)


def test_increase_and_decrease_mirror_each_other():
    assert along("increase", *range(40, 81)) == pytest.approx(along("decrease", *range(80, 39, -1)))


def test_the_library_has_the_same_curves():
    progress = [0, 0.1, 0.35, 0.8, 1]
    steps = torch.tensor(progress)
    assert oracle(steps, 0, 1, "cosine").tolist() == pytest.approx([cosine(p) for p in progress], abs=1e-6)
    assert oracle(steps, 0, 0.4, "increase").tolist() == pytest.approx(
        [sigmoid_ramp(p, end=0.4) for p in progress], abs=1e-6
    )
    assert oracle(steps, 0.2, 0.9, "linear").tolist() == pytest.approx(
        [1 - linear_ramp(p, 0.2, 0.9) for p in progress], abs=1e-6
    )
