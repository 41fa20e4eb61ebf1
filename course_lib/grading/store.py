"""The journal of progress: a line of JSON for every check and every hint, kept on this machine only.

It lies where the environment variable ``COURSE_PROGRESS`` says, else in the user's own folder for state;
``COURSE_PROGRESS=off`` keeps nothing.  No answer is kept, only what became of it.

Lines are only ever added, each by a single write to a file opened for appending, so that two notebooks at
once and a process that is killed lose nothing.  (Windows and network folders promise less: there, two that
write in the same instant can lose one event.)  Nothing is forced to the disk: a killed process has handed
its lines to the system already, only a power cut can take the last seconds, and waiting for the disk would
slow every check down where the home folder is a network's.
"""

import errno
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course_lib.files import reason, state_folder
from course_lib.grading import report
from course_lib.runtime import CourseError, in_book

Event = dict[str, Any]

_unwritten: dict[Path | None, list[Event]] = {}  # what this process did and no file took
_writing = threading.Lock()  # a notebook may check in several threads
_told: set[str] = set()


def place() -> Path | None:
    """The journal's file; None where nothing is kept.

    That is the learner's wish (``COURSE_PROGRESS=off``), and so where the one who runs a notebook is not the
    one who learns: under nbgrader, and when the book is built.
    """
    told = os.environ.get("COURSE_PROGRESS", "").strip()
    if told.lower() == "off" or "NBGRADER_EXECUTION" in os.environ or in_book():
        return None
    if told:
        return Path(os.path.expanduser(told))
    try:
        return state_folder() / "progress.jsonl"
    except RuntimeError:  # an account without a home folder, as in some containers
        tell("There is no home folder to keep it in, but COURSE_PROGRESS may name a file")
        return None


def append(kind: str, task: str, **facts: Any) -> None:
    """Add an event; what cannot be written this process remembers, says so once, and tries again later."""
    event = {"time": now().strftime("%Y-%m-%dT%H:%M:%SZ"), "kind": kind, "task": task, **facts}
    path = place()
    waiting = _unwritten.setdefault(path, [])
    waiting.append(event)
    if path is None:
        return
    try:
        with _writing:
            while waiting:
                write(path, line_of(waiting[0]))
                waiting.pop(0)
    except OSError as problem:
        tell(f"Could not write {path}: {reason(problem)}")


def now() -> datetime:
    return datetime.now(UTC)


def line_of(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"


def write(path: Path, lines: bytes) -> None:
    """Add whole lines to the file, by one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        if os.lseek(descriptor, 0, os.SEEK_END):
            os.lseek(descriptor, -1, os.SEEK_END)
            if os.read(descriptor, 1) != b"\n":  # a line was torn: ours must not become its end
                lines = b"\n" + lines
        if os.write(descriptor, lines) < len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def tell(problem: str) -> None:
    """Say once that nothing is kept: the check itself must go on."""
    if problem not in _told:
        _told.add(problem)
        title, said = "Your progress is not kept", f"{problem}; what you do counts until this session ends."
        report.show(f"{title}.\n  {said}", report.box(title, [said], "dotted"))


# --- reading ---------------------------------------------------------------------------------


def events() -> list[Event]:
    """Everything that happened, in its order; lines that are no event of ours are passed over."""
    path = place()
    found = [event for line in lines_of(path) if (event := parsed(line)) is not None]
    return found + _unwritten.get(path, [])


def lines_of(path: Path | None) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n") if path else []
    except OSError:
        return []


def parsed(line: bytes) -> Event | None:
    """The event in a line; None where it is empty, torn, or something else."""
    try:
        event = json.loads(line.decode("utf-8-sig"))
        datetime.fromisoformat(event["time"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(event.get("task"), str) or not event["task"]:
        return None
    if event.get("kind") == "check":
        points = event.get("points")
        good = isinstance(event.get("state"), str) and type(points) is int and points >= 0
    else:
        level = event.get("level")
        good = event.get("kind") == "hint" and type(level) is int and 1 <= level <= 3
    return event if good else None


# --- forgetting ------------------------------------------------------------------------------


def set_aside(chosen: Callable[[str], bool]) -> Path | None:
    """Start the journal anew without the chosen tasks; the whole old one stays beside it.

    Returns:
        The old journal's new place; None where nothing was kept in a file.

    Raises:
        CourseError: the folder cannot be written to; the sentence says where everything is.
    """
    path, aside = place(), None
    if path is not None and path.exists():
        aside = beside(path)
        try:
            os.rename(path, aside)  # first, so that whatever is written meanwhile starts a new journal
        except OSError as problem:
            raise CourseError(f"Could not set {path} aside: {reason(problem)}.") from problem
        kept = [event for line in lines_of(aside) if (event := parsed(line)) and not chosen(event["task"])]
        try:
            write(path, b"".join(map(line_of, kept)))
        except OSError as problem:
            raise CourseError(
                f"Could not write {path}: {reason(problem)}; all of it is still in {aside}."
            ) from problem
    _unwritten[path] = [event for event in _unwritten.get(path, []) if not chosen(event["task"])]
    return aside


def beside(path: Path) -> Path:
    """A name beside the journal that nothing has."""
    stamp = now().strftime("%Y%m%dT%H%M%SZ")
    names = (path.with_name(f"{path.stem}.before-{stamp}{n}{path.suffix}") for n in ["", *range(2, 1000)])
    return next(name for name in names if not name.exists())
