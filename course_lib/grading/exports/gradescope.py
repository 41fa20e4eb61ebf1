"""Gradescope's results.json, for one notebook.

The form is the one that Gradescope publishes under "Output format" of its autograder specifications
(gradescope-autograders.readthedocs.io/en/latest/specs).  `run_autograder` writes it to
/autograder/results/results.json.
"""

import json
from typing import Any

from course_lib.grading.exports.reading import reached, the_one


def convert(report: dict[str, Any]) -> str:
    """The report of one notebook as results.json.

    Every text is of the format ``text``: what a student's code says is never rendered.  Everything that the
    student sees in the notebook anyway is visible at once; what the grading run prints stays with the
    instructor.

    Raises:
        CourseError: the report holds no notebook, or several.
    """
    file = the_one(report, "Gradescope's results.json")
    result = {
        "score": file["points"],
        "execution_time": file["seconds"],
        "output": told(file),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [test(task) for task in file["tasks"]],
    }
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def test(task: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{task['task']}: {task['title']}" if task["title"] else task["task"],
        "name_format": "text",
        "score": task["points"],
        "max_score": task["max_points"],
        "status": "passed" if reached(task) else "failed",
        "output": "\n".join(part for part in (task["state"], task["message"]) if part),
        "output_format": "text",
        "visibility": "visible",
    }


def told(file: dict[str, Any]) -> str:
    """What is said about the notebook as a whole."""
    lines = [f"{file['points']} of {file['max_points']} points"]
    if not file["graded"]:
        lines = [f"This notebook could not be graded: {file['message'] or 'no reason was recorded.'}"]
    return "\n".join([*lines, *file["notes"]])
