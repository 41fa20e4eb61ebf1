"""What has been done in this session: tries, hints and the last verdict of every task."""

from dataclasses import dataclass

from course_lib.grading import tasks
from course_lib.grading.outcome import Outcome
from course_lib.grading.report import SIGNS, box, show


@dataclass
class Record:
    outcome: Outcome | None = None
    tries: int = 0
    hints: int = 0


_session: dict[str, Record] = {}


def record(task_id: str) -> Record:
    """The record of a task in this session."""
    return _session.setdefault(task_id, Record())


def progress(chapter: str | None = None) -> None:
    """Show the state of every task of a chapter, as the checks of this session found it.

    Args:
        chapter: such as ``shade``; None shows every chapter that was worked on, or all.

    Raises:
        ValueError: there is no such chapter.
    """
    worked_on = {task_id.split(".")[0] for task_id in _session}
    chapters = [chapter] if chapter else [c for c in tasks.chapters() if c in worked_on] or tasks.chapters()
    chosen = [task for name in chapters for task in tasks.of_chapter(name)]
    lines, points = [], 0
    for task in chosen:
        entry = _session.get(task.id, Record())
        state = entry.outcome.state if entry.outcome else "not checked"
        got = entry.outcome.points if entry.outcome else 0
        points += got
        sign = SIGNS.get(state, "·")
        lines.append(f"{sign} {task.id} · {task.title} · {state} · {got} of {task.points} points")
    title = f"{points} of {sum(task.points for task in chosen)} points"
    show("\n  ".join([title, *lines]), box(title, lines, "solid"))
