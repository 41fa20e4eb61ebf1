"""Progress as learners see it: what is kept of a check, how it is shown, and beginning again."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from course_lib.grading import check, hint, overview, progress, report, store, tasks
from course_lib.grading.records import record, records
from course_lib.runtime import CourseError
from tests.grading.answers import right, stub
from tests.grading.exports.test_feedback import check_page
from tests.grading.progress.entries import TASK, checked, wrong

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
