"""What `course grade --json` found, in the formats that other programs and people read.

``reading``      the report itself: read, checked, one notebook picked
``table``        csv: one row a notebook, for spreadsheets
``feedback``     html: a page to hand back; a folder of them for a class (``frame``: how pages look)
``junit``        junit: XML for continuous integration
``gradescope``   gradescope: results.json
``classroom50``  classroom50: result.json
"""

from collections.abc import Callable
from typing import Any

from course_lib.grading.exports import classroom50, feedback, gradescope, junit, reading, table
from course_lib.grading.exports.feedback import write_feedback
from course_lib.grading.exports.reading import read_report

__all__ = ["FORMATS", "convert", "read_report", "write_feedback"]

FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "csv": table.convert,
    "html": feedback.convert,
    "junit": junit.convert,
    "gradescope": gradescope.convert,
    "classroom50": classroom50.convert,
}


def convert(report: dict[str, Any], format: str, file: str | None = None) -> str:
    """A report in another format.

    Args:
        report: as `course grade --json` writes it.
        format: one of ``FORMATS``; html, gradescope and classroom50 hold one notebook each.
        file: only this notebook of the report: its path, or its file name.

    Raises:
        ValueError: there is no such format.
        CourseError: this is no report, it holds no such notebook, or the format takes one and it holds
            several.
    """
    if format not in FORMATS:
        raise ValueError(f"format is {format!r}, possible are {', '.join(FORMATS)}.")
    report = reading.checked(report)
    if file is not None:
        report = reading.only(report, file)
    return FORMATS[format](report)
