"""Wrong answers to hybridnet.ramps: another progress, or other curves."""

import math

import torch

from course_lib.grading.task import Misconception


def progress(step, start, end):
    return ((step - start) / (end - start)).clamp(0, 1)


CURVES = {
    "increase": lambda t: torch.exp(-5 * (1 - t) ** 2),
    "decrease": lambda t: torch.exp(-5 * t**2),
    "linear": lambda t: 1 - t,
    "cosine": lambda t: (torch.cos(math.pi * t) + 1) / 2,
}


def with_curves(**curves):
    return lambda step, start, end, kind: {**CURVES, **curves}[kind](progress(step, start, end))


def with_progress(other):
    return lambda step, start, end, kind: CURVES[kind](other(step, start, end))


def bells(of_t):
    """Both exponential curves from one function of t."""
    return with_curves(increase=lambda t: of_t(1 - t), decrease=of_t)


def stretched(t):
    """The bell, stretched so that it ends at 0."""
    return (torch.exp(-5 * t**2) - math.exp(-5)) / (1 - math.exp(-5))


def nothing_before(step, start, end, kind):
    factor = CURVES[kind](progress(step, start, end))
    return torch.where(step < start, 0.0, factor) if kind == "increase" else factor


def nothing_after(step, start, end, kind):
    factor = CURVES[kind](progress(step, start, end))
    return torch.where(step >= end, 0.0, factor) if kind == "decrease" else factor


def clips_the_factor(step, start, end, kind):
    return CURVES[kind]((step - start) / (end - start)).clamp(0, 1)


def writes_into_step(step, start, end, kind):
    step -= start
    return CURVES[kind](progress(step, 0, end - start))


MISCONCEPTIONS = (
    Misconception(
        "increase not turned round",
        with_curves(increase=CURVES["decrease"]),
        "The increase falls. When increasing, t runs from 1 to 0: put 1 - t in the place of t.",
    ),
    Misconception(
        "increase and decrease exchanged",
        with_curves(increase=CURVES["decrease"], decrease=CURVES["increase"]),
        "The two exponential curves are exchanged: "
        "exp(-5 t²) falls, and with 1 - t in the place of t it rises.",
    ),
    Misconception(
        "1 minus the decrease",
        with_curves(increase=lambda t: 1 - torch.exp(-5 * t**2)),
        "The increase is 1 minus the decrease, which rises steeply at once and is flat later. "
        "Run through the same curve backwards instead: exp(-5 (1 - t)²).",
    ),
    Misconception(
        "cosine without the half",
        with_curves(cosine=lambda t: torch.cos(math.pi * t) + 1),
        "cos(π t) + 1 starts at 2, as the source prints it. "
        "Halve it: a run begins with its base value, not with twice that.",
    ),
    Misconception(
        "cosine without the 1",
        with_curves(cosine=lambda t: torch.cos(math.pi * t)),
        "The cosine runs from 1 to -1, which would make a rate negative. Add 1 and halve.",
    ),
    Misconception(
        "a quarter of a period",
        with_curves(cosine=lambda t: torch.cos(math.pi * t / 2)),
        "The cosine goes over a quarter of its period. "
        "Take half a period, cos(π t) from 1 to -1, and move it to the range from 0 to 1.",
    ),
    Misconception(
        "cosine without π",
        with_curves(cosine=lambda t: (torch.cos(t) + 1) / 2),
        "t from 0 to 1 is hardly a sixth of the cosine's period. Take the cosine of π t.",
    ),
    Misconception(
        "integer division",
        with_progress(lambda step, start, end: ((step - start) // (end - start)).clamp(0, 1).float()),
        "The progress is a whole number, 0 until the end and then 1. Divide with /, not with //.",
    ),
    Misconception(
        "not clipped",
        with_progress(lambda step, start, end: (step - start) / (end - start)),
        "Outside of its interval the curve goes on, and an increase falls again after its end. "
        "Keep t between 0 and 1.",
    ),
    Misconception(
        "clipped at 1 only",
        with_progress(lambda step, start, end: ((step - start) / (end - start)).clamp(max=1)),
        "Before the start t is negative, and the curve goes on to the left. Keep t at 0 or above.",
    ),
    Misconception(
        "clipped at 0 only",
        with_progress(lambda step, start, end: ((step - start) / (end - start)).clamp(min=0)),
        "After the end t is above 1, and the curve goes on to the right. Keep t at 1 or below.",
    ),
    Misconception(
        "the factor clipped",
        clips_the_factor,
        "You keep the factor between 0 and 1, where the exponential curves are anyway. "
        "Keep t there, so that outside of the interval nothing moves.",
    ),
    Misconception(
        "0 before an increase",
        nothing_before,
        "Before its start an increase is made 0. It keeps the value it has at the start, exp(-5).",
    ),
    Misconception(
        "0 after a decrease",
        nothing_after,
        "After its end a decrease is made 0. It keeps the value it has at the end, exp(-5).",
    ),
    Misconception(
        "stretched to 0",
        bells(stretched),
        "The exponential curves are stretched so that they reach 0. "
        "The formula is exp(-5 t²) as it is, and exp(-5) is not quite 0.",
    ),
    Misconception(
        "linear in the place of exponential",
        bells(lambda t: 1 - t),
        "The exponential curves are straight lines. Take exp(-5 t²).",
    ),
    Misconception(
        "no square",
        bells(lambda t: torch.exp(-5 * t)),
        "This is exp(-5 t). The square is missing: exp(-5 t²) is flat at its top.",
    ),
    Misconception(
        "the square of 5 t",
        bells(lambda t: torch.exp(-((5 * t) ** 2))),
        "The 5 is squared too. Square t alone, and multiply by 5 afterwards.",
    ),
    Misconception(
        "no 5",
        bells(lambda t: torch.exp(-(t**2))),
        "This is exp(-t²), which goes down to a third only. The square is multiplied by 5.",
    ),
    Misconception(
        "12.5 for the decrease",
        with_curves(decrease=lambda t: torch.exp(-12.5 * t**2)),
        "The decrease has 12.5 in the place of 5, as in Temporal Ensembling. "
        "Here increase and decrease are the same curve, with 5.",
    ),
    Misconception(
        "sigmoid",
        with_curves(increase=lambda t: torch.sigmoid(10 * t - 5)),
        "The increase is a logistic sigmoid. “Sigmoid ramp” is a customary name, "
        "but the curve is half a bell: exp(-5 (1 - t)²).",
    ),
    Misconception(
        "start ignored",
        with_progress(lambda step, start, end: (step / end).clamp(0, 1)),
        "The progress is counted from step 0. Count from the start: (step - start) / (end - start).",
    ),
    Misconception(
        "divided by the end",
        with_progress(lambda step, start, end: ((step - start) / end).clamp(0, 1)),
        "You divide by the end. Divide by the length of the interval, end - start.",
    ),
    Misconception(
        "linear increase",
        with_curves(linear=lambda t: t),
        "The line rises. kind “linear” is a decrease, from 1 at the start to 0 at the end.",
    ),
    Misconception(
        "writes into step",
        writes_into_step,
        "Write `step - start`: with `-=` the step of the caller changes too.",
    ),
)
