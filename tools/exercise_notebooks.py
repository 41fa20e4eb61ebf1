"""Make the solution notebook and the student's notebook of each exercise from one source.

The source, ``solutions/NN_topic.py``, is a notebook as text (py:percent).  Three kinds of cells say what they
are:

``# %% [markdown] statement="shade.penalty"``   a task's text; its heading is made from the task
``# %% task="shade.penalty"``                   the answer, the solution between nbgrader's two markers
``# %% check="shade.penalty"``                  the check, always ``check("shade.penalty", function)``

Both notebooks carry nbgrader's metadata, and the solution notebook keeps the markers, so it is also the
source version that nbgrader starts from.
"""

from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_lib.grading import tasks
from course_lib.grading.hand_ins.notebook import grade_id
from course_lib.grading.task import Task
from course_lib.runtime import CourseError
from tools.notebook_common import finish, setup_cell
from tools.project import ROOT, Project, read_project

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KINDS = ("statement", "task", "check")


class BadSource(CourseError):
    """A source that no exercise can be made from; the message names the file and the reason."""


def outputs(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every exercise's two notebooks: their paths and their whole texts.

    Raises:
        BadSource: a task without a solution, a stray marker, an unknown task.
    """
    project = read_project(root)
    for source in sorted((root / "solutions").glob("[0-9][0-9]_*.py")):
        try:
            solution, exercise = convert(source.read_text(encoding="utf-8"), source.stem, project)
        except BadSource as problem:
            raise BadSource(f"{source.relative_to(root).as_posix()}: {problem}") from None
        yield root / "solutions" / f"{source.stem}.ipynb", solution
        yield root / "exercises" / f"{source.stem}.ipynb", exercise


def convert(text: str, stem: str, project: Project) -> tuple[str, str]:
    """The solution notebook and the student's notebook of one source, as whole files.

    Args:
        text: the source.
        stem: the name of the file without its ending, ``01_shade``; its tasks are those of ``shade``.
        project: the addresses for links.

    Raises:
        BadSource: a task without a solution, a stray marker, an unknown task.
    """
    chapter = stem.split("_", 1)[1]
    known = {task.id: task for task in tasks.of_chapter(chapter)} if chapter in tasks.chapters() else {}
    cells = jupytext.reads(text, fmt="py:percent").cells
    require_all(cells, known)
    solution = nbformat.v4.new_notebook()
    solution.cells = [setup_cell(project)]
    exercise = nbformat.v4.new_notebook()
    exercise.cells = list(solution.cells)
    for cell in cells:
        kind, task = kind_of(cell, known)
        answered = finished(cell, kind, task, list(known))
        solution.cells.append(answered)
        exercise.cells.append(for_students(answered, kind, task))
        if cell is cells[0]:  # the title
            note = nbformat.v4.new_markdown_cell(opening(stem, known, project))
            solution.cells.append(note)
            exercise.cells.append(note)
    student = finish(exercise, stem)
    for marker in ("BEGIN SOLUTION", "END SOLUTION"):
        if marker in student:
            raise BadSource(f"the marker {marker!r} stands outside a task cell.")
    return finish(solution, stem), student


# --- the rules a source keeps ----------------------------------------------------------------


def kind_of(cell: NotebookNode, known: dict[str, Task]) -> tuple[str | None, Task | None]:
    """Whether a cell is a task's text, answer or check, and of which task."""
    for kind in KINDS:
        if kind in cell.metadata:
            task_id = cell.metadata[kind]
            if task_id not in known:
                possible = ", ".join(known) or "none, because the chapter has no file of tasks"
                raise BadSource(f"there is no task {task_id!r}; possible are {possible}.")
            return kind, known[task_id]
    return None, None


def require_all(cells: list[NotebookNode], known: dict[str, Task]) -> None:
    """Every task of the chapter has a text, an answer and its check once each, in this order."""
    found = [(task.id, kind) for kind, task in (kind_of(cell, known) for cell in cells) if task is not None]
    wanted = [(task_id, kind) for task_id in known for kind in KINDS]
    for task_id, kind in wanted:
        if (task_id, kind) not in found:
            raise BadSource(f"the task {task_id} has no {kind} cell.")
    if found != wanted:
        raise BadSource("the cells of a task come as statement, task, check, in the order of the tasks.")
    for cell in cells:
        kind, task = kind_of(cell, known)
        if kind == "check" and cell.source.strip() != check_call(task):
            raise BadSource(f"the check cell of {task.id} must hold {check_call(task)} and nothing else.")


def check_call(task: Task) -> str:
    return f'check("{task.id}", {task.function})'


# --- cells -----------------------------------------------------------------------------------


def opening(stem: str, known: dict[str, Task], project: Project) -> str:
    """What the notebook belongs to, how much it is, and that a copy is needed where nothing is kept."""
    minutes, points = (sum(getattr(task, what) for task in known.values()) for what in ("minutes", "points"))
    count = f"{len(known)} task{'s' * (len(known) != 1)}"
    return (
        f"{count}, {points} points, about {minutes} minutes. "
        f"They go with [this chapter]({project.pages}/{stem}.html) of the course.\n"
        "In Colab, save a copy to your Drive first (File, Save a copy)."
    )


def heading(task: Task, number: int) -> str:
    """The head of a task's text: what it is called, what it costs and earns, what it takes and gives."""
    dots = "●" * task.difficulty + "○" * (5 - task.difficulty)
    return (
        f"## Task {number}: {task.title}\n\n"
        f"Difficulty {dots} ({task.difficulty} of 5), about {task.minutes} minutes, {task.points} points.\n\n"
        f"```python\n{task.signature}\n```"
    )


def finished(cell: NotebookNode, kind: str | None, task: Task | None, order: list[str]) -> NotebookNode:
    """A cell of the source as the solution notebook has it: headed, and marked for nbgrader."""
    made = nbformat.from_dict(dict(cell))
    made.metadata = {k: v for k, v in cell.metadata.items() if k not in KINDS}
    if task is None:
        return made
    marks = {"schema_version": 3, "solution": False, "grade": False, "locked": True, "task": False}
    marks["grade_id"] = grade_id(task.id)
    if kind == "statement":
        made.source = f"{heading(task, order.index(task.id) + 1)}\n\n{made.source}"
        marks["grade_id"] += "-statement"
    elif kind == "task":
        marks |= {"solution": True, "locked": False}
    else:
        marks |= {"grade": True, "points": task.points}
        marks["grade_id"] += "-check"
    made.metadata["deletable"] = False  # as nbgrader's release has it: a check needs its answer's cell
    if marks["locked"]:
        made.metadata["editable"] = False
    made.metadata["nbgrader"] = marks
    return made


def for_students(cell: NotebookNode, kind: str | None, task: Task | None) -> NotebookNode:
    """The same cell with the solution taken out."""
    made = nbformat.from_dict(dict(cell))
    made.metadata = nbformat.from_dict(dict(cell.metadata))
    if task is not None:
        made.metadata["nbgrader"] = {**cell.metadata["nbgrader"], "cell_type": cell.cell_type}
    if kind == "task":
        made.source = without_solution(cell.source, task.id)
    return made


def without_solution(source: str, task_id: str) -> str:
    """An answer with every marked block replaced by a line that says that it is still to do.

    Raises:
        BadSource: there is no block, or a marker without its partner.
    """
    kept, inside, blocks = [], False, 0
    for line in source.split("\n"):
        words = line.strip()
        if words in (BEGIN, END) and inside == (words == BEGIN):
            raise BadSource(f"in the task {task_id} the marker {words!r} has no partner.")
        if words == BEGIN:
            inside, blocks = True, blocks + 1
            indent = line[: len(line) - len(line.lstrip())]
            kept.append(f"{indent}# Write your answer here, in place of the next line.")
            kept.append(f'{indent}raise NotImplementedError("{task_id}")')
        elif words == END:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise BadSource(f"in the task {task_id} the marker {BEGIN!r} has no partner.")
    if not blocks:
        raise BadSource(f"the task {task_id} has no solution between {BEGIN!r} and {END!r}.")
    return "\n".join(kept)
