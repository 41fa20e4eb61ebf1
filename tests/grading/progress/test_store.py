"""The store of progress: nothing is lost, and nothing that is wrong with it stops a check."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_lib import files
from course_lib.grading import check, hint, overview, progress, store
from course_lib.grading.records import record, records
from tests.grading.answers import right
from tests.grading.exports.test_feedback import check_page
from tests.grading.progress.entries import TASK, checked

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
