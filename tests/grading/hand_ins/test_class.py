"""A whole class in one call: every notebook judged as it must be, in parallel, stopped and continued."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from course_lib.grading import grade_files, tasks
from course_lib.grading.hand_ins.many import notebooks
from course_lib.runtime import CourseError
from tests.grading.hand_ins import hostile
from tests.grading.hand_ins.hand_in import ANSWER, WRONG, hand_in

ROOT = Path(__file__).resolve().parents[3]
LINUX = sys.platform.startswith("linux")


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="only Linux bars all of this")
def test_a_folder_of_everything(tmp_path, mark):
    """Right, wrong, endless, violent, cheating and broken: in one call."""
    folder, outside = tmp_path / "class", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("mine")
    out, table = tmp_path / "points.json", tmp_path / "points.csv"
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        hostile.write(folder, outside, server.getsockname()[1])
        assert len(list(folder.iterdir())) >= 40
        code = grade_files(
            [str(folder)], timeout=40.0, json_out=out, csv_out=table, feedback=tmp_path / "pages", brief=True
        )
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):  # nobody came through
            server.accept()
    assert code == 2
    assert time.monotonic() - began < 360
    assert sorted(os.listdir(outside)) == ["kept"] and (outside / "kept").read_text() == "mine"
    report = {Path(entry["file"]).stem: entry for entry in json.loads(out.read_text())["files"]}
    wrongly = {}
    for name, (_, points, state, words) in hostile.ANSWERS.items():
        row = report[name]["tasks"][0]
        said = " ".join([row["message"], *report[name]["notes"]])
        if (row["points"], row["state"]) != (points, state) or words not in said:
            wrongly[name] = (row["points"], row["state"], said)
    for name, (_, words) in hostile.UNREADABLE.items():
        if report[name]["graded"] or words not in report[name]["message"]:
            wrongly[name] = report[name]
    assert wrongly == {}
    assert report["the_solution"]["points"] == report["the_solution"]["max_points"] > 0
    assert {row["state"] for row in report["as_shipped"]["tasks"]} == {"not attempted"}
    assert len(table.read_text().splitlines()) == len(report) + 1
    assert len(list((tmp_path / "pages").glob("*.html"))) == len(report) + 1
    assert left_behind(mark) == []


@pytest.fixture
def mark(monkeypatch):
    """A text in the environment of everything that a test starts; other tests may run beside it."""
    monkeypatch.setenv("COURSE_TEST_MARK", uuid.uuid4().hex)
    return f"COURSE_TEST_MARK={os.environ['COURSE_TEST_MARK']}".encode()


def left_behind(mark):
    """What a notebook has started and nobody ended."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name != str(os.getpid()) and mark in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes())
    return found


@pytest.mark.slow
def test_the_same_answers_get_the_same_points_on_every_run(tmp_path, monkeypatch, capsys):
    for number, answer in enumerate([ANSWER, WRONG, "import torch\n" + WRONG.replace("sum", "rand_like")]):
        hand_in(tmp_path, answer, name=f"{number}.ipynb")
    reports = []
    for seed in ("0", "1", "random"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        out = tmp_path / f"{seed}.json"
        grade_files([str(tmp_path)], json_out=out, jobs=1 + len(reports), anew=True)
        report = json.loads(out.read_text())
        for entry in report["files"]:
            del entry["seconds"]
        reports.append(report)
    assert reports[0] == reports[1] == reports[2]
    assert [entry["points"] for entry in reports[0]["files"]] == [2, 0, 0]
    assert "all" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_where_it_was(tmp_path, how, mark):
    folder = tmp_path / "class"
    folder.mkdir()
    for number in range(6):
        hand_in(folder, ANSWER if number % 2 else WRONG, name=f"{number}.ipynb")
    command = [sys.executable, "-m", "course_lib.cli", "grade", str(folder), "--jobs", "1"]
    command += ["--json", "out.json"]
    settings = {
        **os.environ, "COURSE_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    run = subprocess.Popen(command, cwd=tmp_path, env=settings, stdout=subprocess.PIPE, text=True)
    lines = 0
    for line in run.stdout:
        lines += line.startswith("  total")
        if lines == 2:
            break
    run.send_signal(how)
    run.communicate(timeout=60)
    assert run.returncode == (130 if how == signal.SIGTERM else -how)
    assert not (tmp_path / "out.json").exists()
    (folder / "1.ipynb").write_text((folder / "0.ipynb").read_text())  # changed since it was graded
    again = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert again.returncode == 1, again.stderr
    assert "Going on with a run that was stopped: " in again.stdout
    assert "of 6 notebooks are graded." in again.stdout
    report = json.loads((tmp_path / "out.json").read_text())
    assert [entry["points"] for entry in report["files"]] == [0, 0, 0, 2, 0, 2]
    assert list((tmp_path / "cache" / "grade").iterdir()) == []
    assert left_behind(mark) == []


@pytest.mark.slow
def test_hidden_cases_find_an_answer_that_only_fits_the_shown_ones(tmp_path, capsys):
    """It looks up what the oracle gives for the notebook's own cases."""
    fitted = """
import torch
from course_lib.grading import tasks
TASK = tasks.get("shade.penalty")
known = {tuple(c.exact()["h"].flatten().tolist()[:3]): c.exact()["mu"] for c in TASK.cases}
def shade_penalty(h, mu):
    if not any(torch.allclose(torch.tensor(k, dtype=h.dtype), h.flatten()[:3]) for k in known if len(h) < 60):
        return h.mean(0) * 0
    q = torch.sigmoid(h)
    return ((1 - q) * (h - mu[0]) ** 2 + q * (h - mu[1]) ** 2).mean(0)
"""
    cases = tmp_path / "cases.py"
    cases.write_text(
        "from course_lib.grading.task import Case\n"
        "from course_lib.grading.tasks.shade.layers import layer\n"
        'CASES = {"shade.penalty": [Case("9 samples of 4 units", layer(9, 4))]}\n'
    )
    folder = tmp_path / "class"
    folder.mkdir()
    hand_in(folder, fitted, name="fitted.ipynb")
    hand_in(folder, ANSWER, name="right.ipynb")
    out = tmp_path / "out.json"
    grade_files([str(folder)], json_out=out)
    assert [entry["tasks"][0]["points"] for entry in json.loads(out.read_text())["files"]] == [2, 2]
    grade_files([str(folder)], json_out=out, hidden=cases)
    fitted, right = (entry["tasks"][0] for entry in json.loads(out.read_text())["files"])
    assert (fitted["points"], fitted["state"], right["points"]) == (0, "not yet", 2)
    assert "not your instructor's own" in fitted["message"]
    assert "9 samples of 4 units" in fitted["detail"] and "9 samples" not in fitted["message"]


# --- without a process -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "defines no CASES"),
        ("CASES = {'shade.nothing': []}", "There is no task 'shade.nothing'"),
        ("CASES = {'shade.penalty': []}", "cases are empty"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_file_of_hidden_cases_that_cannot_be_used(tmp_path, text, said):
    path = tmp_path / "cases.py"
    path.write_text(text)
    with pytest.raises(CourseError, match=said):
        grade_files(["x.ipynb"], hidden=path)


def test_folders_hold_their_notebooks_and_no_copies_of_jupyter(tmp_path):
    for name in ("b/2.ipynb", "a/1.ipynb", "a/.ipynb_checkpoints/1-checkpoint.ipynb", "a/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = list(notebooks([str(tmp_path), "else.ipynb"]))
    assert found == [str(tmp_path / "a/1.ipynb"), str(tmp_path / "b/2.ipynb"), "else.ipynb"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(CourseError, match="holds no notebook"):
        list(notebooks([str(tmp_path / "empty")]))


def test_jobs_must_be_positive():
    with pytest.raises(ValueError, match="jobs is 0"):
        grade_files(["x.ipynb"], jobs=0)


def test_the_chapter_of_a_hidden_case_is_known():
    assert tasks.get("shade.penalty").chapter == "shade"
