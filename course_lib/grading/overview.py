"""How far you are: in the notebook, in the terminal, as a page and as a file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from course_lib.files import write_atomically
from course_lib.grading import store, tasks
from course_lib.grading.exports import frame
from course_lib.grading.exports.table import sheet
from course_lib.grading.outcome import PASSED
from course_lib.grading.records import Record, records
from course_lib.grading.report import box, show
from course_lib.grading.task import Task

SCHEMA = "course-progress/1"
Row = tuple[Task, Record]


def progress(chapter: str | None = None) -> None:
    """Show the state of every task of a chapter, as the checks found it, today and before.

    The state is what the last check found.  The points are the best that a check gave: a task that passed
    once stays done.

    Args:
        chapter: such as ``shade``; None shows every chapter that was worked on, or all.

    Raises:
        ValueError: there is no such chapter.
    """
    found = records()
    rows = [row for name in chosen([chapter] if chapter else None, found) for row in rows_of(name, found)]
    lines = [line(task, record) for task, record in rows]
    title = total(rows)
    show("\n  ".join([title, *lines]), box(title, lines, "solid"))


def summary(chapters: Iterable[str] | None = None) -> str:
    """The same as a table of text, and where it is kept.

    Args:
        chapters: None is every chapter that was worked on, or all.

    Raises:
        ValueError: there is no such chapter.
    """
    found = records()
    tables = [(name, rows_of(name, found)) for name in chosen(chapters, found)]
    rows = [row for _, part in tables for row in part]
    wide = max((len(task.id) for task, _ in rows), default=4)
    long = max((len(record.state) for _, record in rows), default=5) + 2
    lines = []
    for name, part in tables:
        lines += [name, f"  {'task':<{wide}}  {'state':<{long}}  points   tries  hints"]
        for task, record in part:
            state = f"{frame.sign(record.last or 'not checked')} {record.state}"
            points = f"{best(task, record):>2} / {task.points:<2}"
            lines.append(
                f"  {task.id:<{wide}}  {state:<{long}}  {points:<8} {record.tries:>5}  {record.hints:>5}"
            )
    lines += [total(rows), *strangers(found), kept_in()]
    return "\n".join(lines)


def export(path: str | Path) -> Path:
    """Write everything that is known of every task, as CSV or as JSON, by the file's ending.

    Raises:
        ValueError: the file ends otherwise.
        CourseError: it cannot be written.
    """
    data = facts()
    ending = Path(path).suffix.lower()
    if ending == ".json":
        text = json.dumps({"schema": SCHEMA, "tasks": data}, indent=2, ensure_ascii=False) + "\n"
    elif ending == ".csv":
        text = sheet(list(data[0]), [list(one.values()) for one in data])
    else:
        raise ValueError(f"{path} ends in {ending or 'nothing'!r}, possible are .csv and .json.")
    return write_atomically(path, text)


def page() -> str:
    """A page about every chapter that has tasks, in one file."""
    found = records()
    rows = {name: rows_of(name, found) for name in tasks.chapters()}
    everything = [row for part in rows.values() for row in part]
    got, most = sums(everything)
    done = sum(record.done for _, record in everything)
    parts = [
        "<h1>Your progress</h1>",
        f'<p class="total">{total(everything)}, {done} of {len(everything)} tasks done</p>',
        frame.bar(got, most),
    ]
    head = ["Task", "State", "Points", "Tries", "Hints"]
    for name, part in rows.items():
        cells = [cells_of(task, record) for task, record in part]
        parts += [f"<h2>{frame.escape(name)}</h2>", frame.table(total(part), head, cells, head[2:])]
    parts += [f'<p class="soft">{frame.escape(words)}</p>' for words in (*strangers(found), kept_in())]
    return frame.page("Your progress", "\n".join(parts))


def forget(name: str) -> Path | None:
    """Start again with a task or a chapter; what was is kept in a file beside the journal.

    Args:
        name: such as ``shade.penalty`` or ``shade``; also a task that the course no longer has.

    Returns:
        The file that keeps it; None where it was in this session's memory only.

    Raises:
        ValueError: nothing was done there.
        CourseError: the journal cannot be written to.
    """
    worked_on = records()

    def meant(task: str) -> bool:
        return task == name or task.startswith(f"{name}.")

    if not any(meant(task) for task in worked_on):
        raise tasks.Refused(
            f"There is no progress in {name!r}; there is in {', '.join(worked_on) or 'nothing yet'}."
        )
    return store.set_aside(meant)


# --- what is shown ---------------------------------------------------------------------------


def chosen(chapters: Iterable[str] | None, found: dict[str, Record]) -> list[str]:
    if chapters is not None:
        return list(chapters)
    worked_on = {task_id.split(".")[0] for task_id in found}
    return [name for name in tasks.chapters() if name in worked_on] or tasks.chapters()


def rows_of(chapter: str, found: dict[str, Record]) -> list[Row]:
    return [(task, found.get(task.id, Record(task.id))) for task in tasks.of_chapter(chapter)]


def best(task: Task, record: Record) -> int:
    """The points that count; a task may have come to be worth more or less since."""
    return task.points if record.done else min(record.points, task.points)


def sums(rows: list[Row]) -> tuple[int, int]:
    return sum(best(task, record) for task, record in rows), sum(task.points for task, _ in rows)


def total(rows: list[Row]) -> str:
    got, most = sums(rows)
    return f"{got} of {most} points"


def line(task: Task, record: Record) -> str:
    said = [
        f"{frame.sign(record.last or 'not checked')} {task.id}",
        task.title,
        record.state,
        f"{best(task, record)} of {task.points} points",
    ]
    if record.tries:
        said.append(f"{record.tries} {'try' if record.tries == 1 else 'tries'}")
    if record.hints:
        said.append(f"{record.hints} {'hint' if record.hints == 1 else 'hints'}")
    return " · ".join(said)


def cells_of(task: Task, record: Record) -> list[str]:
    state = frame.state(record.last or "not checked")
    if record.passed:
        first = "first passed" if record.last == PASSED else "passed before, first"
        state += f"<small>{first} on <time>{frame.escape(record.passed[:10])}</time></small>"
    name = f"{frame.name(task.id)}<small>{frame.escape(task.title)}</small>"
    return [name, state, f"{best(task, record)} of {task.points}", str(record.tries), str(record.hints)]


def strangers(found: dict[str, Record]) -> list[str]:
    """The tasks of the journal that the course no longer has, or has under another name."""
    here = known()
    lost = [task_id for task_id in found if task_id not in here]
    return [f"Not in the course any more: {', '.join(lost)}."] if lost else []


def known() -> dict[str, Task]:
    return {task.id: task for name in tasks.chapters() for task in tasks.of_chapter(name)}


def kept_in() -> str:
    path = store.place()
    return f"Kept in {path}." if path else "Kept until this session ends (COURSE_PROGRESS is off)."


def facts() -> list[dict[str, Any]]:
    """Everything that is known of every task of the course, then of those that it no longer has."""
    found, here = records(), known()
    listed = [*here, *(task_id for task_id in found if task_id not in here)]
    return [facts_of(here.get(task_id), found.get(task_id, Record(task_id))) for task_id in listed]


def facts_of(task: Task | None, record: Record) -> dict[str, Any]:
    return {
        "task": record.task,
        "title": task.title if task else "",
        "chapter": record.task.split(".")[0],
        "state": record.last or "not checked",
        "done": record.done,
        "points": best(task, record) if task else record.points,
        "max_points": task.points if task else None,
        "tries": record.tries,
        "hints": record.hints,
        "first_passed": record.passed,
        "last_checked": record.checked,
    }
