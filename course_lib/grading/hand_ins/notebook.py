"""Reading a student's notebook: which cells to run, and where the course's own checks take their places."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECK_CALL = re.compile(r"""\s*check\(\s*["']([\w.]+)["']\s*,[^\n]*\)\s*;?\s*""")
CHECK_MENTION = re.compile(r"""\bcheck\(\s*["'](\w+\.\w+)["']""")
DEFINITION = re.compile(r"^\s*(?:def|class)\s+(\w+)", re.MULTILINE)
SETUP = "def set_up_course("  # the first cell of every notebook: it has nothing to do here


class Unreadable(ValueError):
    """A file that cannot be graded; the message is one sentence."""


@dataclass(frozen=True)
class Step:
    """A cell to run (number and source), or a task to check in this place."""

    number: int = 0
    source: str = ""
    task: str | None = None


def grade_id(task_id: str) -> str:
    """A task's id as nbgrader allows it: ``shade-penalty``; its check cell is ``shade-penalty-check``."""
    return task_id.replace(".", "-")


def read_cells(path: str | Path) -> list[dict]:
    """The code cells of a notebook file, in order.

    Raises:
        Unreadable: the file is not there, empty, or no notebook.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as problem:
        raise Unreadable(f"the file cannot be read ({problem.strerror or problem}).") from None
    if not content.strip():
        raise Unreadable("the file is empty.")
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("the file is not a notebook: it holds no JSON.") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise Unreadable("the file is not a notebook: it has no list of cells (format 4).")
    cells = [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    return [cell for cell in cells if cell.get("cell_type") == "code"]


def source_of(cell: dict) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def marker_of(cell: dict) -> str | None:
    """The nbgrader id of a cell, if it has one."""
    metadata = cell.get("metadata")
    entry = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    found = entry.get("grade_id") if isinstance(entry, dict) else None
    return found if isinstance(found, str) else None


def checked_task(cell: dict) -> str | None:
    """The task that a cell checks: by its nbgrader id, else because it holds nothing but a check call."""
    marker = marker_of(cell) or ""
    if marker.endswith("-check"):
        return marker.removesuffix("-check").replace("-", ".", 1)
    only = CHECK_CALL.fullmatch(source_of(cell))
    return only[1] if only else None


def chapter_of(path: str | Path, cells: list[dict], functions: Mapping[str, Iterable[str]]) -> str | None:
    """The chapter whose exercise this is: by its checks, else by what it defines, else by the file's name.

    Args:
        path: the file.
        cells: its code cells.
        functions: for each chapter the names that its answers have.

    Returns:
        the chapter; None where nothing tells.
    """
    checked: Counter[str] = Counter()
    defined: Counter[str] = Counter()
    for cell in cells:
        checked.update([(marker_of(cell) or "").split("-")[0]])
        checked.update(task.split(".")[0] for task in CHECK_MENTION.findall(source_of(cell)))
        names = set(DEFINITION.findall(source_of(cell)))
        defined.update(chapter for chapter, own in functions.items() if names & set(own))
    for found in (checked, defined):
        known = [(count, name) for name, count in found.items() if name in functions]
        if known:
            return max(known)[1]
    stem = Path(path).stem.lower()
    return next((name for name in functions if name in stem), None)


def steps(cells: list[dict], task_ids: list[str]) -> list[Step]:
    """The student's cells in order, with every check cell replaced by the course's own check in its place.

    What the student's check cells say is never run.  A task whose check cell is gone is checked at the end.
    """
    plan = []
    for number, cell in enumerate(cells, start=1):
        task = checked_task(cell)
        if task in task_ids:
            plan.append(Step(task=task))
        elif SETUP not in source_of(cell):
            plan.append(Step(number, source_of(cell)))
    return [*plan, *(Step(task=task) for task in task_ids)]
