"""From what an answer did to the first cause of what is wrong with it, in the learner's words."""

import math
from dataclasses import replace
from functools import cache

import torch

from course_lib.grading.observation import Call, Observation
from course_lib.grading.observe import observe, weighted_sum
from course_lib.grading.outcome import Outcome
from course_lib.grading.task import Misconception, Task
from course_lib.grading.values import PRECISION, Value, index_of, same, value_of, worst

# Only the first is told: a wrong shape explains wrong values, and wrong values explain wrong gradients.
CAUSES = (
    "not attempted",
    "unusable",
    "borrowed",
    "signature",
    "shape",
    "dtype",
    "device",
    "finite",
    "value",
    "gradient",
    "inputs",
    "state",
    "cost",
)


def judge(task: Task, seen: Observation) -> Outcome:
    """The verdict on an observed answer: the first cause over all cases, and whose misconception it is."""
    fault = first_fault(task, seen)
    if fault is None:
        return Outcome(task)
    cause, message = fault
    held = misconception(task, cause, seen)
    if held is None:
        return Outcome(task, cause, message)
    return Outcome(task, cause, message, held.name, held.message)


def first_fault(task: Task, seen: Observation) -> tuple[str, str] | None:
    """The first cause and what to say about it."""
    for cause in CAUSES:
        for trouble in (*seen.troubles, *(t for one in seen.calls for t in one.troubles)):
            if trouble.cause == cause:
                return cause, trouble.message
        for one in seen.calls if cause in LOOKS else ():
            message = LOOKS[cause](task, one) if one.results is not None else None
            if message:
                return cause, message
    tried = {one.case for one in seen.calls if one.results is not None}
    return None if tried == set(range(len(task.cases))) else ("unusable", "The function was not tried.")


# --- what should have come out ---------------------------------------------------------------


@cache
def expected(task: Task, number: int) -> tuple[dict[str, Value], dict[str, Value | None]]:
    """The oracle's results on a case, and the gradient of their weighted sum by parameter."""
    inputs = task.cases[number].exact()
    for name in task.gradients:
        inputs[name].requires_grad_()
    with torch.inference_mode(False), torch.enable_grad():
        made = task.oracle(**inputs)
        results = dict(zip(task.gives, made if isinstance(made, tuple) else (made,)))
        gradients = {}
        if task.gradients:
            leaves = [inputs[name] for name in task.gradients]
            total, found = weighted_sum(results), [None] * len(leaves)
            if total.requires_grad:
                found = torch.autograd.grad(total, leaves, allow_unused=True)
            gradients = {k: None if g is None else value_of(g) for k, g in zip(task.gradients, found)}
    return {name: value_of(tensor) for name, tensor in results.items()}, gradients


def relative_tolerance(task: Task, one: Call) -> float:
    """What the task allows, but never less than the coarsest of what was given and returned can hold."""
    given = str(task.cases[one.case].dtype).removeprefix("torch.")
    exact = {given, *(result.dtype for result in one.results.values())} == {"float64"}
    return max(task.tolerance or 0.0, PRECISION["float64" if exact else "float32"])


# --- one look for each cause that needs the right answer -------------------------------------


def called(task: Task, name: str) -> str:
    """What to call a result: a function has one, or several with names, and a name may be a phrase."""
    if len(task.gives) == 1:
        return "the result"
    return f"the {name}" if " " in name else f"the result {name}"


def at(task: Task, name: str, index: tuple[int, ...]) -> str:
    where = f" at index [{', '.join(map(str, index))}]" if index else ""
    return called(task, name) + where


def number(value: float) -> str:
    return f"{value:.6g}"


def shape_fault(task: Task, one: Call) -> str | None:
    for name, right in expected(task, one.case)[0].items():
        got = one.results[name]
        if got.shape != right.shape:
            given = " and ".join(
                f"{k} of shape {tuple(v.shape)}" if isinstance(v, torch.Tensor) else f"{k} = {v}"
                for k, v in task.cases[one.case].inputs().items()
            )
            symbols = task.gives[name]
            return (
                f"With {given}, {called(task, name)} must have shape {right.shape}, that is {symbols}; "
                f"yours has shape {got.shape}."
            )
    return None


def dtype_fault(task: Task, one: Call) -> str | None:
    for name, right in expected(task, one.case)[0].items():
        got = one.results[name].dtype
        possible = tuple(PRECISION) if right.dtype in PRECISION else (right.dtype,)
        if got not in possible:
            said = f"must hold {' or '.join(possible)} numbers; yours holds {got}."
            return f"{called(task, name).capitalize()} {said}"
    return None


def device_fault(task: Task, one: Call) -> str | None:
    for name, got in one.results.items():
        if got.device != one.device:
            result = called(task, name)
            return f"The inputs are on {one.device}, but {result} is on {got.device}; keep it where they are."
    return None


def finite_fault(task: Task, one: Call) -> str | None:
    for name, right in expected(task, one.case)[0].items():
        got = one.results[name]
        for place, (r, g) in enumerate(zip(right.numbers, got.numbers or ())):
            if math.isfinite(r) and not math.isfinite(g):
                where = at(task, name, index_of(place, right.shape))
                return f"With {task.cases[one.case].name}, {where} is {g}; it should be {number(r)}."
    return None


def value_fault(task: Task, one: Call) -> str | None:
    for name, right in expected(task, one.case)[0].items():
        got = one.results[name]
        difference = worst(right, got, relative_tolerance(task, one))
        if difference:
            index, r, g, many = difference
            share = f" ({many} of {len(right.numbers)} numbers differ.)" if len(right.numbers) > 1 else ""
            where = f"With {task.cases[one.case].name}, {at(task, name, index)}"
            return f"{where} should be {number(r)} and is {number(g)}.{share}"
    return None


def gradient_fault(task: Task, one: Call) -> str | None:
    right_results, right_gradients = expected(task, one.case)
    relative = relative_tolerance(task, one)
    # Rounding leaves a trace of a gradient that should vanish, as large as the other numbers of the call.
    values = [v for v in (*right_results.values(), *right_gradients.values()) if v is not None]
    size = max(abs(each) for value in values for each in value.numbers)
    for name, right in right_gradients.items():
        got = (one.gradients or {}).get(name)
        if vanishes(right, relative * size) and vanishes(got, relative * size):
            continue
        if right is None:
            return (
                f"The result is right, but it still depends on {name} for autograd; "
                "it must be a constant: compute it under torch.no_grad(), or from .detach()."
            )
        if got is None:
            return (
                f"The result is right, but no gradient reaches {name}: "
                "something cuts it off (.detach(), .data, .item(), float(), NumPy or torch.no_grad())."
            )
        difference = worst(right, got, relative)
        if difference:
            index, r, g, _ = difference
            place = f"[{', '.join(map(str, index))}]" if index else ""
            return (
                f"The result is right, but its gradient is not: with {task.cases[one.case].name}, "
                f"the gradient at {name}{place} should be {number(r)} and is {number(g)}."
            )
    return None


def vanishes(gradient: Value | None, least: float) -> bool:
    """Whether there is no gradient, or one of nothing but rounding."""
    return gradient is None or (
        gradient.numbers is not None and all(abs(each) <= least for each in gradient.numbers)
    )


def inputs_fault(task: Task, one: Call) -> str | None:
    for name in one.changed or ():
        return (
            f"The result is right, but your function changes {name}, which belongs to its caller: "
            f"`{name} -= …`, `{name}[…] = …` and methods that end in _ write into it. "
            "Make a new tensor instead."
        )
    return None


LOOKS = {
    "shape": shape_fault,
    "dtype": dtype_fault,
    "device": device_fault,
    "finite": finite_fault,
    "value": value_fault,
    "gradient": gradient_fault,
    "inputs": inputs_fault,
}


# --- whose misconception it is ---------------------------------------------------------------


@cache
def behaviour(task: Task, held: Misconception) -> Observation:
    """What a catalogued wrong answer does."""
    return observe(task, held.wrong, devices=("cpu",), thorough=False)


@cache
def first_impression(task: Task, held: Misconception) -> Observation:
    """The same on the first case alone, which is enough to rule nearly all of them out."""
    return observe(replace(task, cases=task.cases[:1]), held.wrong, devices=("cpu",), thorough=False)


def misconception(task: Task, cause: str, seen: Observation) -> Misconception | None:
    """The known wrong answer that does the same on every case, as far as this cause shows it."""
    if cause not in LOOKS:
        return None
    relative = task.tolerance or 0.0
    mine = [trace(cause, one) for one in seen.calls if one.device == "cpu"]
    for each in task.misconceptions:
        glance = [trace(cause, one) for one in first_impression(task, each).calls]
        if not (glance and alike(mine[0], glance[0], relative)):
            continue
        whole = behaviour(task, each)
        theirs = [trace(cause, one) for one in whole.calls]
        fault = first_fault(task, whole)
        if fault is None or fault[0] != cause or len(mine) != len(theirs):
            continue
        if all(alike(*both, relative) for both in zip(mine, theirs)):
            return each
    return None


def trace(cause: str, one: Call) -> dict[str, Value | None]:
    """The part of a call in which a cause shows."""
    parts = {"gradient": one.gradients, "inputs": one.changed}
    return parts.get(cause, one.results) or {}


def alike(one: dict[str, Value | None], other: dict[str, Value | None], relative: float) -> bool:
    return one.keys() == other.keys() and all(same(one[name], other[name], relative) for name in one)
