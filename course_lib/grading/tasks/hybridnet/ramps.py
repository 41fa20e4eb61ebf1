"""hybridnet.ramps: how a weight or a rate comes and goes during training (Robert 2019, below Table B.6)."""

import math

import torch
from torch import Tensor

from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.hybridnet.wrong_ramps import MISCONCEPTIONS


def oracle(step: Tensor, start: float, end: float, kind: str) -> Tensor:
    """The four curves, one step after the other."""
    factors = []
    for s in step.tolist():
        t = (s - start) / (end - start)
        t = 0.0 if t < 0 else 1.0 if t > 1 else t
        if kind == "increase":
            factors.append(math.exp(-5 * (1 - t) ** 2))
        elif kind == "decrease":
            factors.append(math.exp(-5 * t**2))
        elif kind == "linear":
            factors.append(1 - t)
        else:
            factors.append((math.cos(math.pi * t) + 1) / 2)
    return torch.tensor(factors, dtype=torch.float64)


def steps(values: list[float], start: float, end: float, kind: str):
    return lambda generator: {"step": torch.tensor(values), "start": start, "end": end, "kind": kind}


def drawn(many: int, start: float, end: float, kind: str):
    """Steps in no order, from before the start to after the end."""

    def make(generator: torch.Generator) -> dict:
        return steps(torch.randperm(many, generator=generator).tolist(), start, end, kind)(generator)

    return make


TASK = Task(
    id="hybridnet.ramps",
    title="Ramps",
    difficulty=1,
    minutes=15,
    points=1,
    function="ramp",
    takes={"step": "(N,)", "start": "number", "end": "number", "kind": "text"},
    gives={"factor": "(N,)"},
    hints=(
        "First find how much of the interval is done, a number from 0 to 1 for every step, "
        "also for steps that lie outside of it. Only then think of the curve.",
        "t        = (step - start) / (end - start), kept between 0 and 1\n"
        "increase = exp(-5 · (1 - t)²)      decrease = exp(-5 · t²)\n"
        "linear   = 1 - t                   cosine   = (cos(π t) + 1) / 2",
        "t <- (step - start) / (end - start)          # (N,)\n"
        "t <- t, but 0 where it is below 0 and 1 where it is above 1\n"
        "if kind is increase: turn t round, it runs from 1 to 0\n"
        "if kind is increase or decrease: the result is exp of -5 times the square of t\n"
        "if kind is linear: the result is 1 minus t\n"
        "if kind is cosine: the result is half of (the cosine of π t, plus 1)",
    ),
    oracle=oracle,
    cases=(
        Case(
            "an increase over the first 800 batches", steps([0, 200, 400, 700, 800, 950], 0, 800, "increase")
        ),
        Case(
            "a decrease from batch 48,000 to 60,000",
            steps([0, 30_000, 48_000, 50_000, 54_000, 58_800, 60_000, 61_500], 48_000, 60_000, "decrease"),
        ),
        Case(
            "a linear decrease from batch 40,000 to 60,000",
            steps([0, 40_000, 45_000, 52_000, 60_000, 61_000], 40_000, 60_000, "linear"),
        ),
        Case("a cosine over 300 epochs", steps([0, 60, 150, 210, 300, 310], 0, 300, "cosine")),
        Case(
            "an increase from batch 100 to 500, not in order",
            steps([500, 150, 0, 300, 800, 100, 450], 100, 500, "increase"),
        ),
        Case("a cosine from epoch 20 to 60", steps([5, 20, 31, 44, 60, 75], 20, 60, "cosine")),
        Case(
            "fractions of an epoch in float32",
            steps([0.0, 0.25, 1.5, 2.5, 4.75, 5.0, 6.5], 0, 5, "increase"),
            dtype=torch.float32,
        ),
        Case("1 step of a decrease", steps([3], 1, 6, "decrease")),
    ),
    large=Case("20,000 steps", drawn(20_000, 500, 9500, "cosine")),
    misconceptions=MISCONCEPTIONS,
)
