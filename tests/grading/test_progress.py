"""The store of progress: nothing is lost, nothing stops a check, and everything can be seen."""

import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from course_lib import files
from course_lib.grading import check, hint, overview, progress, report, store, tasks
from course_lib.grading.records import record, records
from course_lib.runtime import CourseError
from tests.grading.answers import right, stub
from tests.grading.exports.test_feedback import check_page

TASK = tasks.get("shade.penalty")


def wrong(h, mu):
    return right(h, mu) * 2


@pytest.fixture(autouse=True)
def fresh_memory(monkeypatch):
    monkeypatch.setattr(store, "_unwritten", {})
    monkeypatch.setattr(store, "_told", set())
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


@pytest.fixture
def journal(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "new" / "progress.jsonl"))
    return tmp_path / "new" / "progress.jsonl"


def checked(state="passed", points=2, task=TASK.id):
    store.append("check", task, state=state, points=points, cause=None if state == "passed" else "values")


# --- what is kept ----------------------------------------------------------------------------


def test_a_check_and_a_hint_are_a_line_each(journal):
    check(TASK.id, wrong)
    hint(TASK.id)
    first, second = map(json.loads, journal.read_text().splitlines())
    assert first["kind"] == "check" and first["state"] == "not yet" and first["points"] == 0
    assert first["task"] == TASK.id and first["cause"]
    assert second == {"time": second["time"], "kind": "hint", "task": TASK.id, "level": 1}
    assert second["time"].endswith("Z")
    if os.name == "posix":
        assert journal.stat().st_mode & 0o077 == 0  # nobody else's business


def test_done_stays_done_and_the_state_is_the_last(journal):
    check(TASK.id, stub)
    assert (record(TASK.id).tries, record(TASK.id).done) == (0, False)
    check(TASK.id, wrong)
    check(TASK.id, right)
    passed = record(TASK.id).passed
    assert passed and record(TASK.id).state == "passed"
    check(TASK.id, wrong)
    check(TASK.id, right)
    check(TASK.id, wrong)
    kept = record(TASK.id)
    assert kept.done and kept.passed == passed and kept.points == TASK.points
    assert kept.last == "not yet" and kept.state == "not yet, passed before"
    assert kept.tries == 5


def test_the_first_pass_is_the_one_that_counts(journal, monkeypatch):
    for hour, (state, points) in enumerate([("not yet", 0), ("passed", 2), ("not yet", 0), ("passed", 2)]):
        monkeypatch.setattr(store, "now", lambda hour=hour: datetime(2026, 11, 20, hour, tzinfo=UTC))
        checked(state, points)
    assert record(TASK.id).passed == "2026-11-20T01:00:00Z"
    assert record(TASK.id).checked == "2026-11-20T03:00:00Z"


def test_hints_go_on_in_another_session(journal, capsys):
    code = "from course_lib.grading import hint; hint('shade.penalty')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Hint 1 of 3" in said
    hint(TASK.id)
    check(TASK.id, wrong)
    assert "Hint 2 of 3" in (said := capsys.readouterr().out) and "For the last hint" in said
    hint(TASK.id, 1)  # asked for, and it does not count backwards
    assert "Hint 1 of 3" in capsys.readouterr().out
    hint(TASK.id)
    assert "Hint 3 of 3" in capsys.readouterr().out
    assert record(TASK.id).hints == 3


# --- two at once, killed, garbage ------------------------------------------------------------

WRITER = """
import sys
from course_lib.grading import store
print("ready", flush=True)
sys.stdin.readline()
n = 0
while n < int(sys.argv[2]):
    store.append("check", f"{sys.argv[1]}.task", state="not yet", points=0, cause="x" * 300)
    n += 1
"""


def writer(name, count):
    started = subprocess.Popen(
        [sys.executable, "-c", WRITER, name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout.readline() == "ready\n"
    return started


def test_two_at_once_lose_nothing(journal):
    both = [writer("a", 200), writer("b", 200)]
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        assert process.wait(60) == 0
        process.stdin.close()
        process.stdout.close()
    assert {task: kept.tries for task, kept in records().items()} == {"a.task": 200, "b.task": 200}
    lines = journal.read_text().splitlines()  # an empty one is a writer that made sure of a fresh line
    assert len([line for line in lines if line]) == 400


def test_another_that_writes_in_between_is_not_overwritten(journal, monkeypatch):
    whole = os.write

    def later(descriptor, data):
        monkeypatch.setattr(os, "write", whole)
        other = {"time": "2026-11-20T10:00:00Z", "kind": "hint", "task": "b.task", "level": 1}
        store.write(journal, store.line_of(other))
        return whole(descriptor, data)

    checked(task="first.task")
    monkeypatch.setattr(os, "write", later)
    checked(task="a.task")
    assert list(records()) == ["first.task", "b.task", "a.task"]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_while_writing_leaves_a_readable_store(journal):
    process = writer("a", 10**9)
    process.stdin.write("go\n")
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (not journal.exists() or journal.stat().st_size < 20_000):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdin.close()
    process.stdout.close()
    before = records()["a.task"].tries
    assert before >= len(journal.read_bytes().splitlines()) - 1 > 10
    checked()
    assert records()["a.task"].tries == before and record(TASK.id).done


def test_a_torn_line_does_not_swallow_the_next(journal):
    checked()
    with open(journal, "ab") as file:
        file.write(b'{"time": "2026-11-20T10:00:00Z", "kind": "che')
    checked("not yet", 0)
    assert record(TASK.id).tries == 2 and record(TASK.id).last == "not yet"
    assert journal.read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\xff\x00\xfe",
        b"[" * 50_000,
        b"[1]",
        b"3",
        b'"time"',
        b'{"time": 3, "kind": "check", "task": "a", "state": "passed", "points": 1}',
        b'{"time": "yesterday", "kind": "check", "task": "a", "state": "passed", "points": 1}',
        b'{"time": "2026-11-20T10:00:00Z", "kind": "check", "task": ["a"], "state": "passed", "points": 1}',
        b'{"time": "2026-11-20T10:00:00Z", "kind": "check", "task": "a", "state": "passed", "points": true}',
        b'{"time": "2026-11-20T10:00:00Z", "kind": "check", "task": "a", "points": 1}',
        b'{"time": "2026-11-20T10:00:00Z", "kind": "hint", "task": "a", "level": 9}',
        b'{"time": "2026-11-20T10:00:00Z", "kind": "hint", "task": "a", "level": [1]}',
        b'{"time": "2026-11-20T10:00:00Z", "kind": "dance", "task": "a"}',
    ],
)
def test_garbage_is_passed_over(journal, line):
    checked()
    with open(journal, "ab") as file:
        file.write(line + b"\n")
    checked("not yet", 0)
    assert list(records()) == [TASK.id] and record(TASK.id).tries == 2


def test_tasks_that_are_gone_break_nothing(journal, capsys, tmp_path):
    checked(task="shade.renamed")
    checked(task="gone.task")
    checked()
    progress()
    assert capsys.readouterr().out.startswith("2 of ")
    assert "Not in the course any more: shade.renamed, gone.task." in overview.summary()
    assert "gone.task" in check_page(overview.page()).text
    overview.export(tmp_path / "all.json")
    kept = {one["task"]: one for one in json.loads((tmp_path / "all.json").read_text())["tasks"]}
    assert kept["gone.task"]["points"] == 2 and kept["gone.task"]["max_points"] is None


# --- where nothing can be kept ---------------------------------------------------------------


def unwritable(monkeypatch, tmp_path):
    """A place that refuses also the administrator: a file stands where a folder is needed."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "file" / "progress.jsonl"))


def test_a_check_works_where_nothing_can_be_written(monkeypatch, tmp_path, capsys):
    unwritable(monkeypatch, tmp_path)
    assert check(TASK.id, right).passed
    said = capsys.readouterr().out
    assert said.count("Your progress is not kept") == 1 and "a file stands where a folder is needed" in said
    assert "✓ passed · shade.penalty" in said
    hint(TASK.id)
    hint(TASK.id)
    said = capsys.readouterr().out
    assert "Your progress is not kept" not in said and "Hint 2 of 3" in said
    assert record(TASK.id).done  # until this session ends


@pytest.mark.parametrize(
    ("code", "said"), [(errno.EROFS, "the folder is read-only"), (errno.EDQUOT, "your disk quota is used up")]
)
def test_why_is_told(journal, monkeypatch, capsys, code, said):
    def refuse(path, lines):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(store, "write", refuse)
    assert check(TASK.id, right).passed
    assert f"Could not write {journal}: {said};" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write")
def test_a_read_only_folder(monkeypatch, tmp_path, capsys):
    tmp_path.chmod(0o500)
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.jsonl"))
    assert check(TASK.id, right).passed
    assert "the folder may not be written to" in capsys.readouterr().out


def test_a_disk_that_is_full_for_a_while(journal, monkeypatch, capsys):
    whole = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:20]))
        check(TASK.id, right)
        checked("not yet", 0)
    assert capsys.readouterr().out.count("the disk is full") == 1
    assert record(TASK.id).tries == 2
    checked("not yet", 0)  # there is room again: nothing is lost, and the order is as it was
    assert store._unwritten == {journal: []}
    assert [event["state"] for event in store.events()] == ["passed", "not yet", "not yet"]


def test_a_folder_in_the_journals_place(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path))
    assert check(TASK.id, right).passed
    assert "a folder stands where a file is needed" in capsys.readouterr().out
    assert "2 of " in overview.summary()


def test_off_keeps_nothing_but_this_session(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for off in ("off", "OFF", " off "):
        monkeypatch.setenv("COURSE_PROGRESS", off)
        check(TASK.id, right)
        assert store.place() is None
    assert "not kept" not in capsys.readouterr().out
    assert record(TASK.id).tries == 3
    assert "Kept until this session ends" in overview.summary()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["NBGRADER_EXECUTION", "COURSE_BOOK"])
def test_other_peoples_runs_are_no_progress_of_the_learner(journal, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    check(TASK.id, right)
    assert not journal.exists()


def test_the_place_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert store.place() == tmp_path / "learned-representations" / "progress.jsonl"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert files.state_folder() == Path.home() / ".local" / "state" / "learned-representations"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert files.state_folder().parts[-2:] == ("Application Support", "learned-representations")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert files.state_folder() != files.cache_folder()
    assert files.state_folder().parent == tmp_path


def test_an_account_without_a_home(monkeypatch, capsys):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setattr(store, "state_folder", nowhere)
    assert check(TASK.id, right).passed
    assert capsys.readouterr().out.count("COURSE_PROGRESS may name a file") == 1
    assert record(TASK.id).done


# --- how it is shown -------------------------------------------------------------------------


def test_the_list_in_the_notebook(journal, capsys, monkeypatch):
    checked("not yet", 0)
    hint(TASK.id)
    checked()
    checked("not yet", 0)
    capsys.readouterr()
    progress("shade")
    said = capsys.readouterr().out
    line = f"✗ {TASK.id} · {TASK.title} · not yet, passed before · 2 of 2 points · 3 tries · 1 hint"
    assert line in said
    shown = []
    monkeypatch.setattr(report, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    progress("shade")
    assert line in shown[0]["text/html"] and line in shown[0]["text/plain"]


def test_the_summary(journal):
    checked()
    hint(TASK.id)
    said = overview.summary()
    assert said.startswith("shade\n  task")
    row = next(words for words in said.splitlines() if TASK.id in words).split()
    assert row == [TASK.id, "✓", "passed", "2", "/", "2", "1", "1"]
    assert said.endswith(f"Kept in {journal}.")
    assert overview.summary(["shade"]) == said
    with pytest.raises(ValueError, match="There is no chapter 'shadow'"):
        overview.summary(["shadow"])


def test_the_page(journal):
    checked()
    checked("not yet", 0)
    outline = check_page(overview.page())
    total = sum(task.points for name in tasks.chapters() for task in tasks.of_chapter(name))
    assert f"2 of {total} points, 1 of " in outline.text
    assert "✗ not yet" in outline.text and "passed before, first on 20" in outline.text


def test_export_round_trip(journal, tmp_path):
    checked("not yet", 0)
    checked()
    hint(TASK.id)
    kept = record(TASK.id)
    data = json.loads(overview.export(tmp_path / "mine.json").read_text())
    assert data["schema"] == "course-progress/1"
    one = next(one for one in data["tasks"] if one["task"] == TASK.id)
    assert one == {
        "task": TASK.id,
        "title": TASK.title,
        "chapter": "shade",
        "state": "passed",
        "done": True,
        "points": 2,
        "max_points": 2,
        "tries": 2,
        "hints": 1,
        "first_passed": kept.passed,
        "last_checked": kept.checked,
    }
    text = overview.export(tmp_path / "mine.CSV").read_bytes().decode("utf-8-sig")
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(table) == len(data["tasks"])
    again = next(row for row in table if row["task"] == TASK.id)
    assert again == {key: str(value) for key, value in one.items()}
    with pytest.raises(ValueError, match=r"ends in '.txt', possible are .csv and .json"):
        overview.export(tmp_path / "mine.txt")


# --- forgetting ------------------------------------------------------------------------------


def test_forgetting_sets_aside_and_loses_nothing(journal):
    checked()
    checked(task="shade.penalty2")
    checked(task="probe.fit")
    before = journal.read_bytes()
    aside = overview.forget("shade.penalty")
    assert aside.parent == journal.parent and aside.read_bytes() == before
    assert set(records()) == {"shade.penalty2", "probe.fit"}
    second = overview.forget("shade")
    assert second != aside and set(records()) == {"probe.fit"}
    checked()
    assert record(TASK.id).tries == 1


def test_forgetting_what_is_not_there_is_one_sentence(journal):
    with pytest.raises(ValueError, match="There is no progress in 'shade'; there is in nothing yet"):
        overview.forget("shade")
    checked()
    with pytest.raises(ValueError, match="There is no progress in 'shadow'; there is in shade.penalty"):
        overview.forget("shadow")


def test_forgetting_a_session_that_is_not_kept(monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    checked()
    assert overview.forget("shade") is None
    assert not records()


def test_forgetting_on_a_full_disk_says_where_everything_is(journal, monkeypatch):
    checked()
    checked(task="probe.fit")

    def full(path, lines):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write", full)
    with pytest.raises(CourseError, match=r"the disk is full; all of it is still in .*before-"):
        overview.forget("shade")
