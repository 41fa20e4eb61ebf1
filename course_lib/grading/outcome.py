"""The verdict on one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a task brings torch along, and the exports that only need our words stay instant without
    from course_lib.grading.task import Task

PASSED, NOT_YET, NOT_ATTEMPTED = "passed", "not yet", "not attempted"


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Args:
        task: the task.
        cause: the first cause in the order of ``judge.CAUSES``; None where the answer passed.
        message: what is wrong, in the learner's words; empty where nothing is.
        misconception: the name of the known wrong answer that this one behaves like, if it does.
        advice: what to tell whoever holds that misconception.
    """

    task: Task
    cause: str | None = None
    message: str = ""
    misconception: str | None = None
    advice: str = ""

    @property
    def passed(self) -> bool:
        return self.cause is None

    @property
    def state(self) -> str:
        """``passed``, ``not yet`` or ``not attempted``."""
        if self.passed:
            return PASSED
        return NOT_ATTEMPTED if self.cause == NOT_ATTEMPTED else NOT_YET

    @property
    def points(self) -> int:
        return self.task.points if self.passed else 0

    @property
    def says(self) -> str:
        """The message and the advice in one line."""
        return " ".join(part for part in (self.message, self.advice) if part)

    def __repr__(self) -> str:
        return f"<{self.task.id}: {self.state}>"

    def _ipython_display_(self) -> None:
        """Nothing: ``check`` has already shown it, and a notebook shows the value of a last line again."""
