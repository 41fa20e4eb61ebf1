"""Reading a report, picking a notebook of it, and refusing nonsense in one sentence."""

import copy
import json
import subprocess
import sys

import pytest

from course_lib.grading.exports import FORMATS, convert, read_report
from course_lib.grading.exports.reading import checked, only, printable
from course_lib.runtime import CourseError
from tests.grading.exports.reports import every_state, nasty, notebook, report, task


def test_a_report_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "grades.json"
    file.write_text(json.dumps(report(every_state())))
    assert read_report(file) == report(every_state())


def test_what_grading_writes_is_what_is_read(tmp_path):
    """The two rooms agree on the report's form: what `course grade` writes of a broken file reads back."""
    from course_lib.grading import grade_files

    (tmp_path / "01_shade.ipynb").write_text("nothing")
    grade_files([str(tmp_path / "01_shade.ipynb")], json_out=tmp_path / "grades.json")
    written = json.loads((tmp_path / "grades.json").read_text())
    (file,) = read_report(tmp_path / "grades.json")["files"]
    assert not file["graded"]
    for format in ("csv", "html", "junit", "gradescope"):
        assert "holds no JSON" in convert(written, format)


def test_what_older_reports_leave_out_is_filled_in():
    old = report(notebook("a.ipynb", task()))
    del old["files"][0]["notes"], old["files"][0]["seconds"], old["files"][0]["tasks"][0]["title"]
    for format in ("csv", "html", "junit", "gradescope"):
        assert convert(old, format)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[1]", "it is not an object"),
        (b"{}", "its schema is None, not 'course-grade/1'"),
        (b'{"schema": "course-grade/9"}', "its schema is 'course-grade/9'"),
        (b'{"schema": "course-grade/1"}', "it has no 'points'"),
        (
            b'{"schema": "course-grade/1", "points": 1.5, "max_points": 2, "files": []}',
            "'points' of it is 1.5",
        ),
        (b'{"schema": "course-grade/1", "points": 1, "max_points": 2, "files": [3]}', "files[0] is not an"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(tmp_path, content, said):
    file = tmp_path / "grades.json"
    file.write_bytes(content)
    with pytest.raises(CourseError) as refused:
        read_report(file)
    message = str(refused.value)
    assert said in message and str(file) in message and "\n" not in message and message.endswith(".")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(CourseError, match="There is no file"):
        read_report(tmp_path / "grades.json")
    with pytest.raises(CourseError, match="Could not read"):
        read_report(tmp_path)


@pytest.mark.parametrize("key", ["file", "graded", "points", "max_points", "tasks"])
def test_a_missing_key_of_a_notebook_is_named(key):
    broken = report(every_state())
    del broken["files"][0][key]
    with pytest.raises(CourseError, match=rf"files\[0\] has no '{key}'"):
        checked(broken)


@pytest.mark.parametrize("key", ["task", "points", "max_points", "state"])
def test_a_missing_key_of_a_task_is_named(key):
    broken = report(every_state())
    del broken["files"][0]["tasks"][1][key]
    with pytest.raises(CourseError, match=rf"files\[0\]\.tasks\[1\] has no '{key}'"):
        checked(broken)


@pytest.mark.parametrize("value", [True, -1, 1.5, "2", None, float("nan")])
def test_points_are_counts(value):
    broken = report(every_state())
    broken["files"][0]["tasks"][0]["points"] = value
    with pytest.raises(CourseError, match="not a count"):
        checked(broken)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, True, "7"])
def test_seconds_are_numbers(value):
    broken = report(every_state())
    broken["files"][0]["seconds"] = value
    with pytest.raises(CourseError, match="not a number"):
        checked(broken)


def test_converting_changes_nothing():
    given = report(nasty())
    before = copy.deepcopy(given)
    for format in ("csv", "html", "junit", "gradescope"):
        convert(given, format)
    assert given == before


def test_texts_lose_only_what_no_document_holds():
    assert printable("a\x00b\x1b[1;31mc\x1b[0m\td\r\ne\rf\ud800🦊\ufffe") == "abc\td\ne\nf🦊"


def test_what_is_for_the_instructor_alone_is_in_no_export(tmp_path):
    given = report(every_state())
    given["files"][0]["tasks"][1]["detail"] = "the hidden case"
    for format in ("csv", "html", "junit", "gradescope"):
        assert "hidden case" not in convert(given, format)


def test_an_unknown_format_is_one_sentence():
    with pytest.raises(ValueError, match="format is 'xml', possible are csv, html, junit, gradescope"):
        convert(report(every_state()), "xml")


# --- one notebook ----------------------------------------------------------------------------


def test_formats_for_one_notebook_say_how_many_there_are(monkeypatch):
    for name in ("html", "gradescope", "classroom50"):
        several = report(every_state("ada/01.ipynb"), every_state("ben/01.ipynb"))
        with pytest.raises(
            CourseError, match=r"holds 2 notebooks, .* `--file NAME` picks it: ada/01.ipynb, "
        ):
            convert(several, name)
        with pytest.raises(CourseError, match="holds no notebook"):
            convert(report(), name)


@pytest.mark.parametrize("name", ["ben/02.ipynb", "./ben/02.ipynb", "02.ipynb"])
def test_a_notebook_is_picked_by_its_path_or_its_name(name):
    several = report(every_state("ada/01.ipynb"), notebook("ben/02.ipynb", task()))
    (picked,) = only(several, name)["files"]
    assert picked["file"] == "ben/02.ipynb"
    assert only(several, name)["points"] == 2
    assert json.loads(convert(several, "gradescope", name))["score"] == 2
    assert convert(several, "csv", name).count("\r\n") == 2


def test_several_or_none_of_a_name_is_one_sentence():
    several = report(every_state("ada/01.ipynb"), every_state("ben/01.ipynb"))
    with pytest.raises(CourseError, match=r"holds 2 notebooks '01.ipynb': ada/01.ipynb, ben/01.ipynb\."):
        convert(several, "html", "01.ipynb")
    with pytest.raises(CourseError, match=r"holds no notebook '03.ipynb'; it holds ada/01.ipynb, "):
        convert(several, "html", "03.ipynb")
    many = report(*(every_state(f"{n}.ipynb") for n in range(50)))
    with pytest.raises(CourseError, match="and 42 more") as refused:
        convert(many, "html", "x")
    assert len(str(refused.value)) < 300


def test_converting_needs_no_torch():
    code = "import sys, course_lib.grading.exports as e; assert 'torch' not in sys.modules; print(*e.FORMATS)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == list(FORMATS)
