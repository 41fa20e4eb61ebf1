"""The report that every export starts from: read, checked, cleaned, and one notebook of it picked."""

import json
import math
import re
from pathlib import Path, PurePath
from typing import Any

from course_lib.grading.hand_ins.result import SCHEMA
from course_lib.runtime import CourseError

NEEDED = object()

# What the report holds, and what stands where an older or a thriftier writer left something out.  A task's
# ``detail`` is missing on purpose: it is for the instructor alone, and most exports reach the student.
REPORT = {"points": ("count", NEEDED), "max_points": ("count", NEEDED), "files": ("list", NEEDED)}
FILE = {
    "file": ("text", NEEDED),
    "graded": ("yes or no", NEEDED),
    "chapter": ("text or null", None),
    "message": ("text", ""),
    "notes": ("list of texts", ()),
    "points": ("count", NEEDED),
    "max_points": ("count", NEEDED),
    "seconds": ("number", 0.0),
    "tasks": ("list", NEEDED),
}
TASK = {
    "task": ("text", NEEDED),
    "title": ("text", ""),
    "points": ("count", NEEDED),
    "max_points": ("count", NEEDED),
    "state": ("text", NEEDED),
    "cause": ("text or null", None),
    "message": ("text", ""),
}
KINDS = {
    "text": lambda value: isinstance(value, str),
    "text or null": lambda value: value is None or isinstance(value, str),
    "yes or no": lambda value: isinstance(value, bool),
    "count": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    "number": lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
    ),
    "list": lambda value: isinstance(value, (list, tuple)),
    "list of texts": lambda value: (
        isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value)
    ),
}

# Colours of a terminal, and what neither XML 1.0 nor UTF-8 can hold: control characters, lone surrogates.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_report(path: str | Path) -> dict[str, Any]:
    """The report in a file that `course grade --json` wrote.

    Raises:
        CourseError: there is no such file, or it holds something else; one sentence says what.
    """
    try:
        report = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise CourseError(f"There is no file {path}; `course grade FILE --json {path}` writes it.") from None
    except OSError as problem:
        raise CourseError(f"Could not read {path}: {problem.strerror or problem}.") from problem
    except (ValueError, RecursionError):
        raise CourseError(f"{path} is no report of `course grade --json`: it is not JSON.") from None
    return checked(report, str(path))


def checked(report: Any, name: str = "This") -> dict[str, Any]:
    """A copy of the report in which every key is there, of its kind, and every text can be written.

    Raises:
        CourseError: it is no report; the first thing that is wrong is named after ``name``.
    """
    try:
        if not isinstance(report, dict):
            raise Unfit("it is not an object")
        if report.get("schema") != SCHEMA:
            raise Unfit(f"its schema is {short(report.get('schema'))}, not {SCHEMA!r}")
        result = {"schema": SCHEMA, **fitted(report, REPORT, "it")}
        result["files"] = [
            fitted(file, FILE, f"files[{number}]") for number, file in enumerate(result["files"])
        ]
        for number, file in enumerate(result["files"]):
            file["tasks"] = [
                fitted(task, TASK, f"files[{number}].tasks[{n}]") for n, task in enumerate(file["tasks"])
            ]
    except Unfit as problem:
        raise CourseError(f"{name} is no report of `course grade --json`: {problem}.") from None
    return result


class Unfit(Exception):
    """What keeps this from being a report."""


def fitted(data: Any, shape: dict[str, tuple[str, Any]], where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Unfit(f"{where} is not an object")
    result = {}
    for key, (kind, fallback) in shape.items():
        value = data.get(key, fallback)
        if value is NEEDED:
            raise Unfit(f"{where} has no {key!r}")
        if not KINDS[kind](value):
            raise Unfit(f"{key!r} of {where} is {short(value)}, not a {kind}")
        if isinstance(value, str):
            value = printable(value)
        elif kind == "list of texts":
            value = [printable(part) for part in value]
        result[key] = value
    return result


def short(value: Any) -> str:
    said = printable(repr(value))
    return said if len(said) <= 40 else said[:39] + "…"


def printable(text: str) -> str:
    """The text without what no document may hold, its lines ended by line feeds."""
    text = ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return FORBIDDEN.sub("", text)


# --- one notebook of it ----------------------------------------------------------------------


def only(report: dict[str, Any], file: str) -> dict[str, Any]:
    """The report of one notebook, picked by its path or, where that is unique, its file name.

    Raises:
        CourseError: none or several are called so.
    """
    held = report["files"]
    found = [entry for entry in held if PurePath(entry["file"]) == PurePath(file)]
    found = found or [entry for entry in held if name_of(entry["file"]) == file]
    if not found:
        raise CourseError(f"The report holds no notebook {file!r}; it holds {listed(held)}.")
    if len(found) > 1:
        raise CourseError(f"The report holds {len(found)} notebooks {file!r}: {listed(found)}.")
    (entry,) = found
    return {**report, "points": entry["points"], "max_points": entry["max_points"], "files": [entry]}


def the_one(report: dict[str, Any], what: str) -> dict[str, Any]:
    """The only notebook of a report.

    Raises:
        CourseError: it holds none or several; ``what`` is what can hold only one.
    """
    held = report["files"]
    if not held:
        raise CourseError(f"The report holds no notebook, and {what} is about one.")
    if len(held) > 1:
        raise CourseError(
            f"The report holds {len(held)} notebooks, and {what} is about one; "
            f"`--file NAME` picks it: {listed(held)}."
        )
    return held[0]


def listed(files: list[dict[str, Any]], most: int = 8) -> str:
    names = [entry["file"] for entry in files]
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more]) or "none"


def parts_of(file: str) -> list[str]:
    """The folders and the name of a path of any system, without what only leads elsewhere."""
    return [part for part in re.split(r"[\\/]+", file) if part not in ("", ".", "..")]


def name_of(file: str) -> str:
    """The file name, such as ``01_shade.ipynb``."""
    return (parts_of(file) or ["notebook"])[-1]


def stem_of(file: str) -> str:
    """The file name without its ending."""
    return PurePath(name_of(file)).stem


def reached(task: dict[str, Any]) -> bool:
    """Whether the task has all of its points."""
    return task["state"] == "passed" and task["points"] >= task["max_points"]
