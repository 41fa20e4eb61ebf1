"""The pages are made when anything changed or the last build failed, and only then."""

import pytest

from tools import build_book


@pytest.fixture
def builds(monkeypatch, tmp_path):
    """How often the pages were made for a small project, and what the book engine will answer."""
    calls = {"made": 0, "code": 0, "failures": 0}

    def make(root):
        calls["made"] += 1
        return calls["code"]

    monkeypatch.setattr(build_book, "build_pages", make)
    monkeypatch.setattr(build_book, "execute", lambda root: calls["failures"])
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.md").write_text("# Page\n")
    calls["root"] = tmp_path
    return calls


def test_nothing_is_done_when_nothing_changed(builds, capsys):
    assert build_book.build(builds["root"]) == 0
    assert build_book.build(builds["root"]) == 0
    assert builds["made"] == 1
    assert "is current" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changed", ["book/page.md", "book/new.md", "course_lib/new.py", "_config.yml", "_build/run_times.json"]
)
def test_a_change_makes_the_pages_anew(builds, changed):
    build_book.build(builds["root"])
    path = builds["root"] / changed
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed")
    build_book.build(builds["root"])
    assert builds["made"] == 2


def test_a_warning_is_not_forgotten_by_the_next_build(builds):
    builds["code"] = 1
    assert build_book.build(builds["root"]) == 1
    assert build_book.build(builds["root"]) == 1
    assert builds["made"] == 2


def test_a_page_that_fails_to_run_stops_the_build(builds):
    builds["failures"] = 1
    assert build_book.build(builds["root"]) == 1
    assert builds["made"] == 0
