"""The reference solutions: the answers in ``solutions/NN_topic.py``, each with the learner's lines."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext

from course_lib.grading import tasks
from course_lib.grading.task import Task
from tools.exercise_notebooks import BEGIN, END
from tools.project import ROOT


@dataclass(frozen=True)
class Reference:
    """The answer to one task.

    Args:
        task: the task.
        code: the text of its cell.
        lines: the lines of the text that a learner writes, counted from 1.
        before: the cells that ran before it.
    """

    task: Task
    code: str
    lines: frozenset[int]
    before: tuple[str, ...]

    def answer(self, code: str | None = None) -> object:
        """The answer that a text defines: the reference, or a mutant of it."""
        return self.namespace(code).get(self.task.function)

    def namespace(self, code: str | None = None) -> dict:
        """Everything that the notebook has defined once this text has run."""
        space: dict = {"__name__": "solution"}
        with contextlib.redirect_stdout(io.StringIO()):
            for cell in (*self.before, code or self.code):
                exec(compile(cell, "solution", "exec"), space)
        return space


def references(chapter: str, root: Path = ROOT) -> Iterator[Reference]:
    """The answers of a chapter, in the order of its exercise."""
    (source,) = (root / "solutions").glob(f"[0-9][0-9]_{chapter}.py")
    cells = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells
    known = {task.id: task for task in tasks.of_chapter(chapter)}
    before: list[str] = []
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        task = known.get(cell.metadata.get("task"))
        if task is not None:
            yield Reference(task, cell.source, learners_lines(cell.source), tuple(before))
        if task is not None or cell.source.lstrip().startswith(("import ", "from ")):
            before.append(cell.source)


def learners_lines(code: str) -> frozenset[int]:
    """The lines between the markers of the solution."""
    found, inside = set(), False
    for number, line in enumerate(code.split("\n"), start=1):
        if line.strip() in (BEGIN, END):
            inside = line.strip() == BEGIN
        elif inside:
            found.add(number)
    return frozenset(found)
