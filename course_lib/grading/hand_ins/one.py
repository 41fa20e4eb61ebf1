"""Grading one notebook: run in a process of its own, judged here."""

import contextlib
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from course_lib.grading.hand_ins import notebook
from course_lib.grading.hand_ins.notebook import Unreadable
from course_lib.grading.hand_ins.process import Child
from course_lib.grading.hand_ins.result import Grade, Row

CELL_SHARE = 4  # a cell may take a quarter of the time: an endless loop leaves some for the rest
MOST_NOTES = 8  # a notebook in which every cell fails says so often enough

# Judging tries the catalogued wrong answers, which moves random state and standard output for a while.
JUDGING = threading.Lock()


def grade_notebook(
    file: str | Path,
    timeout: float = 120.0,
    hidden: dict | None = None,
    stop: threading.Event | None = None,
) -> Grade:
    """Grade one notebook; whatever it holds, this gives a grade and raises nothing.

    Args:
        file: the notebook.
        timeout: seconds it may take, not counting the loading of torch.
        hidden: an instructor's cases by task, as ``hidden.read_cases`` gives them.
        stop: once set, the notebook is given up.

    Raises:
        Stopped: it was given up.
    """
    began = time.monotonic()
    try:
        cells = notebook.read_cells(file)
        unreadable = None
    except Unreadable as problem:
        cells, unreadable = [], problem
    with contextlib.ExitStack() as stack:
        child = None if unreadable else stack.enter_context(Child())  # it loads torch while we do
        from course_lib.grading import tasks
        from course_lib.grading.hand_ins.hidden import to_data

        functions = {name: [task.function for task in tasks.of_chapter(name)] for name in tasks.chapters()}
        chapter = notebook.chapter_of(file, cells, functions)
        known = tasks.of_chapter(chapter) if chapter else ()
        if child is None:
            rows = tuple(
                Row(t.id, t.title, 0, t.points, "not graded", "file", str(unreadable)) for t in known
            )
            return Grade(str(file), False, chapter, str(unreadable), rows)
        if chapter is None:
            return Grade(str(file), False, None, "the notebook holds no task of this course.")
        unknown = {task.id: hidden[task.id] for task in known if task.id in (hidden or {})}
        orders = {
            "chapter": chapter,
            "steps": [asdict(step) for step in notebook.steps(cells, [task.id for task in known])],
            "hidden": {task_id: to_data(task) for task_id, task in unknown.items()},
            "cell_seconds": timeout / CELL_SHARE,
            "readable": readable(),
        }
        log = Log()
        for event in child.run(orders, timeout, stop):
            with contextlib.suppress(KeyError, TypeError):  # an event that only a forger sends
                log.add(event)
    if not log.started:
        said = "the process that grades did not start; try `course doctor`."
        return Grade(str(file), False, chapter, said)
    with JUDGING:
        rows = tuple(row_of(task, log, unknown.get(task.id)) for task in known)
    return Grade(str(file), True, chapter, "", rows, log.notes(), round(time.monotonic() - began, 1))


def readable() -> list[str]:
    """What a notebook may read besides Python: the real image sets, where they are."""
    from course_lib.data.real.folder import data_folder

    return [str(data_folder())]


# --- from events to rows ---------------------------------------------------------------------


@dataclass
class Log:
    """What a notebook's process told."""

    started: bool = False
    cell: int = 0  # the last that was begun
    trying: str | None = None  # the task whose answer is being tried
    problems: dict[int, str] = field(default_factory=dict)
    seen: dict[str, list[tuple[dict, dict | None]]] = field(default_factory=dict)
    broke_off: str | None = None

    def add(self, event: dict) -> None:
        kind = event["kind"]
        if kind == "ready":
            self.started = True
        elif kind == "cell":
            self.cell, self.trying = event["number"], None
        elif kind == "problem":
            self.problems[event["number"]] = event["message"]
        elif kind == "trying":
            self.trying = event["task"]
        elif kind == "task":
            self.seen.setdefault(event["task"], []).append((event["seen"], event["hidden"]))
            self.trying = None
        elif kind == "late":
            self.broke_off = f"the notebook was stopped after {event['seconds']:.0f} s, {self.place}"
        elif kind == "died":
            self.broke_off = f"the process ended (exit code {event['code']}), {self.place}"
        elif kind == "excess":
            self.broke_off = f"the notebook was stopped because {event['message']}, {self.place}"

    @property
    def place(self) -> str:
        return f"while {self.trying} was tried" if self.trying else f"in code cell {self.cell}"

    def notes(self) -> tuple[str, ...]:
        """What went wrong while the notebook ran, in order."""
        said = [f"code cell {number} failed: {what}." for number, what in self.problems.items()]
        if len(said) > MOST_NOTES:
            said = [*said[:MOST_NOTES], f"{len(said) - MOST_NOTES} more cells failed."]
        return (*said, *([f"{self.broke_off}."] if self.broke_off else []))


def row_of(task, log: Log, unknown=None) -> Row:
    """The verdict on one task: points if the answer was right in its place or at the end.

    Args:
        task: the task as the notebook knows it.
        log: what its process told.
        unknown: the same with the instructor's cases, if there are any.
    """
    from course_lib.grading.judge import first_fault, judge
    from course_lib.grading.observation import Observation

    best = None
    for seen, of_hidden in log.seen.get(task.id, ()):
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError, AttributeError):
            outcome = judge(task, Observation.from_data(seen))
            fault = None
            if outcome.passed and unknown is not None:
                fault = first_fault(unknown, Observation.from_data(of_hidden))
            best = outcome, fault
            if outcome.passed and not fault:
                break
    if best is None:
        if log.broke_off:
            return Row(
                task.id, task.title, 0, task.points, "stopped", "stopped", f"Not reached: {log.broke_off}."
            )
        return Row(task.id, task.title, 0, task.points, "missing", "unusable", missing(task, log))
    outcome, fault = best
    if fault:
        cause, detail = fault
        said = (
            "It passes the checks in the notebook, but not your instructor's own: it is not right in general."
        )
        return Row(task.id, task.title, 0, task.points, "not yet", cause, said, detail)
    says = (outcome.points, task.points, outcome.state, outcome.cause, outcome.says)
    return Row(task.id, task.title, *says)


def missing(task, log: Log) -> str:
    said = f"The notebook defines no {task.function}."
    if log.problems:
        number, problem = next(iter(log.problems.items()))
        said += f" Its code cell {number} failed: {problem}."
    return said
