"""Gradescope's results.json, held against its published form."""

from course_lib.grading.exports import convert
from tests.grading.exports.reports import NASTY, every_state, fits, nasty, notebook, report, task, ungraded


def test_every_task_is_a_test():
    result = fits(convert(report(every_state()), "gradescope"), "gradescope")
    assert result["score"] == 2 and result["execution_time"] == 6.0
    assert [test["score"] for test in result["tests"]] == [2, 0, 0, 0, 0]
    assert [test["max_score"] for test in result["tests"]] == [2, 3, 1, 1, 2]
    assert [test["status"] for test in result["tests"]] == ["passed", *["failed"] * 4]
    assert result["tests"][1]["name"] == "shade.update: A title"
    assert result["tests"][1]["output"] == "not yet\nWith 5 samples `h` is too large."
    assert result["output"] == "2 of 9 points\ncode cell 3 failed: it raised `NameError`"


def test_the_total_is_the_sum_of_the_tests():
    result = fits(convert(report(notebook("a.ipynb", task(points=1), task())), "gradescope"), "gradescope")
    assert result["score"] == sum(test["score"] for test in result["tests"]) == 3


def test_a_notebook_that_could_not_be_graded_says_why():
    result = fits(convert(report(ungraded()), "gradescope"), "gradescope")
    assert result["score"] == 0 and result["tests"] == []
    assert result["output"] == "This notebook could not be graded: it is not JSON"


def test_nasty_texts_are_never_rendered():
    result = fits(convert(report(nasty()), "gradescope"), "gradescope")
    formats = {result["output_format"]}
    for test in result["tests"]:
        formats |= {test["name_format"], test["output_format"]}
    assert formats == {"text"}
    assert result["tests"][0]["output"] == f"not yet\n{NASTY[0]}"
    assert "\r" not in result["output"]
