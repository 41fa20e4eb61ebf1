"""hybridnet.schedules: every weight and rate of a run, step by step (Robert 2019, Table B.2)."""

import math

import torch
from torch import Tensor

from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.hybridnet.wrong_schedules import MISCONCEPTIONS

NAMES = ("lr", "beta1", "lambda_c", "lambda_s", "lambda_r")
SIXTEEN = [0, 400, 800, 900, 7500, 15_000, 20_000, 30_000, 40_000, 43_000, 48_000, 51_000, 57_000, 58_500]
SIXTEEN += [59_999, 60_000]


def done(step: float, start: float, end: float) -> float:
    """How much of an interval is done, from 0 to 1."""
    return min(max((step - start) / (end - start), 0.0), 1.0)


def oracle(step: Tensor, total: int) -> tuple[Tensor, ...]:
    """The five lines of the table, one step after the other."""
    rows = []
    for s in step.tolist():
        lr = 0.003 * (1 - done(s, 2 * total / 3, total))
        beta1 = 0.5 + (0.9 - 0.5) * math.exp(-5 * done(s, 4 * total / 5, total) ** 2)
        lambda_c = 1 * math.exp(-5 * (1 - done(s, 0, 800)) ** 2)
        increase = math.exp(-5 * (1 - done(s, 0, total / 4)) ** 2)
        lambda_s = 100 * increase * math.exp(-5 * done(s, 4 * total / 5, total) ** 2)
        lambda_r = 1 * math.exp(-5 * done(s, 19 * total / 20, total) ** 2)
        rows.append([lr, beta1, lambda_c, lambda_s, lambda_r])
    return tuple(torch.tensor(rows, dtype=torch.float64).unbind(1))


def at(values: list[int], total: int):
    return lambda generator: {"step": torch.tensor(values), "total": total}


def drawn(many: int, total: int):
    """Steps in no order, from before the first to after the last."""
    return lambda generator: {
        "step": torch.randint(total + 1, (many,), generator=generator),
        "total": total,
    }


TASK = Task(
    id="hybridnet.schedules",
    title="A schedule for every weight",
    difficulty=2,
    minutes=20,
    points=2,
    function="schedule_table",
    takes={"step": "(N,)", "total": "number"},
    gives=dict.fromkeys(NAMES, "(N,)"),
    hints=(
        "Each column is a base value times one ramp or two. "
        "For each line of the table, write down where its interval starts and where it ends, in batches. "
        "Only β₁ is different, because it does not go down to nothing.",
        "lr       = 0.003 · linear decrease from 2/3 of the run to its end\n"
        "beta1    = 0.5 + (0.9 - 0.5) · decrease from 4/5 of the run to its end\n"
        "lambda_c = 1 · increase from batch 0 to batch 800\n"
        "lambda_s = 100 · increase from 0 to 1/4 of the run · decrease from 4/5 of it to its end\n"
        "lambda_r = 1 · decrease from 95 % of the run to its end",
        "late   <- ramp(step, from 4/5 of total, to total, decrease)       # (N,)\n"
        "lr     <- 0.003 times ramp(step, from 2/3 of total, to total, linear)\n"
        "beta1  <- 0.5 plus 0.4 times late\n"
        "lambda_c <- ramp(step, from 0, to 800, increase)\n"
        "lambda_s <- 100 times ramp(step, from 0, to total / 4, increase) times late\n"
        "lambda_r <- ramp(step, from 0.95 of total, to total, decrease)\n"
        "give all five back, in this order",
    ),
    oracle=oracle,
    cases=(
        Case("16 steps of a run of 60,000 batches", at(SIXTEEN, 60_000)),
        Case("20 steps of a run of 12,000 batches, not in order", drawn(20, 12_000)),
        Case("a run of 1,200 batches", at([0, 150, 300, 500, 799, 800, 1000, 1150, 1199, 1200], 1200)),
        Case("a run of 600 batches, which ends before λ_c is 1", at([0, 100, 450, 540, 585, 600], 600)),
        Case("1 step of a run of 3,000 batches", at([2900], 3000)),
    ),
    large=Case("20,000 steps", drawn(20_000, 60_000)),
    misconceptions=MISCONCEPTIONS,
)
