"""Every test of progress begins with nothing kept, neither in a file nor in memory."""

import pytest

from course_lib.grading import store


@pytest.fixture(autouse=True)
def fresh_memory(monkeypatch):
    monkeypatch.setattr(store, "_unwritten", {})
    monkeypatch.setattr(store, "_told", set())
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


@pytest.fixture
def journal(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "new" / "progress.jsonl"))
    return tmp_path / "new" / "progress.jsonl"
