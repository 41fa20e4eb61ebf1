"""CSV as a spreadsheet reads it."""

import csv
import io

from course_lib.grading.exports import convert
from tests.grading.exports.reports import every_state, nasty, notebook, report, task, ungraded


def rows(text):
    assert text.startswith("\ufefffile,")  # Excel knows UTF-8 by this mark
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_a_row_for_each_notebook_and_a_column_for_each_task():
    other = notebook("class/ben.ipynb", task("probe.fit", 1, 4, "not yet"), task("shade.penalty"))
    first, second, third = rows(convert(report(every_state("ada.ipynb"), other, ungraded()), "csv"))
    assert list(first)[:7] == ["file", "student", "chapter", "points", "max_points", "graded", "message"]
    assert list(first)[7:] == [
        "shade.penalty",
        "shade.update",
        "shade.entropy",
        "shade.plot",
        "shade.layer",
        "probe.fit",
    ]
    assert first["student"] == "ada" and first["points"] == "2" and first["max_points"] == "9"
    assert first["shade.penalty"] == "2" and first["shade.update"] == "0" and first["probe.fit"] == ""
    assert second["student"] == "ben" and second["probe.fit"] == "1" and second["shade.penalty"] == "2"
    assert third["graded"] == "no" and third["message"] == "it is not JSON"


def test_an_empty_report_has_its_head():
    assert convert(report(), "csv").splitlines() == [
        "\ufefffile,student,chapter,points,max_points,graded,message"
    ]


def test_nothing_becomes_a_formula():
    starts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]
    files = [notebook(f"{text}.ipynb", task(f"{text}x"), message=text) for text in starts]
    for line in csv.reader(io.StringIO(convert(report(*files), "csv"), newline="")):
        for value in line:
            assert not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    assert "'=1+1" in convert(report(*files), "csv")


def test_nasty_texts_come_back_whole():
    (row,) = rows(convert(report(nasty()), "csv"))
    assert len(row) == 7 + len({one["task"] for one in nasty()["tasks"]})
    text = "a,b;c\t\"quoted\" 'x'\nsecond line 🦊"
    (row,) = rows(convert(report(notebook("a.ipynb", task(), message=text)), "csv"))
    assert row["message"] == text


def test_points_of_a_task_that_is_there_twice_add_up_to_the_total():
    (row,) = rows(convert(report(notebook("a.ipynb", task(), task())), "csv"))
    assert row["points"] == row["shade.penalty"] == "4"
