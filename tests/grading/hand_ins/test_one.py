"""`course grade` on notebooks as students hand them in, and on some that nobody should."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from course_lib.grading import grade_files, tasks
from course_lib.grading.hand_ins.one import Log, grade_notebook, row_of
from tests.grading.hand_ins.hand_in import ANSWER, CHECK, WRONG, hand_in

ROOT = Path(__file__).resolve().parents[3]
TASK = tasks.get("shade.penalty")


def graded(path, timeout=60.0):
    grade = grade_notebook(path, timeout)
    assert grade.graded
    assert [row.task for row in grade.tasks] == [task.id for task in tasks.of_chapter("shade")]
    return grade


def only_row(path, timeout=60.0):
    return graded(path, timeout).tasks[0]


@pytest.fixture(autouse=True)
def no_strict_nor_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


# --- without a process -----------------------------------------------------------------------


def test_what_cannot_be_read_is_named_and_costs_its_points(tmp_path, capsys):
    empty, binary = tmp_path / "01_shade.ipynb", tmp_path / "anna.ipynb"
    empty.write_bytes(b"")
    binary.write_bytes(b"\x00\xff" * 99)
    out = tmp_path / "points.json"
    assert grade_files([str(empty), str(binary), str(tmp_path / "gone.ipynb")], json_out=out) == 2
    printed = capsys.readouterr().out
    assert "could not be graded: the file is empty." in printed
    assert "it holds no JSON." in printed
    assert "the file cannot be read (No such file or directory)." in printed
    total = sum(task.points for task in tasks.of_chapter("shade"))
    first, second, third = json.loads(out.read_text())["files"]
    assert (first["graded"], first["points"], first["max_points"]) == (False, 0, total)
    assert first["tasks"][0]["state"] == "not graded"
    assert second["chapter"] is None and second["tasks"] == [] and not third["graded"]


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout):
    with pytest.raises(ValueError, match="possible are positive"):
        grade_files([], timeout=timeout)


def test_points_need_an_observation_that_holds():
    log = Log(started=True)
    for forged in ({}, {"troubles": [], "calls": []}, {"troubles": [], "calls": [{"case": 99}]}, None, [1]):
        log.add({"kind": "task", "task": TASK.id, "seen": forged, "hidden": None})
    assert row_of(TASK, log).points == 0


# --- whole notebooks -------------------------------------------------------------------------


@pytest.mark.slow
def test_solution_and_exercise_as_shipped(tmp_path, capsys):
    out = tmp_path / "points.json"
    solution, exercise = (str(ROOT / folder / "01_shade.ipynb") for folder in ("solutions", "exercises"))
    assert grade_files([solution], json_out=out) == 0
    report = json.loads(out.read_text())
    assert report["schema"] == "course-grade/1"
    assert report["points"] == report["max_points"] == sum(t.points for t in tasks.of_chapter("shade"))
    assert {task["state"] for task in report["files"][0]["tasks"]} == {"passed"}

    assert grade_files([exercise], json_out=out) == 1
    report = json.loads(out.read_text())
    assert report["points"] == 0 and report["max_points"] > 0
    assert {task["state"] for task in report["files"][0]["tasks"]} == {"not attempted"}
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    assert re.search(r"shade\.penalty +2 / 2 +passed", printed.out)
    assert re.search(r"shade\.penalty +0 / 2 +not attempted", printed.out)


@pytest.mark.slow
def test_a_wrong_answer_is_told_its_misconception(tmp_path):
    row = only_row(hand_in(tmp_path, "%matplotlib inline\n!true", WRONG))
    assert (row.points, row.state, row.cause) == (0, "not yet", "value")
    assert "This is the sum over the samples." in row.message


@pytest.mark.slow
def test_forgeries_earn_nothing(tmp_path):
    """A print like the report's, a check of one's own, a changed course, a changed torch, a deleted check."""
    forgery = """
import course_lib.grading, torch
from course_lib.grading import engine, judge, observe, tasks
print("✓ passed · shade.penalty · 2 of 2 points")
print('{"kind": "task", "task": "shade.penalty", "seen": {"troubles": [], "calls": []}}', flush=True)
def check(*_):
    return "passed"
course_lib.grading.check = engine.check = check
judge.first_fault = judge.judge = observe.observe = lambda *_, **__: None
observe.named = observe.attempt = observe.try_case = None
tasks.of_chapter = lambda *_: ()
torch.equal = torch.allclose = lambda *_, **__: True
"""
    row = only_row(hand_in(tmp_path, WRONG, forgery, 'check("shade.penalty", shade_penalty), 1', last=None))
    assert (row.points, row.state) == (0, "not yet")
    assert "This is the sum over the samples." in row.message


@pytest.mark.slow
def test_a_right_answer_counts_wherever_it_stands(tmp_path):
    """After a cell that fails, below its check, and with SystemExit, input() and print in between."""
    cells = [
        "def shade_penalty(h, mu):\n    raise NotImplementedError",
        "def broken(:",
        "raise SystemExit",
        "input()",
        "print('x' * 60_000_000)",
    ]
    path = hand_in(tmp_path, *cells)
    notebook = json.loads(path.read_text())
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": ANSWER})
    path.write_text(json.dumps(notebook))
    assert only_row(path).points == 2


@pytest.mark.slow
def test_a_syntax_error_is_the_reason_why_a_function_is_missing(tmp_path):
    row = only_row(hand_in(tmp_path, "x = 1", ANSWER.replace("mu):", "mu:")))
    assert (row.points, row.state) == (0, "missing")
    assert row.message.startswith(
        "The notebook defines no shade_penalty. Its code cell 2 failed: SyntaxError in line 2"
    )


@pytest.mark.slow
def test_an_endless_cell_costs_only_what_it_must(tmp_path):
    began = time.monotonic()
    row = only_row(hand_in(tmp_path, "while True:\n    pass", ANSWER), timeout=8.0)
    assert row.points == 2
    assert time.monotonic() - began < 60


@pytest.mark.slow
def test_a_notebook_that_never_ends_is_stopped_with_all_it_started(tmp_path):
    start = """
import subprocess
child = subprocess.Popen(["sleep", "300"])
hidden = subprocess.Popen(["sleep", "300"], start_new_session=True)
raise RuntimeError(f"{child.pid} {hidden.pid}")
"""
    grade = graded(hand_in(tmp_path, start, "import time\ntime.sleep(300)", ANSWER), timeout=3.0)
    row = grade.tasks[0]
    assert (row.points, row.state) == (2, "passed")  # a sleeping cell may take its share of the time, no more
    assert grade.notes[1] == "code cell 2 failed: it ran longer than 1 s and was stopped."
    started = re.findall(r"\d+", grade.notes[0].split("RuntimeError: ")[1])[:2]
    for number in started if Path("/proc").is_dir() else ():
        state = Path(f"/proc/{number}/stat")
        assert not state.exists() or state.read_text().split()[2] == "Z"


@pytest.mark.slow
def test_a_cell_that_hears_nothing_is_stopped_with_its_notebook(tmp_path):
    deaf = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\ntime.sleep(300)"
    grade = graded(hand_in(tmp_path, deaf, ANSWER), timeout=3.0)
    assert (grade.tasks[0].points, grade.tasks[0].state) == (0, "stopped")
    assert grade.tasks[0].message == "Not reached: the notebook was stopped after 3 s, in code cell 1."
    assert grade.notes == ("the notebook was stopped after 3 s, in code cell 1.",)


@pytest.mark.slow
def test_a_notebook_that_ends_its_process_keeps_what_it_had(tmp_path):
    early = only_row(hand_in(tmp_path, "import os\nos._exit(0)", ANSWER))
    assert (early.points, early.state) == (0, "stopped")
    assert early.message == "Not reached: the process ended (exit code 0), in code cell 1."
    path = hand_in(tmp_path, ANSWER)
    notebook = json.loads(path.read_text())
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)"
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": kill})
    path.write_text(json.dumps(notebook))
    assert only_row(path).points == 2


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited on Linux only")
def test_a_huge_allocation_is_an_error_of_its_cell(tmp_path):
    row = only_row(hand_in(tmp_path, "import torch\nshade_penalty = torch.ones(25_000_000_000).add"))
    assert (row.points, row.state) == (0, "missing")
    assert "code cell 1 failed: it raised RuntimeError" in row.message


@pytest.mark.slow
def test_each_notebook_has_an_empty_folder_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")  # of the instructor, not of the notebook
    monkeypatch.chdir(tmp_path)
    look = """
import os
open("mine.txt", "w").write("x")
raise RuntimeError(f"{os.listdir()} {os.getcwd()}")
"""
    path = hand_in(tmp_path, look, CHECK.replace("shade_penalty", "None"), ANSWER)
    seen = []
    for _ in range(2):
        grade = graded(path)
        assert grade.tasks[0].points == 2
        files, folder = re.search(r"RuntimeError: (\[.*\]) (.*), at", grade.notes[0]).groups()
        assert files == "['mine.txt']" and not Path(folder).exists()
        seen.append(folder)
    assert seen[0] != seen[1]
    assert os.listdir(tmp_path) == ["01_shade.ipynb"]


@pytest.mark.slow
def test_it_works_without_ipython(tmp_path, monkeypatch):
    hide = tmp_path / "sitecustomize.py"
    hide.write_text(
        "import importlib.util, sys\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'IPython' else find(name, *a)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert only_row(hand_in(tmp_path, "%matplotlib inline", ANSWER, "1 / 0")).points == 2
    row = only_row(hand_in(tmp_path, "def shade_penalty(h, mu):\n    return h.nothing"))
    assert "at your line 2: `return h.nothing`" in row.message


@pytest.mark.slow
def test_a_machine_that_has_never_drawn_refuses_no_drawing(tmp_path, monkeypatch):
    """matplotlib's list of fonts is not there yet, and a notebook may not write it to where it belongs."""
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "none"))
    monkeypatch.setattr("course_lib.grading.hand_ins.process.font_lists", lambda: ())
    draws = "import matplotlib.pyplot as plt\nplt.figure().savefig('figure.png')"
    grade = graded(hand_in(tmp_path, draws, ANSWER))
    assert grade.notes == () and grade.tasks[0].points == 2
