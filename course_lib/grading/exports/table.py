"""CSV for spreadsheets: one row a notebook, one column a task."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from course_lib.grading.exports.reading import stem_of

COLUMNS = ["file", "student", "chapter", "points", "max_points", "graded", "message"]
# Spreadsheets compute what begins so, also where the character is a full-width one.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def convert(report: dict[str, Any]) -> str:
    """The report as CSV; ``student`` is the name of the file without its ending.

    After the columns about the notebook comes one for each task, in the order in which they first appear,
    with the points that were reached; it is empty where the notebook does not hold the task.  How cells are
    protected is told at ``sheet``.
    """
    tasks = list(dict.fromkeys(task["task"] for file in report["files"] for task in file["tasks"]))
    rows = []
    for file in report["files"]:
        reached: dict[str, int] = {}
        for task in file["tasks"]:
            reached[task["task"]] = reached.get(task["task"], 0) + task["points"]
        about = {**file, "student": stem_of(file["file"]), "graded": "yes" if file["graded"] else "no"}
        rows.append([*(about[name] for name in COLUMNS), *(reached.get(task) for task in tasks)])
    return sheet([*COLUMNS, *tasks], rows)


def sheet(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV that spreadsheets open rightly.

    It begins with the byte order mark that Excel recognises UTF-8 by (pandas and the ``utf-8-sig`` codec
    skip it), and lines end as RFC 4180 has them, so write it without translating newlines.  Students choose
    some of these texts, and a spreadsheet would run what begins with ``=``, ``+``, ``-``, ``@``, a tab or a
    line break as a formula: such a text gets an apostrophe in front.  Numbers stay numbers.
    """
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([cell(value) for value in head])
    writer.writerows([cell(value) for value in row] for row in rows)
    return "\ufeff" + written.getvalue()


def cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return "" if value is None else value
