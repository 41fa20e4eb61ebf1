"""Noticing an answer that lets this course compute the result: it calls the library's own version, or runs
its text.  That is no answer, and it is told so.

While an answer runs, the interpreter reports every Python function that is entered.  A function of the rooms
that teach the methods counts where the answer caused the call; our own scenario around it does not.
"""

import contextlib
import functools
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from course_lib.grading.calling import FOREIGN
from course_lib.grading.task import Task, call

LIBRARY = Path(__file__).resolve().parents[1]
# What learners are asked to write stands in these rooms, and in single functions of others.
WHOLE = ("methods", "nets.mirrored", "localisation", "studies", "grading")
SINGLE = ("metrics.spearman",)
TEACHING = tuple(f"{LIBRARY.name}.{name}" for name in (*WHOLE, *SINGLE))
ROOMS = tuple(
    str(LIBRARY.joinpath(*room.split(".")))
    for room in (*WHOLE, *(name.rpartition(".")[0] for name in SINGLE))
)
ENGINE = tuple(str(LIBRARY / "grading" / name) for name in ("observe.py", "calling.py"))  # calls answers


def borrowed(task: Task, answer: Any) -> str | None:
    """The name of what an answer borrows, as far as it shows without running it."""
    while isinstance(answer, functools.partial):
        answer = answer.func
    answer = getattr(answer, "__func__", answer)
    shown = answer.__mro__ if isinstance(answer, type) else (answer, *type(answer).__mro__)
    for each in shown:
        module, name = getattr(each, "__module__", None), getattr(each, "__qualname__", None)
        if module and name and is_teaching(f"{module}.{name}", task):
            return f"{module}.{name}"
    return None


def is_teaching(name: str, task: Task) -> bool:
    """Whether a function or class, by its full name, is one that answers to a task must not lean on."""
    return _stands_in(name, TEACHING) and not _stands_in(name, task.may_use)


def _stands_in(name: str, rooms: Iterable[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


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
            return
        name = f"{module_of(frame)}.{code.co_qualname}"
        if code.co_filename.startswith(ENGINE) or not is_teaching(name, self.task):
            self.harmless.add(code)
        elif self.caused_by_the_answer(frame.f_back):
            self.found = name

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
            name = f"{module}.{inner.co_qualname}"
            if len(inner.co_code) >= 80 and _stands_in(name, TEACHING):
                found[fingerprint(inner)] = name  # what is shorter, people write alike by themselves
            collect(inner, module)

    for room in ROOMS:
        for path in (*Path(f"{room}.py").parent.glob(f"{Path(room).name}.py"), *Path(room).rglob("*.py")):
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
