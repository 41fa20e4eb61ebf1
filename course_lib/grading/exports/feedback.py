"""A page that an instructor hands back with a notebook, and a folder of them for a class."""

import re
import unicodedata
from collections import Counter
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from course_lib.files import write_atomically
from course_lib.grading.exports import frame, reading
from course_lib.grading.exports.frame import bar, escape, page, sign, state, state_class, table, words
from course_lib.grading.exports.reading import name_of, parts_of, reached, the_one

LONGEST = 120  # bytes of a page's name: every file system takes that and an ending
# "index" is the class's own page; the others are names that Windows keeps for devices.
RESERVED = re.compile(r"(index$|(con|prn|aux|nul|com\d|lpt\d)(\.|$))", re.IGNORECASE)


def convert(report: dict[str, Any]) -> str:
    """The report of one notebook as a page.

    The page names the file but not its folder, which is the instructor's and nobody else's business.

    Raises:
        CourseError: the report holds no notebook, or several.
    """
    return feedback(the_one(report, "a feedback page"))


def write_feedback(report: dict[str, Any], folder: str | Path) -> list[Path]:
    """Write a page for each notebook of a report, and index.html with a table of the class.

    Pages are called after their notebooks, with as much of the folders in front as tells them apart; none
    links to the index, so that each can be handed back alone.  Other files in the folder stay.

    Returns:
        The pages in the order of the report, then the index.

    Raises:
        CourseError: this is no report, or the folder cannot be written to.
    """
    report = reading.checked(report)
    names = page_names([file["file"] for file in report["files"]])
    pages = [
        write_atomically(Path(folder, name), feedback(file)) for file, name in zip(report["files"], names)
    ]
    return [*pages, write_atomically(Path(folder, "index.html"), overview(report, names))]


# --- a notebook ------------------------------------------------------------------------------


def feedback(file: dict[str, Any]) -> str:
    name = name_of(file["file"])
    parts = [f"<h1>Feedback on {escape(name)}</h1>"]
    if not file["graded"]:
        reason = file["message"] or "no reason was recorded."
        parts += ['<p class="total">This notebook could not be graded.</p>', words(reason)]
    else:
        parts += [f'<p class="total">{points(file)}</p>', bar(file["points"], file["max_points"])]
    if file["tasks"]:
        rows = [
            [task_name(task), state(task["state"]), f"{task['points']} of {task['max_points']}"]
            for task in file["tasks"]
        ]
        head = ["Task", "State", "Points"]
        parts += ["<h2>Points</h2>", table("What each task was worth", head, rows, ["Points"])]
        parts += ["<h2>Task by task</h2>", *(section(task) for task in file["tasks"])]
    if file["notes"]:
        notes = "\n".join(f"<li>{words(note)}</li>" for note in file["notes"])
        parts += ["<h2>What happened while it ran</h2>", f"<ul>\n{notes}\n</ul>"]
    if file["graded"]:
        parts.append(f'<p class="soft">Graded in {file["seconds"]:.1f} seconds.</p>')
    return page(f"Feedback on {name}", "\n".join(part for part in parts if part))


def points(entry: dict[str, Any]) -> str:
    return f"{entry['points']} of {entry['max_points']} points"


def task_name(task: dict[str, Any]) -> str:
    title = f"<small>{escape(task['title'])}</small>" if task["title"] else ""
    return frame.name(task["task"]) + title


def section(task: dict[str, Any]) -> str:
    title = f": {escape(task['title'])}" if task["title"] else ""
    head = f'<h3><span aria-hidden="true">{sign(task["state"])}</span> {escape(task["task"])}{title}</h3>'
    said = f'<p><span class="{state_class(task["state"])}">{escape(task["state"])}</span>, {points(task)}</p>'
    side = "task passed" if reached(task) else "task"
    return f'<section class="{side}">\n{head}\n{said}\n{words(task["message"])}\n</section>'


# --- a class ---------------------------------------------------------------------------------


def overview(report: dict[str, Any], names: list[str]) -> str:
    files = report["files"]
    failed = sum(not file["graded"] for file in files)
    told = f"{len(files)} notebook{'s' * (len(files) != 1)}"
    if failed:
        told += f", {failed} of which could not be graded"
    body = f'<h1>Feedback for the class</h1>\n<p class="total">{told}</p>'
    if files:
        rows = [class_row(file, name) for file, name in zip(files, names)]
        head = ["Notebook", "Chapter", "Points", "State"]
        body += "\n" + table("Notebooks in the order of the report", head, rows, ["Points"])
    return page("Feedback for the class", body)


def class_row(file: dict[str, Any], name: str) -> list[str]:
    done = sum(reached(task) for task in file["tasks"])
    if file["graded"]:
        all_done = done == len(file["tasks"])
        said = state("passed") if all_done else f"{done} of {len(file['tasks'])} tasks passed"
    else:
        said = f"{state('not graded')}<small>{escape(file['message'])}</small>"
    link = f'<a href="{escape(quote(name))}">{frame.name(file["file"])}</a>'
    return [link, escape(file["chapter"] or "–"), f"{file['points']} of {file['max_points']}", said]


def page_names(files: list[str]) -> list[str]:
    """A file name for each notebook: safe on every system, unique also where case does not count."""
    paths = [tuple(parts_of(file)) or ("notebook",) for file in files]
    depth = {path: 1 for path in paths}
    for _ in range(max(map(len, paths), default=0)):
        ends = Counter(path[-depth[path] :] for path in depth)
        for path in depth:
            if ends[path[-depth[path] :]] > 1:
                depth[path] = min(depth[path] + 1, len(path))
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        *folders, last = path[-depth[path] :]
        plain = safe("-".join([*folders, PurePath(last).stem]))
        name, number = plain, 2
        while name.casefold() in taken:
            name, number = f"{plain}-{number}", number + 1
        taken.add(name.casefold())
        names.append(f"{name}.html")
    return names


def safe(name: str) -> str:
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name)).strip(".-_ ")
    name = name.encode()[:LONGEST].decode(errors="ignore").rstrip(".")
    return f"_{name}" if RESERVED.match(name) else name or "notebook"
