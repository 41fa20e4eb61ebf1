"""`course grade`: each notebook run in a fresh process, judged here, told as a table and as JSON."""

import contextlib
import json
import shutil
import textwrap
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from course_lib.files import write_atomically
from course_lib.grading import notebook
from course_lib.grading.notebook import Unreadable
from course_lib.grading.process import Child

SCHEMA = "course-grade/1"


@dataclass(frozen=True)
class Row:
    """One task of one notebook."""

    task: str
    title: str
    points: int
    max_points: int
    state: str
    cause: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Grade:
    """One notebook.  ``graded`` is False where it could not be read; ``message`` then says why."""

    file: str
    graded: bool
    chapter: str | None = None
    message: str = ""
    tasks: tuple[Row, ...] = ()
    seconds: float = 0.0

    @property
    def points(self) -> int:
        return sum(row.points for row in self.tasks)

    @property
    def max_points(self) -> int:
        return sum(row.max_points for row in self.tasks)


def grade_files(files: list[str], *, timeout: float = 120.0, json_out: str | Path | None = None) -> int:
    """Grade notebooks one after the other and print a table of each.

    Args:
        files: the notebooks.
        timeout: seconds that each may take, not counting the loading of torch.
        json_out: where to write the same as JSON.

    Returns:
        0 when every point is reached, 1 when not, 2 when a file could not be graded.

    Raises:
        ValueError: the timeout is not positive.
        CourseError: the JSON file cannot be written.
    """
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout}, possible are positive numbers of seconds.")
    grades = []
    for file in files:
        grades.append(grade_notebook(file, timeout))
        print(table(grades[-1]), flush=True)
    if json_out is not None:
        write_atomically(json_out, json.dumps(to_data(grades), indent=2, ensure_ascii=False) + "\n")
    if not all(grade.graded for grade in grades):
        return 2
    return int(any(grade.points < grade.max_points for grade in grades))


def grade_notebook(file: str | Path, timeout: float = 120.0) -> Grade:
    """Grade one notebook; whatever it holds, this gives a grade and raises nothing."""
    began = time.monotonic()
    try:
        cells = notebook.read_cells(file)
        unreadable = None
    except Unreadable as problem:
        cells, unreadable = [], problem
    with contextlib.ExitStack() as stack:
        child = None if unreadable else stack.enter_context(Child())  # it loads torch while we do
        from course_lib.grading import tasks

        chapter = notebook.chapter_of(file, cells, tasks.chapters())
        known = tasks.of_chapter(chapter) if chapter else ()
        if child is None:
            rows = tuple(
                Row(t.id, t.title, 0, t.points, "not graded", "file", str(unreadable)) for t in known
            )
            return Grade(str(file), False, chapter, str(unreadable), rows)
        if chapter is None:
            return Grade(str(file), False, None, "the notebook holds no task of this course.")
        log = Log()
        for event in child.run(chapter, notebook.steps(cells, [task.id for task in known]), timeout):
            with contextlib.suppress(KeyError, TypeError):  # an event that only a forger sends
                log.add(event)
    if not log.started:
        return Grade(str(file), False, chapter, "the process that grades did not start; try `course doctor`.")
    rows = tuple(row_of(task, log) for task in known)
    return Grade(str(file), True, chapter, "", rows, round(time.monotonic() - began, 1))


# --- from events to rows ---------------------------------------------------------------------


@dataclass
class Log:
    """What a notebook's process told."""

    started: bool = False
    cell: int = 0  # the last that was begun
    problems: dict[int, str] = field(default_factory=dict)
    seen: dict[str, list[dict]] = field(default_factory=dict)
    broke_off: str | None = None

    def add(self, event: dict) -> None:
        kind = event["kind"]
        if kind == "ready":
            self.started = True
        elif kind == "cell":
            self.cell = event["number"]
        elif kind == "problem":
            self.problems[event["number"]] = event["message"]
        elif kind == "task":
            self.seen.setdefault(event["task"], []).append(event["seen"])
        elif kind == "late":
            self.broke_off = (
                f"the notebook was stopped after {event['seconds']:.0f} s, in code cell {self.cell}"
            )
        elif kind == "died":
            self.broke_off = f"code cell {self.cell} ended the process (exit code {event['code']})"


def row_of(task, log: Log) -> Row:
    """The verdict on one task: points if the answer was right in its place or at the end."""
    from course_lib.grading.judge import judge
    from course_lib.grading.observation import Observation

    outcome = None
    for data in log.seen.get(task.id, ()):
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError):
            outcome = judge(task, Observation.from_data(data))
            if outcome.passed:
                break
    if outcome is not None:
        says = (outcome.points, task.points, outcome.state, outcome.cause, outcome.says)
    elif log.broke_off:
        says = (0, task.points, "stopped", "stopped", f"Not reached: {log.broke_off}.")
    else:
        says = (0, task.points, "missing", "unusable", missing(task, log))
    return Row(task.id, task.title, *says)


def missing(task, log: Log) -> str:
    said = f"The notebook defines no {task.function}."
    if log.problems:
        number, problem = next(iter(log.problems.items()))
        said += f" Its code cell {number} failed: {problem}."
    return said


# --- how it is told --------------------------------------------------------------------------


def table(grade: Grade) -> str:
    """A notebook's rows, with the message of each below it."""
    lines = [grade.file]
    if not grade.graded:
        lines.append(f"  could not be graded: {grade.message}")
    if grade.tasks:
        wide = max(len("task"), *(len(row.task) for row in grade.tasks))
        lines.append(f"  {'task':<{wide}}  points   state")
        for row in grade.tasks:
            lines.append(f"  {row.task:<{wide}}  {row.points:>2} / {row.max_points:<2}  {row.state}")
            if row.message and grade.graded:
                width = shutil.get_terminal_size((100, 24)).columns - 6
                lines += textwrap.wrap(
                    row.message, max(width, 40), initial_indent="      ", subsequent_indent="      "
                )
        lines.append(f"  {'total':<{wide}}  {grade.points:>2} / {grade.max_points}")
    return "\n".join(lines)


def to_data(grades: list[Grade]) -> dict:
    """The report as JSON holds it."""
    return {
        "schema": SCHEMA,
        "points": sum(grade.points for grade in grades),
        "max_points": sum(grade.max_points for grade in grades),
        "files": [
            {**asdict(grade), "points": grade.points, "max_points": grade.max_points} for grade in grades
        ],
    }
