"""Classroom 50's result.json, for one notebook.

The form is ``classroom50/result/v1``: schemas/result-v1.schema.json in foundation50/classroom50, and the page
Advanced-Autograding of its wiki.  Its runner starts a grading script with everything that identifies the
submission in environment variables; there this export finds it.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any

from course_lib.grading.exports.reading import reached, the_one
from course_lib.runtime import CourseError

NEEDED = ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL")
LONGEST = 10_000  # characters of a message: Classroom 50 refuses a result.json of more than 10 MiB


def convert(report: dict[str, Any]) -> str:
    """The report of one notebook as result.json.

    ``owner`` and ``assignment_type`` are the runner's (OWNER or USERNAME, ASSIGNMENT_TYPE), and it stamps
    them again, as it does ``datetime``, which is the moment of the submission there and now here.  What the
    check said is kept in each test's ``output``; the form allows more fields there.

    Raises:
        CourseError: the report holds no notebook, or several; or this does not run under Classroom 50.
    """
    file = the_one(report, "Classroom 50's result.json")
    result = {
        "schema": "classroom50/result/v1",
        **context(),
        "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": file["points"],
        "max-score": file["max_points"],
        "tests": [test(task) for task in file["tasks"]] or unread(file),
    }
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def context() -> dict[str, str]:
    """What identifies the submission."""
    told = {name: value for name, value in os.environ.items() if value.strip()}
    missing = [name for name in NEEDED if name not in told]
    owner = told.get("OWNER") or told.get("USERNAME")
    if not owner:
        missing.append("OWNER")
    if missing:
        raise CourseError(
            "Classroom 50's result.json is written under its runner, which names the submission in "
            f"environment variables; not set here: {', '.join(missing)}."
        )
    return {
        "classroom": told["CLASSROOM"],
        "assignment": told["ASSIGNMENT"],
        "assignment_type": told.get("ASSIGNMENT_TYPE", "individual"),
        "owner": owner,
        "submission": told["SUBMISSION_TAG"],
        "commit": told["COMMIT_URL"],
        "release": told["RELEASE_URL"],
        "review": told.get("REVIEW_URL") or told["COMMIT_URL"],
    }


def test(task: dict[str, Any]) -> dict[str, Any]:
    said = task["message"]
    return {
        "test-name": task["task"] or "task",
        "passed": reached(task),
        "score": task["points"],
        "max-score": task["max_points"],
        "output": said if len(said) <= LONGEST else said[:LONGEST] + "…",
    }


def unread(file: dict[str, Any]) -> list[dict[str, Any]]:
    """Without any test Classroom 50 reports a success, which a notebook that was not graded must not be."""
    if file["graded"]:
        return []
    return [{"test-name": "notebook", "passed": False, "score": 0, "max-score": 0, "output": file["message"]}]
