"""Noticing an answer that lets this course compute the result: it calls the library's own version, or runs
its text.  That is no answer, and it is told so.

While an answer runs, the interpreter reports every Python function that is entered.  A function of the rooms
that teach the methods counts where the answer caused the call; our own scenario around it does not.
"""

import contextlib
import functools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from course_lib.grading.calling import FOREIGN
from course_lib.grading.task import Task, call

LIBRARY = Path(__file__).resolve().parents[1]
TEACHING = ("methods", "nets.mirrored", "studies", "grading")  # they hold what learners are asked to write
ROOMS = tuple(str(LIBRARY.joinpath(*room.split("."))) for room in TEACHING)
ENGINE = tuple(str(LIBRARY / "grading" / name) for name in ("observe.py", "calling.py"))  # calls answers


def borrowed(task: Task, answer: Any) -> str | None:
    """The name of what an answer borrows, as far as it shows without running it."""
    while isinstance(answer, functools.partial):
        answer = answer.func
    answer = getattr(answer, "__func__", answer)
    shown = answer.__mro__ if isinstance(answer, type) else (answer, *type(answer).__mro__)
    for each in shown:
        module, name = getattr(each, "__module__", None), getattr(each, "__qualname__", None)
        if module and name and is_teaching(module, task):
            return f"{module}.{name}"
    return None


def is_teaching(module: str, task: Task) -> bool:
    """Whether a module is one that answers must not lean on."""
    parts = module.split(".")
    rooms = {".".join(parts[1:depth]) for depth in (2, 3)}
    if parts[0] != LIBRARY.name or rooms.isdisjoint(TEACHING):
        return False
    return not any(module == name or module.startswith(name + ".") for name in task.may_use)


class Watch:
    """Notes in ``found`` the first function of the teaching rooms that an answer makes run."""

    def __init__(self, task: Task):
        self.task = task
        self.scenario: CodeType | None = None if task.use is call else getattr(task.use, "__code__", None)
        self.found: str | None = None
        self.harmless: set[CodeType] = set()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch this thread, and those that are begun in it; whoever watched before does so again."""
        before = sys.getprofile()
        threading.setprofile(self.see)
        sys.setprofile(self.see)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(None)

    def see(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or self.found or code in self.harmless:
            return
        if not code.co_filename.startswith(ROOMS):
            if code.co_filename == "<string>" and fingerprint(code) in library_code():
                self.found = f"the text of {library_code()[fingerprint(code)]}"
            else:
                self.harmless.add(code)
        elif code.co_filename.startswith(ENGINE) or not is_teaching(module_of(frame), self.task):
            self.harmless.add(code)
        elif self.caused_by_the_answer(frame.f_back):
            self.found = f"{module_of(frame)}.{code.co_qualname}"

    def caused_by_the_answer(self, frame: FrameType | None) -> bool:
        """Whether a learner's own line, or nothing of ours, stands between a call and the engine."""
        while frame is not None:
            code = frame.f_code
            if code is self.scenario or code.co_filename.startswith(ENGINE):
                return False
            if code is call.__code__ or code.co_filename == "<string>":
                return True
            if not code.co_filename.startswith(FOREIGN):
                return True
            frame = frame.f_back
        return True  # a thread that the answer has begun


def module_of(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")


# --- recognising our own text ----------------------------------------------------------------


@functools.cache
def library_code() -> dict[tuple, str]:
    """The fingerprints of the functions in the teaching rooms, with their names."""
    found: dict[tuple, str] = {}

    def collect(code: CodeType, module: str) -> None:
        for inner in (each for each in code.co_consts if isinstance(each, CodeType)):
            if len(inner.co_code) >= 80:  # what is shorter, people write alike by themselves
                found[fingerprint(inner)] = f"{module}.{inner.co_qualname}"
            collect(inner, module)

    for room in ROOMS:
        for path in sorted(Path(room).rglob("*.py")):
            with contextlib.suppress(SyntaxError, OSError):
                module = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
                collect(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module)
    return found


def fingerprint(code: CodeType) -> tuple:
    """What stays the same when a function's text is run again elsewhere: its names and numbers in their order
    (not its instructions, which differ with what the text around it imports)."""
    numbers = tuple(repr(each) for each in code.co_consts if isinstance(each, int | float | tuple))
    return code.co_names, code.co_varnames, numbers


def message(name: str, noun: str) -> str:
    """What to tell whoever borrowed."""
    return (
        f"Your {noun} lets {name} compute the result, which is part of this course. "
        "That earns no points: write the formula yourself, with torch alone."
    )
