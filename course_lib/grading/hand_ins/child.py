"""The process that runs one student's notebook for `course grade` and reports what the answers do.

It is started as ``python -m course_lib.grading.hand_ins.child`` with its orders as JSON on the standard
input.  It judges nothing.  What it reports goes, with a token that only the parent knows, over a copy of the
standard output that is set aside before the student's code runs; what that code prints goes nowhere.
"""

import importlib.util
import json
import linecache
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import course_lib
from course_lib.grading import borrowing, tasks
from course_lib.grading.calling import TimeUp, explain, time_limit
from course_lib.grading.hand_ins import hidden
from course_lib.grading.hand_ins.confine import confine, die_with_parent
from course_lib.grading.observe import observe
from course_lib.grading.task import Task


def main() -> None:
    """Orders: ``token``, ``chapter``, ``steps`` (cells to run and tasks to check, in order), ``hidden`` (the
    instructor's cases by task), ``cell_seconds``, ``readable`` (places besides Python's own)."""
    report = channel()
    orders = json.load(sys.stdin)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - input() finds the end of a file
    me = os.getpid()

    def send(**event: Any) -> None:
        if os.getpid() == me:  # a fork of ours has nothing to say
            report.write(orders["token"] + json.dumps(event) + "\n")
            report.flush()

    known = {task.id: task for task in tasks.of_chapter(orders["chapter"])}
    unknown = {task_id: hidden.with_cases(known[task_id], data) for task_id, data in orders["hidden"].items()}
    borrowing.library_code()  # reads our files, which is barred later
    run, namespace = make_shell()
    forget_the_checks()
    confine(Path.cwd().parent, orders["readable"])
    send(kind="ready")
    tried: dict[str, Any] = {}
    for step in orders["steps"]:
        if step["task"] is None:
            send(kind="cell", number=step["number"])
            problem = run_cell(run, step["source"], orders["cell_seconds"])
            if problem:
                send(kind="problem", number=step["number"], message=problem)
            continue
        task = known[step["task"]]
        answer = namespace.get(task.function)
        if answer is None or answer is tried.get(task.id):
            continue
        tried[task.id] = answer
        send(kind="trying", task=task.id)
        send(kind="task", task=task.id, seen=look(task, answer), hidden=look(unknown.get(task.id), answer))
    send(kind="end")
    os._exit(0)  # whatever threads or exit handlers the notebook has left behind


def look(task: Task | None, answer: Any) -> dict | None:
    """What an answer does, as data."""
    return None if task is None else observe(task, answer, devices=("cpu",)).to_data()


def channel():
    """A private copy of the standard output; the public one, and the standard error, lead nowhere."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return private


def forget_the_checks() -> None:
    """Let the notebook import a second copy of this room: what it does to that one changes nothing here."""
    for name in [name for name in sys.modules if name.startswith("course_lib.grading")]:
        del sys.modules[name]
    del course_lib.grading


# --- running cells ---------------------------------------------------------------------------


def run_cell(run: Callable[[str], BaseException | None], source: str, seconds: float) -> str | None:
    """Run a cell; what went wrong, in one sentence."""
    try:
        with time_limit(seconds):
            error = run(source)
    except BaseException as problem:
        error = problem
    if error is None or isinstance(error, NotImplementedError):
        return None
    if isinstance(error, TimeUp):
        return f"it ran longer than {seconds:.0f} s and was stopped"
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__} in line {error.lineno}: {error.msg}"
    return "it raised " + explain(error).rstrip(".")


def make_shell() -> tuple[Callable[[str], BaseException | None], dict]:
    """A function that runs the text of a cell and gives its error, and the namespace that cells share."""
    return ipython_shell() if importlib.util.find_spec("IPython") else plain_shell()


def ipython_shell() -> tuple[Callable[[str], BaseException | None], dict]:
    """IPython's own, so that magics and top-level await work; it keeps its files in IPYTHONDIR."""
    from IPython.core.interactiveshell import InteractiveShell

    class Shell(InteractiveShell):
        def enable_gui(self, gui=None):
            """Nothing to enable: %matplotlib asks for it."""

    shell = Shell.instance()

    def run(source: str) -> BaseException | None:
        result = shell.run_cell(source)
        return result.error_before_exec or result.error_in_exec

    return run, shell.user_ns


def plain_shell() -> tuple[Callable[[str], BaseException | None], dict]:
    """Without IPython: Python alone; lines that only IPython understands are left out."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    count = 0

    def run(source: str) -> BaseException | None:
        nonlocal count
        count += 1
        name = f"<cell {count}>"
        lines = ["" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n")]
        linecache.cache[name] = (len(source), None, [line + "\n" for line in lines], name)
        try:
            exec(compile("\n".join(lines), name, "exec"), module.__dict__)
        except BaseException as error:
            return error
        return None

    return run, module.__dict__


if __name__ == "__main__":
    die_with_parent()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    main()
