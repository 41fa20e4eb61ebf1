"""What grading a notebook found, as objects, as JSON and as a table."""

import os
import shutil
import textwrap
from collections import Counter
from dataclasses import asdict, dataclass

SCHEMA = "course-grade/1"


@dataclass(frozen=True)
class Row:
    """One task of one notebook.

    Args:
        state: passed, not yet, not attempted, stopped, missing or not graded.
        cause: the first cause, see ``judge.CAUSES``; None where the answer passed.
        message: for the student.
        detail: for the instructor alone: what a hidden case showed.
    """

    task: str
    title: str
    points: int
    max_points: int
    state: str
    cause: str | None = None
    message: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Grade:
    """One notebook.  ``graded`` is False where it could not be read; ``message`` then says why.  ``notes``
    tell what happened while it ran."""

    file: str
    graded: bool
    chapter: str | None = None
    message: str = ""
    tasks: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def points(self) -> int:
        return sum(row.points for row in self.tasks)

    @property
    def max_points(self) -> int:
        return sum(row.max_points for row in self.tasks)

    def to_data(self) -> dict:
        """As JSON holds it."""
        return {**asdict(self), "points": self.points, "max_points": self.max_points}

    @classmethod
    def from_data(cls, data: dict) -> "Grade":
        """The inverse of ``to_data``; KeyError or TypeError where the data are no grade."""
        kept = {name: value for name, value in data.items() if name not in ("points", "max_points")}
        rows = tuple(Row(**row) for row in kept["tasks"])
        return cls(**{**kept, "tasks": rows, "notes": tuple(kept["notes"])})


def to_data(grades: list[Grade]) -> dict:
    """The report as JSON holds it."""
    return {
        "schema": SCHEMA,
        "points": sum(grade.points for grade in grades),
        "max_points": sum(grade.max_points for grade in grades),
        "files": [grade.to_data() for grade in grades],
    }


def exit_code(grades: list[Grade]) -> int:
    """0 when every point is reached, 1 when not, 2 when a file could not be graded."""
    if not all(grade.graded for grade in grades):
        return 2
    return int(any(grade.points < grade.max_points for grade in grades))


def table(grade: Grade) -> str:
    """A notebook's rows, with the message of each below it, and what happened while it ran."""
    lines = [grade.file]
    if not grade.graded:
        lines.append(f"  could not be graded: {grade.message}")
    if grade.tasks:
        wide = max(len("task"), *(len(row.task) for row in grade.tasks))
        lines.append(f"  {'task':<{wide}}  points   state")
        for row in grade.tasks:
            lines.append(f"  {row.task:<{wide}}  {row.points:>2} / {row.max_points:<2}  {row.state}")
            if grade.graded:
                lines += paragraph(row.message) + paragraph(row.detail)
        lines.append(f"  {'total':<{wide}}  {grade.points:>2} / {grade.max_points}")
    for note in grade.notes:
        lines += paragraph(f"Note: {note}")
    return "\n".join(lines)


def paragraph(words: str) -> list[str]:
    width = max(shutil.get_terminal_size((100, 24)).columns - 6, 40)
    return textwrap.wrap(words, width, initial_indent=" " * 6, subsequent_indent=" " * 6)


def short_names(files: list[str]) -> list[str]:
    """The files without the folder that all of them share."""
    parents = [os.path.dirname(file) for file in files]
    try:
        shared = os.path.commonpath(parents)
    except ValueError:  # relative and absolute ones, or two drives
        return files
    return [os.path.relpath(file, shared) if shared else file for file in files]


def class_table(grades: list[Grade]) -> str:
    """One line a notebook: points, and how many tasks are in which state."""
    names = short_names([grade.file for grade in grades])
    wide = max(len("notebook"), *map(len, names))
    lines = [f"{'notebook':<{wide}}    points   tasks"]
    for name, grade in zip(names, grades):
        counts = Counter(row.state for row in grade.tasks)
        said = ", ".join(f"{count} {state}" for state, count in counts.items())
        if not grade.graded:
            said = f"could not be graded: {grade.message}"
        lines.append(f"{name:<{wide}}  {grade.points:>3} / {grade.max_points:<3}  {said}")
    points, possible = (sum(getattr(grade, name) for grade in grades) for name in ("points", "max_points"))
    return "\n".join([*lines, f"{'all':<{wide}}  {points:>3} / {possible}"])
