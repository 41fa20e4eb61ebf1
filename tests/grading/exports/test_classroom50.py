"""Classroom 50's result.json, held against its published schema."""

import json

import pytest

from course_lib.grading.exports import convert
from course_lib.runtime import CourseError
from tests.grading.exports.reports import every_state, fits, nasty, notebook, report, task, ungraded

# What its runner gives to a grading script (the wiki page Advanced-Autograding, section "Contract").
GIVEN = {
    "CLASSROOM": "fall",
    "ASSIGNMENT": "shade",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d",
    "COMMIT_URL": "https://host.invalid/commit/a1b2c3d",
    "RELEASE_URL": "https://host.invalid/releases/tag/submit",
    "REVIEW_URL": "https://host.invalid/compare/b...a",
    "OWNER": "ada",
    "ASSIGNMENT_TYPE": "individual",
}


@pytest.fixture(autouse=True)
def under_its_runner(monkeypatch):
    monkeypatch.delenv("USERNAME", raising=False)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)


def test_the_submission_and_every_task():
    result = fits(convert(report(every_state()), "classroom50"), "classroom50")
    assert (result["classroom"], result["assignment"], result["owner"]) == ("fall", "shade", "ada")
    assert result["submission"] == GIVEN["SUBMISSION_TAG"] and result["review"] == GIVEN["REVIEW_URL"]
    assert result["score"] == 2 and result["max-score"] == 9
    assert result["tests"][0] == {
        "test-name": "shade.penalty",
        "passed": True,
        "score": 2,
        "max-score": 2,
        "output": "",
    }
    assert [test["passed"] for test in result["tests"]] == [True, False, False, False, False]


def test_what_the_runner_may_leave_out(monkeypatch):
    for name in ("REVIEW_URL", "ASSIGNMENT_TYPE", "OWNER"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("USERNAME", "ben")
    result = fits(convert(report(every_state()), "classroom50"), "classroom50")
    assert result["review"] == result["commit"]
    assert (result["owner"], result["assignment_type"]) == ("ben", "individual")


def test_elsewhere_it_says_what_is_missing(monkeypatch):
    for name in GIVEN:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLASSROOM", " ")
    with pytest.raises(CourseError, match="not set here: CLASSROOM, ASSIGNMENT, SUBMISSION_TAG, .*OWNER"):
        convert(report(every_state()), "classroom50")


def test_a_notebook_that_could_not_be_graded_is_no_success():
    result = fits(convert(report(ungraded()), "classroom50"), "classroom50")
    # Its runner reports "success" where there is no test at all (derive_status_and_summary in runner.py).
    assert result["tests"] and not any(test["passed"] for test in result["tests"])
    assert result["tests"][0]["output"] == "it is not JSON"


def test_cross_field_rules():
    """What the schema cannot say and runner.py's validate_result checks."""
    result = json.loads(convert(report(notebook("a", task(points=1), task())), "classroom50"))
    assert result["score"] <= result["max-score"]
    assert all(test["score"] <= test["max-score"] for test in result["tests"])


def test_nasty_texts_fit_and_stay_small():
    text = convert(report(nasty()), "classroom50")
    fits(text, "classroom50")
    assert len(text) < 60_000  # one message alone has 100,000 characters
