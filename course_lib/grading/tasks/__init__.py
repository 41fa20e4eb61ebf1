"""The tasks of the course: one file a chapter, each with its ``TASKS`` in the order of the exercise."""

import difflib
import importlib
import pkgutil

from course_lib.grading.task import Task


class Refused(ValueError):
    """A request that cannot be met; a notebook shows its one line only."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def chapters() -> list[str]:
    """The chapters that have tasks, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def of_chapter(chapter: str) -> tuple[Task, ...]:
    """The tasks of a chapter, in the order of its exercise.

    Raises:
        ValueError: there is no such chapter.
    """
    if chapter not in chapters():
        raise Refused(f"There is no chapter {chapter!r} with tasks; possible are {', '.join(chapters())}.")
    return importlib.import_module(f"{__name__}.{chapter}").TASKS


def get(task_id: str) -> Task:
    """The task of this id, such as ``shade.penalty``.

    Raises:
        ValueError: there is no such task.
    """
    chapter = str(task_id).split(".")[0]
    for task in of_chapter(chapter) if chapter in chapters() else ():
        if task.id == task_id:
            return task
    known = [task.id for name in chapters() for task in of_chapter(name)]
    near = difflib.get_close_matches(str(task_id), known, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]!r}?" if near else f"possible are {', '.join(known)}."
    raise Refused(f"There is no task {task_id!r}; {meant}")
