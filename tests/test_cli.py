"""The `course` command: what it prints, and the exit codes that scripts rely on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib import cli
from course_lib.runtime import CourseError

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("words", [[], ["data"], ["study"]])
def test_a_missing_word_is_told_what_is_possible(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert "required" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["grade"],
        ["convert"],
        ["progress"],
        ["data", "list"],
        ["data", "fetch"],
        ["study", "run"],
        ["study", "report"],
    ],
)
def test_every_command_has_help(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*words, "--help"])
    assert stopped.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_help_answers_without_importing_torch():
    code = (
        "import sys; from course_lib import cli; cli.parser().format_help(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_data_list_names_each_set_once(capsys):
    assert cli.main(["data", "list"]) == 0
    printed = capsys.readouterr().out
    for name in ("digits_m", "glyphs", "objects", "sprites", "mnist", "cifar10", "mnist_m"):
        assert sum(name in line.split()[:2] for line in printed.splitlines()) == 1


def test_data_verify_embedded(capsys):
    assert cli.main(["data", "verify", "digits_m"]) == 0
    assert "ok" in capsys.readouterr().out


def test_data_verify_a_missing_set_is_exit_1(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert cli.main(["data", "verify", "svhn"]) == 1
    assert "missing" in capsys.readouterr().out


def test_an_unknown_set_is_one_sentence_and_exit_2(capsys):
    assert cli.main(["data", "fetch", "mnits"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("course: ") and "mnist" in error and error.count("\n") == 1


def test_study_list_names_the_place_in_the_source(capsys):
    assert cli.main(["study", "list"]) == 0
    printed = capsys.readouterr().out
    assert "shade.figure_2_7a" in printed and "Robert 2019, Fig. 2.7a" in printed


def test_an_unknown_study_is_one_sentence_and_exit_2(capsys):
    assert cli.main(["study", "run", "shade.figure_9"]) == 2
    error = capsys.readouterr().err
    assert "shade.figure_2_7a" in error and error.count("\n") == 1


def test_a_study_on_a_set_that_is_not_here_is_exit_2(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert cli.main(["study", "run", "shade.figure_2_7a", "--scale", "smoke", "--data", "svhn"]) == 2
    assert "svhn" in capsys.readouterr().err


def test_the_report_page_is_current():
    assert cli.main(["study", "report", "--check"]) == 0


def test_grading_a_missing_file_is_exit_2(capsys, tmp_path):
    assert cli.main(["grade", str(tmp_path / "nothing.ipynb")]) == 2


@pytest.mark.slow
def test_grade_the_solution_and_the_exercise(tmp_path):
    def grade(name):
        out = tmp_path / "report.json"
        command = [sys.executable, "-m", "course_lib.cli", "grade", str(ROOT / name), "--json", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, json.loads(out.read_text())

    assert grade("solutions/01_shade.ipynb")[0] == 0
    assert grade("exercises/01_shade.ipynb")[0] == 1


@pytest.mark.parametrize("problem", [CourseError("no network."), ValueError("a bad name.")])
def test_a_problem_is_one_line_and_exit_2(monkeypatch, capsys, problem):
    from course_lib import doctor

    def fail():
        raise problem

    monkeypatch.setattr(doctor, "examine", fail)
    assert cli.main(["doctor"]) == 2
    assert capsys.readouterr().err == f"course: {problem}\n"


def test_ctrl_c_is_one_line(monkeypatch, capsys):
    from course_lib import doctor

    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", stop)
    assert cli.main(["doctor"]) == 130
    assert "Traceback" not in capsys.readouterr().err


# --- grading ---------------------------------------------------------------------------------


def test_grade_hands_every_option_on(monkeypatch):
    seen = {}
    monkeypatch.setattr("course_lib.grading.grade_files", lambda files, **options: seen.update(options) or 7)
    words = ["grade", "a.ipynb", "--json", "j", "--csv", "c", "--feedback", "f", "--timeout", "9"]
    assert cli.main([*words, "--hidden", "h", "--jobs", "3", "--brief", "--anew"]) == 7
    assert seen == {
        "timeout": 9.0, "json_out": "j", "csv_out": "c", "feedback": "f", "hidden": "h", "jobs": 3,
        "brief": True, "anew": True,
    }  # fmt: skip


def test_an_empty_notebook_travels_from_grading_to_every_format(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "01_shade.ipynb").write_text("")
    for name in ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL", "OWNER"):
        monkeypatch.setenv(name, "as the runner says")
    outputs = ["--json", "out.json", "--csv", "out.csv", "--feedback", "pages"]
    assert cli.main(["grade", "01_shade.ipynb", *outputs]) == 2
    assert "the file is empty" in (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert (tmp_path / "pages" / "index.html").exists()
    for format in ("csv", "html", "junit", "gradescope", "classroom50"):
        assert cli.main(["convert", format, "out.json", f"as.{format}"]) == 0
        assert (tmp_path / f"as.{format}").stat().st_size > 100
    capsys.readouterr()
    assert cli.main(["convert", "junit", "out.csv", "x"]) == 2
    assert cli.main(["convert", "pdf", "out.json", "x"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all(line.startswith("course: ") for line in errors)
    assert "possible are csv, html, junit, gradescope, classroom50" in errors[1]


def test_progress_is_shown_written_and_forgotten(tmp_path, capsys):
    from course_lib.grading import check

    check("shade.penalty", lambda h, mu: h.sum(0))
    capsys.readouterr()
    assert cli.main(["progress"]) == 0
    (line,) = [row for row in capsys.readouterr().out.splitlines() if "shade.penalty" in row]
    assert "not yet" in line
    for option, name in (("--page", "p.html"), ("--export", "p.csv"), ("--export", "p.json")):
        assert cli.main(["progress", option, str(tmp_path / name)]) == 0
        assert "The SHADE penalty" in (tmp_path / name).read_text(encoding="utf-8")
    assert cli.main(["progress", "--export", str(tmp_path / "p.txt")]) == 2
    assert cli.main(["progress", "nothing"]) == 2
    assert cli.main(["progress", "--forget", "shade.penalty"]) == 0
    capsys.readouterr()
    assert cli.main(["progress", "shade"]) == 0
    (line,) = [row for row in capsys.readouterr().out.splitlines() if "shade.penalty" in row]
    assert "not checked" in line
