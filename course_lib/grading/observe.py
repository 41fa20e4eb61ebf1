"""What an answer does: it is called on every case, and what comes out is written down.

Nothing is judged here and nothing expected is known here, so `course grade` can observe in the process that
ran a student's code and judge in its own.  An observation is plain data and travels as JSON.
"""

import contextlib
import importlib
import inspect
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib import runtime
from course_lib.grading.borrowing import Watch, borrowed
from course_lib.grading.borrowing import message as borrowing_message
from course_lib.grading.calling import TimeUp, explain, is_blank, is_todo, seed, time_limit, undisturbed
from course_lib.grading.observation import Call, Observation, Trouble
from course_lib.grading.task import Case, Task, Unfit, call
from course_lib.grading.values import Value, same, value_of

CALL_SECONDS = 10.0  # a call on a small case that needs more will not end
SLOWEST = 10.0  # times what plain loops would need on the large case
SLOWEST_SECONDS = 1.0  # and never less than this, so that a busy machine refuses nobody


def observe(
    task: Task,
    answer: Any,
    *,
    devices: tuple[str, ...] | None = None,
    thorough: bool = True,
    watched: bool = True,
) -> Observation:
    """Try an answer on every case of a task.

    Args:
        task: the task.
        answer: whatever the learner handed in.
        devices: where to try it; None means the CPU, and the GPU too where the course uses one.
        thorough: whether to try everything; if not, neither a second call nor the large case.
        watched: whether to look for an answer that lets this library compute the result.

    Returns:
        What was seen; the first call that gives no result ends it.
    """
    trouble = at_first_sight(task, answer)
    if trouble:
        return Observation((trouble,))
    watch = Watch(task) if watched and thorough else None
    if watch and (name := borrowed(task, answer)):
        return Observation((Trouble("borrowed", borrowing_message(name, noun_of(task))),))
    if task.kind == "figure":
        importlib.import_module("matplotlib.font_manager")  # its first use takes longer than an answer may
        devices = ("cpu",)  # there is nothing to draw with on a GPU
    devices = devices or (("cpu", "cuda") if runtime.device().type == "cuda" else ("cpu",))
    calls: list[Call] = []
    with undisturbed(gpu="cuda" in devices):
        for device in devices:
            for number in range(len(task.cases)):
                calls.append(try_case(task, answer, number, device, watch, thorough))
                if calls[-1].results is None:
                    return Observation((), tuple(calls))
        slow = try_large(task, answer) if thorough and task.large else None
    return Observation((slow,) if slow else (), tuple(calls))


def at_first_sight(task: Task, answer: Any) -> Trouble | None:
    """What can be said without calling the answer."""
    name = task.function
    if answer is None or answer is ...:
        return Trouble("not attempted", f"There is no answer yet: write {name} first.")
    noun = noun_of(task)
    if isinstance(answer, Tensor):
        return Trouble(
            "unusable", f"You handed in a tensor; hand in the {noun} itself, {name} without brackets."
        )
    if not callable(answer):
        return Trouble("unusable", f"You handed in a {type(answer).__name__}; hand in the {noun} {name}.")
    if isinstance(answer, type) != (task.kind == "class"):
        given = "the class" if isinstance(answer, type) else "an object or a function,"
        called = getattr(answer, "__name__", type(answer).__name__)
        return Trouble("unusable", f"You handed in {given} {called}; {name} must be a {noun}.")
    if task.use is not call:
        return None
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # some built-in functions do not tell
        return None
    for wanted in (tuple(task.takes), task.required):
        try:
            signature.bind(*wanted)
        except TypeError:
            if is_blank(answer):
                return not_attempted(task)
            given = ", ".join(map(str, signature.parameters.values()))
            said = f"{name} is called as {name}({', '.join(wanted)}), but yours takes ({given})."
            return Trouble("signature", said)
    return None


def noun_of(task: Task) -> str:
    return "class" if task.kind == "class" else "function"


def not_attempted(task: Task) -> Trouble:
    return Trouble(
        "not attempted",
        f"Write your answer into {task.function} in place of the `raise NotImplementedError` line, "
        "run that cell, then the check.",
    )


def try_case(
    task: Task, answer: Callable, number: int, device: str, watch: Watch | None, thorough: bool
) -> Call:
    """Call an answer on one case: for its result, for its gradient, and (if thorough) once more."""
    case = task.cases[number]
    given = case.inputs(device)
    with watch.watching() if watch else contextlib.nullcontext():
        results, trouble = attempt(task, answer, given)
    if watch and watch.found:
        trouble = Trouble("borrowed", borrowing_message(watch.found, noun_of(task)))
        return Call(number, device, (trouble,))
    if trouble and trouble.cause == "unusable" and device != "cpu":
        words = (
            f"Works on the CPU, but with inputs on {device} it fails; make new tensors where the inputs are."
        )
        return Call(number, device, (Trouble("device", f"{words} {trouble.message}"),))
    if trouble:
        where = f" This was with {case.name}." if number else ""
        return Call(number, device, (Trouble(trouble.cause, trouble.message + where),))
    recorded = {name: value_of(tensor) for name, tensor in results.items()}
    before = case.inputs(device)
    changed = {
        name: value_of(value)
        for name, value in given.items()
        if isinstance(value, Tensor) and not unchanged(before[name], value)
    }
    troubles = []
    gradients = None
    if task.gradients:
        gradients, trouble = try_gradient(task, answer, case, device)
        troubles += [trouble] if trouble else []
    trouble = try_again(task, answer, case, device, recorded) if thorough else None
    troubles += [trouble] if trouble else []
    return Call(number, device, tuple(troubles), recorded, gradients, changed)


def unchanged(before: Tensor, after: Tensor) -> bool:
    return before.shape == after.shape and before.dtype == after.dtype and bool(torch.equal(before, after))


def attempt(
    task: Task, answer: Callable, inputs: dict[str, Any], *, number: int = 0, seconds: float = CALL_SECONDS
) -> tuple[dict[str, Tensor], Trouble | None]:
    """Call an answer once: its results by name, or why there are none."""
    seed(number)
    try:
        with time_limit(seconds):
            result = task.use(answer, **inputs)
    except TimeUp:
        return {}, Trouble(
            "cost", f"Your {noun_of(task)} did not end within {seconds:.0f} s and was stopped."
        )
    except Unfit as problem:
        return {}, Trouble("unusable", f"{problem}.")
    except (Exception, SystemExit) as error:
        if is_todo(error):
            return {}, not_attempted(task)
        return {}, Trouble("unusable", f"Your {noun_of(task)} raised {explain(error)}")
    return named(task, answer, result)


def named(task: Task, answer: Callable, result: Any) -> tuple[dict[str, Tensor], Trouble | None]:
    """A result by the names of the task's outputs, or what is wrong with its kind."""
    names = list(task.gives)
    if result is None or result is ... or result is NotImplemented:
        if is_blank(answer) or result is not None:
            return {}, not_attempted(task)
        return {}, Trouble("unusable", "Your function ends without `return`, so its result is None.")
    parts = [result] if len(names) == 1 else result
    if not isinstance(parts, list | tuple) or len(parts) != len(names):
        wanted = f"a tuple of {len(names)} tensors ({', '.join(names)})"
        given = f"{len(result)} things" if isinstance(result, list | tuple) else f"a {type(result).__name__}"
        return {}, Trouble("unusable", f"Your function must return {wanted}; it returns {given}.")
    for part in parts:
        if not isinstance(part, Tensor) or part.layout is not torch.strided:
            kind = f"a {type(part).__name__}" if not isinstance(part, Tensor) else f"one of {part.layout}"
            return {}, Trouble(
                "unusable", f"Your function must return ordinary torch tensors; it returns {kind}."
            )
    return dict(zip(names, parts)), None


def weighted_sum(results: dict[str, Tensor]) -> Tensor:
    """A scalar that every number of every result enters with a weight of its own."""
    total = torch.zeros((), dtype=torch.float64, device="cpu")
    for tensor in results.values():
        flat = (tensor.real if tensor.is_complex() else tensor).to("cpu", torch.float64).flatten()
        total = total + flat @ torch.linspace(0.5, 1.5, len(flat), dtype=torch.float64, device="cpu")
    return total


def try_gradient(
    task: Task, answer: Callable, case: Case, device: str
) -> tuple[dict[str, Value | None], Trouble | None]:
    """The gradient of the weighted sum of the results, by parameter."""
    leaves = case.inputs(device)
    for name in task.gradients:
        leaves[name].requires_grad_()
    copies = {  # a copy may be written into, a leaf not
        name: leaf.clone() if isinstance(leaf, Tensor) else leaf for name, leaf in leaves.items()
    }
    results, trouble = attempt(task, answer, copies)
    if trouble:
        words = f"It works, but not when {' and '.join(task.gradients)} needs a gradient: {trouble.message}"
        return {}, Trouble("gradient", words)
    try:
        total = weighted_sum(results)
        if not total.requires_grad:
            return dict.fromkeys(task.gradients), None
        found = torch.autograd.grad(total, [leaves[name] for name in task.gradients], allow_unused=True)
    except (Exception, SystemExit) as error:
        return {}, Trouble(
            "gradient", f"The result is right, but its gradient cannot be computed: {explain(error)}"
        )
    return {k: None if g is None else value_of(g) for k, g in zip(task.gradients, found)}, None


def try_again(
    task: Task, answer: Callable, case: Case, device: str, first: dict[str, Value]
) -> Trouble | None:
    """A second call with the same input must give the same; if not, is it chance, or something remembered?"""

    def differs(number: int) -> bool | None:
        results, trouble = attempt(task, answer, case.inputs(device), number=number)
        return bool(trouble) or not all(same(value_of(results[k]), first[k]) for k in first)

    if not differs(number=1):
        return None
    if differs(number=0):
        words = "a second call with the same input gives another result: your function remembers something."
    else:
        words = "two calls with the same input give different results: your function draws random numbers."
    return Trouble("state", f"With {case.name}: {words}")


def try_large(task: Task, answer: Callable) -> Trouble | None:
    """Whether an answer is far slower than plain loops would be.

    The yardstick is the task's oracle, which is plain loops: timed on the first case, scaled up by the number
    of elements.  So loops pass, on a slow machine too, and what grows with the square of the input does not.
    """
    small, large = task.cases[0].inputs(), task.large.inputs()
    began = time.perf_counter()
    task.oracle(**task.cases[0].exact())
    growth = size(large) / size(small)
    loops = (time.perf_counter() - began) * growth
    allowed = max(SLOWEST_SECONDS, SLOWEST * loops)
    _, trouble = attempt(task, answer, large, seconds=allowed)
    if trouble is None or trouble.cause != "cost":
        return trouble
    words = (
        f"for {task.large.name} your function needs more than {allowed:.1f} s, and plain loops {loops:.1g} s."
    )
    return Trouble("cost", f"The result is right, but it comes far too late: {words}")


def size(inputs: dict[str, Any]) -> int:
    """How many numbers an answer is given."""
    return sum(value.numel() if isinstance(value, Tensor) else 1 for value in inputs.values())
