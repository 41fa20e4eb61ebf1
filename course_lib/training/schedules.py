"""Schedules and ramps: what a learning rate or a loss weight is multiplied with, as functions of progress.

``progress`` is the part of the run that is done, in [0, 1]: 0 before the first step, 1 after the last.
The step that is about to be taken with ``s`` steps of ``S`` done has progress ``s / S``, so a training loop
passes values in [0, 1) and the first step uses the full learning rate.

The same function serves the rate, ``fit(..., schedule=cosine)``, and a weight inside a loss,
``sigmoid_ramp(step.progress, end=0.4) * consistency``.
For other constants: ``schedule=lambda progress: exponential(progress, 0.95, epochs=100)``.
"""

import math
from collections.abc import Sequence


def constant(progress: float) -> float:
    """1 from the start to the end."""
    _check(progress)
    return 1.0


def cosine(progress: float, end: float = 0.0) -> float:
    """Half a period of the cosine: from 1 at the start to ``end`` (Loshchilov & Hutter 2017, no restarts)."""
    _check(progress)
    return end + (1 - end) * (1 + math.cos(math.pi * progress)) / 2


def exponential(progress: float, factor: float, epochs: int, stairs: bool = True) -> float:
    """Multiplied by ``factor`` once an epoch: ``factor ** epoch`` with the epoch counted from 0.

    Args:
        progress: part of the run that is done.
        factor: 0.95 in Zhang et al. 2017.
        epochs: epochs of the whole run.
        stairs: constant within an epoch; False decays at each step.
    """
    _check(progress)
    if not factor > 0 or not epochs > 0:
        raise ValueError(f"factor and epochs are {factor} and {epochs}, both must be above 0.")
    done = progress * epochs
    # (s / S) * epochs may fall an ulp short of a whole number: the margin keeps each stair at its first step.
    return factor ** (math.floor(done + 1e-9) if stairs else done)


def milestones(progress: float, at: Sequence[float], factor: float = 0.1) -> float:
    """Multiplied by ``factor`` from each of the fractions ``at`` of the run on, say ``at=(170 / 200,)``."""
    _check(progress)
    return factor ** sum(progress >= fraction for fraction in at)


def linear_ramp(progress: float, start: float = 0.0, end: float = 1.0) -> float:
    """0 until ``start``, then straight up to 1 at ``end`` (both fractions of the run)."""
    _check(progress)
    if not 0 <= start < end:
        raise ValueError(f"start and end are {start} and {end}, needed is 0 <= start < end.")
    return min(max((progress - start) / (end - start), 0.0), 1.0)


def sigmoid_ramp(progress: float, end: float = 1.0, steepness: float = 5.0) -> float:
    """``exp(-steepness (1 - t)^2)`` with ``t = progress / end``, then 1 (Laine & Aila 2017, §2.1).

    The customary name; the curve is the left half of a Gaussian bell. It starts at ``exp(-steepness)``, not
    at 0.
    """
    _check(progress)
    if not end > 0:
        raise ValueError(f"end is {end}, it must be above 0.")
    return math.exp(-steepness * (1 - min(progress / end, 1.0)) ** 2)


def sigmoid_ramp_down(progress: float, start: float = 0.0, steepness: float = 5.0) -> float:
    """1 until ``start``, then ``exp(-steepness t^2)``, with t from 0 to 1 over the rest of the run.

    The mirror image of `sigmoid_ramp` (Robert 2019, §B.2.1); it ends at ``exp(-steepness)``, not at 0.
    """
    _check(progress)
    if not 0 <= start < 1:
        raise ValueError(f"start is {start}, possible is 0 up to but not including 1.")
    return math.exp(-steepness * max((progress - start) / (1 - start), 0.0) ** 2)


def _check(progress: float) -> None:
    if not 0 <= progress <= 1:
        raise ValueError(f"progress is {progress}, possible is 0 to 1.")
