"""`check` and `hint`: what the cells of an exercise call."""

import os
import textwrap
from typing import Any

from course_lib.grading import report, tasks
from course_lib.grading.judge import judge
from course_lib.grading.observe import observe
from course_lib.grading.outcome import NOT_ATTEMPTED, PASSED, Outcome
from course_lib.grading.records import note_check, note_hint, record


class CheckFailed(AssertionError):
    """A check that did not pass, where that must be an error; a notebook shows its one line only."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class NotAttempted(CheckFailed):
    """A check of a task that nobody has begun, where that must be an error."""


def check(task_id: str, answer: Any) -> Outcome:
    """Say whether an answer is right, and if not, what is wrong with it first.

    A wrong answer raises nothing, so that "Run all" shows the state of every task.  With the environment
    variable ``COURSE_STRICT=1``, and under nbgrader, it raises an error of one line.

    Args:
        task_id: such as ``shade.penalty``.
        answer: what the task asks for, mostly a function.

    Raises:
        ValueError: there is no such task.
        CheckFailed, NotAttempted: the answer is not right, and the check is strict.
    """
    task = tasks.get(task_id)
    outcome = judge(task, observe(task, answer))
    used = note_check(outcome).hints
    if is_strict() and not outcome.passed:
        kind = NotAttempted if outcome.state == NOT_ATTEMPTED else CheckFailed
        raise kind(f"{task_id}: {outcome.state}. {outcome.says}")
    report.show(report.text(outcome, used), report.page(outcome, used))
    return outcome


def passed(task_id: str) -> bool:
    """Whether the last check of a task passed; for cells that need the answer to go on.

    Args:
        task_id: such as ``shade.penalty``.

    Raises:
        ValueError: there is no such task.
    """
    return record(tasks.get(task_id).id).last == PASSED


def is_strict() -> bool:
    """Whether a check that is not passed must be an error; nbgrader gives points where there is none."""
    return os.environ.get("COURSE_STRICT") == "1" or "NBGRADER_EXECUTION" in os.environ


def hint(task_id: str, level: int | None = None) -> None:
    """Show a hint: the direction (1), the formula (2) or pseudo-code (3).

    Args:
        task_id: such as ``shade.penalty``.
        level: 1, 2 or 3; None means the one after the highest that was shown for this task, today or in
            any session before.  Ask for 1 to begin again.

    Raises:
        ValueError: there is no such task or level.
    """
    task = tasks.get(task_id)
    level = min(record(task.id).hints + 1, 3) if level is None else level
    if level not in (1, 2, 3):
        raise tasks.Refused(f"level is {level!r}, possible are 1, 2 and 3.")
    note_hint(task.id, level)
    title, words = f"Hint {level} of 3 · {task.id}", task.hints[level - 1]
    report.show(f"{title}\n{textwrap.indent(words, '  ')}", report.box(title, [words], "double"))
