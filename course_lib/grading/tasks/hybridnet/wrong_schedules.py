"""Wrong answers to hybridnet.schedules: the table with one of its columns, or more, replaced."""

import math

import torch

from course_lib.grading.task import Misconception


def done(step, start, end):
    return ((step - start) / (end - start)).clamp(0, 1)


def bell(t):
    return torch.exp(-5 * t**2)


def rise(step, start, end):
    return bell(1 - done(step, start, end))


def fall(step, start, end):
    return bell(done(step, start, end))


def line(step, start, end):
    return 1 - done(step, start, end)


def stretched(factor):
    """Moved and scaled, so that what was exp(-5) is 0."""
    return (factor - math.exp(-5)) / (1 - math.exp(-5))


COLUMNS = {
    "lr": lambda s, n: 0.003 * line(s, 2 * n / 3, n),
    "beta1": lambda s, n: 0.5 + 0.4 * fall(s, 0.8 * n, n),
    "lambda_c": lambda s, n: rise(s, 0, 800),
    "lambda_s": lambda s, n: 100 * rise(s, 0, n / 4) * fall(s, 0.8 * n, n),
    "lambda_r": lambda s, n: fall(s, 0.95 * n, n),
}


def table(step, total):
    return tuple(column(step.double(), total) for column in COLUMNS.values())


def with_columns(**columns):
    return lambda step, total: tuple(c(step.double(), total) for c in {**COLUMNS, **columns}.values())


def beta(of_late):
    """The table with a β₁ of its own, as a function of the progress over the last fifth."""
    return with_columns(beta1=lambda s, n: of_late(done(s, 0.8 * n, n)))


def stability(of_both):
    """The table with a λ_s of its own, as a function of its increase and its decrease."""
    return with_columns(lambda_s=lambda s, n: 100 * of_both(rise(s, 0, n / 4), fall(s, 0.8 * n, n)))


def writes_into_step(step, total):
    made = table(step, total)
    step -= 19 * total // 20  # where the last column begins
    return made


MISCONCEPTIONS = (
    Misconception(
        "lr over the whole run",
        with_columns(lr=lambda s, n: 0.003 * line(s, 0, n)),
        "The learning rate falls from the first batch on. It stays at 0.003 for two thirds of the run.",
    ),
    Misconception(
        "lr from a third on",
        with_columns(lr=lambda s, n: 0.003 * line(s, n / 3, n)),
        "The learning rate falls from one third of the run on. "
        "The last third begins where two thirds are done.",
    ),
    Misconception(
        "lr exponential",
        with_columns(lr=lambda s, n: 0.003 * fall(s, 2 * n / 3, n)),
        "The learning rate falls along exp(-5 t²). It is the one column whose decrease is linear, to 0.",
    ),
    Misconception(
        "β₁ to 0",
        beta(lambda t: 0.9 * bell(t)),
        "β₁ goes down to nearly 0. It goes from 0.9 to 0.5, so only the difference of 0.4 is multiplied "
        "with the ramp.",
    ),
    Misconception(
        "β₁ rises",
        beta(lambda t: 0.9 - 0.4 * bell(t)),
        "β₁ starts at 0.5 and rises. The ramp is 1 until 4/5 of the run, and there β₁ has to be 0.9.",
    ),
    Misconception(
        "β₁ cut off at 0.5",
        beta(lambda t: (0.9 * bell(t)).clamp(min=0.5)),
        "β₁ falls towards 0 and is cut off at 0.5. "
        "Let it go from 0.9 to 0.5 over the whole interval: 0.5 plus 0.4 times the ramp.",
    ),
    Misconception(
        "β₁ with 0.5 in the place of 0.4",
        beta(lambda t: 0.5 + 0.5 * bell(t)),
        "β₁ starts at 1. Multiply the ramp with the difference, 0.9 - 0.5, before you add 0.5.",
    ),
    Misconception(
        "β₁ linear",
        beta(lambda t: 0.9 - 0.4 * t),
        "β₁ falls along a straight line. Its decrease is the exponential one.",
    ),
    Misconception(
        "β₁ constant",
        beta(lambda t: torch.full_like(t, 0.9)),
        "β₁ stays at 0.9. Over the last fifth of the run it goes down to 0.5.",
    ),
    Misconception(
        "λ_c over a share of the run",
        with_columns(lambda_c=lambda s, n: rise(s, 0, 800 / 60_000 * n)),
        "λ_c rises over a share of the run. It takes 800 batches, however long the run is.",
    ),
    Misconception(
        "λ_c constant",
        with_columns(lambda_c=lambda s, n: torch.ones_like(s)),
        "λ_c is 1 from the start. It rises over the first 800 batches.",
    ),
    Misconception(
        "λ_s does not rise",
        stability(lambda up, down: down),
        "λ_s is 100 from the start. It first rises, over a quarter of the run.",
    ),
    Misconception(
        "λ_s does not fall",
        stability(lambda up, down: up),
        "λ_s stays at 100 to the end. Over the last fifth of the run it falls.",
    ),
    Misconception(
        "λ_s added",
        stability(lambda up, down: up + down),
        "The two ramps of λ_s are added, so it reaches 200. Multiply them: each is 1 outside its interval.",
    ),
    Misconception(
        "λ_s without a plateau",
        with_columns(lambda_s=lambda s, n: 100 * rise(s, 0, n / 4) * fall(s, n / 4, n)),
        "λ_s falls as soon as it has risen. It stays at 100 from a quarter to four fifths of the run.",
    ),
    Misconception(
        "λ_s of Table B.4",
        with_columns(lambda_s=lambda s, n: 100 * rise(s, 0, n / 4) * fall(s, 0.75 * n, n)),
        "λ_s falls over the last quarter, as for STL-10 in Table B.4. Here it falls over the last fifth.",
    ),
    Misconception(
        "λ_r over the first 5 %",
        with_columns(lambda_r=lambda s, n: fall(s, 0, 0.05 * n)),
        "λ_r falls over the first 5 % of the run. It is 1 until 95 %, and falls over the last 5 %.",
    ),
    Misconception(
        "λ_r linear",
        with_columns(lambda_r=lambda s, n: line(s, 0.95 * n, n)),
        "λ_r falls along a straight line. All weights of losses follow the exponential curves.",
    ),
    Misconception(
        "increase not turned round",
        with_columns(
            lambda_c=lambda s, n: fall(s, 0, 800),
            lambda_s=lambda s, n: 100 * fall(s, 0, n / 4) * fall(s, 0.8 * n, n),
        ),
        "λ_c and λ_s fall at the beginning. When increasing, t runs from 1 to 0.",
    ),
    Misconception(
        "no base values",
        lambda step, total: tuple(
            c / base for c, base in zip(table(step, total), (0.003, 1, 1, 100, 1), strict=True)
        ),
        "lr and λ_s start from 1. Multiply each ramp with its base value, 0.003 and 100.",
    ),
    Misconception(
        "counted from 1",
        lambda step, total: table(step + 1, total),
        "Every column is one batch early: you count the batches from 1. The first is step 0.",
    ),
    Misconception(
        "ends one batch early",
        lambda step, total: table(step, total - 1),
        "The run ends at total - 1 for you. The intervals end at total, after the last batch.",
    ),
    Misconception(
        "stretched to 0",
        with_columns(
            beta1=lambda s, n: 0.5 + 0.4 * stretched(fall(s, 0.8 * n, n)),
            lambda_c=lambda s, n: stretched(rise(s, 0, 800)),
            lambda_s=lambda s, n: 100 * stretched(rise(s, 0, n / 4)) * stretched(fall(s, 0.8 * n, n)),
            lambda_r=lambda s, n: stretched(fall(s, 0.95 * n, n)),
        ),
        "The exponential ramps are stretched so that they reach 0. "
        "Take exp(-5 t²) as it is: β₁ ends at 0.5 + 0.4 exp(-5), a little above 0.5.",
    ),
    Misconception(
        "λ_c and λ_s exchanged",
        lambda step, total: tuple(table(step, total)[i] for i in (0, 1, 3, 2, 4)),
        "λ_s comes before λ_c. The order is that of the table: lr, β₁, λ_c, λ_s, λ_r.",
    ),
    Misconception(
        "writes into step",
        writes_into_step,
        "The numbers are right, but the step of the caller has changed. Make new tensors instead.",
    ),
)
