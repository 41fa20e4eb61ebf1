"""Feedback pages: whole, escaped, readable without colour, in a folder that nothing escapes from."""

import html.parser
import os
import re

import pytest

from course_lib.grading.exports import convert, write_feedback
from course_lib.grading.exports.feedback import page_names
from course_lib.grading.report import SIGNS
from course_lib.runtime import CourseError
from tests.grading.exports.reports import every_state, nasty, notebook, report, task, ungraded

VOID = {"meta", "link", "br", "img", "wbr"}


class Outline(html.parser.HTMLParser):
    """What a page is made of; fails on a page that is not well nested."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text, self.headings = [], [], "", []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(page):
    outline = Outline(page)
    assert page.startswith("<!DOCTYPE html>") and outline.all("html") == [{"lang": "en"}]
    assert outline.all("title") and outline.all("main")
    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:]))
    # Nothing is fetched and nothing runs.
    assert not [tag for tag, _ in outline.tags if tag in ("script", "link", "img", "iframe", "base", "form")]
    assert not [key for _, attributes in outline.tags for key in attributes if key.startswith("on")]
    assert "url(" not in page and "@import" not in page and "default-src 'none'" in page
    assert all(
        not attributes["href"].startswith(("http", "//", "javascript")) for attributes in outline.all("a")
    )
    assert len(outline.all("table")) == len(outline.all("caption"))
    assert all(attributes.get("scope") in ("col", "row") for attributes in outline.all("th"))
    assert "prefers-color-scheme: dark" in page and "@media print" in page and "width=device-width" in page
    return outline


def test_a_page_tells_the_total_and_every_task():
    outline = check_page(convert(report(every_state()), "html"))
    assert "2 of 9 points" in outline.text
    for said in ("shade.update", "A title", "With 5 samples h is too large.", "0 of 3 points"):
        assert said in outline.text
    assert "code cell 3 failed: it raised NameError" in outline.text
    assert len(outline.all("section")) == 5
    assert {"code"} <= {tag for tag, _ in outline.tags}


def test_states_are_signs_and_words():
    outline = check_page(convert(report(every_state()), "html"))
    for state in ("passed", "not yet", "not attempted"):
        assert f"{SIGNS[state]} {state}" in outline.text
    for state in ("stopped", "missing"):
        assert re.search(rf"\W {state}", outline.text)


def test_a_notebook_that_could_not_be_graded_says_why():
    outline = check_page(convert(report(ungraded()), "html"))
    assert "could not be graded" in outline.text and "it is not JSON" in outline.text
    assert "0 of 0 points" not in outline.text


def test_the_page_does_not_tell_the_instructors_folders():
    assert "secret" not in convert(report(every_state("/home/prof/secret/01.ipynb")), "html")


def test_nasty_texts_are_only_text():
    page = convert(report(nasty()), "html")
    outline = check_page(page)
    assert "<script>alert(1)</script>" in outline.text
    assert not {"b", "script"} & {tag for tag, _ in outline.tags}
    assert "\x00" not in page and "\x1b" not in page
    page.encode()


# --- a folder of them ------------------------------------------------------------------------


def test_a_page_for_each_notebook_and_an_index(tmp_path):
    files = [every_state("in/ada/01_shade.ipynb"), every_state("in/ben/01_shade.ipynb"), ungraded()]
    paths = write_feedback(report(*files), tmp_path / "new" / "feedback")
    assert [path.name for path in paths] == [
        "ada-01_shade.html",
        "ben-01_shade.html",
        "broken.html",
        "index.html",
    ]
    for path in paths:
        outline = check_page(path.read_text())
    assert [attributes["href"] for attributes in outline.all("a")] == [path.name for path in paths[:-1]]
    assert "3 notebooks, 1 of which could not be graded" in outline.text
    assert "1 of 5 tasks passed" in outline.text and "it is not JSON" in outline.text
    assert sorted(os.listdir(tmp_path / "new" / "feedback")) == sorted(path.name for path in paths)


def test_an_empty_report_has_an_index(tmp_path):
    (index,) = write_feedback(report(), tmp_path)
    assert "0 notebooks" in check_page(index.read_text()).text


def test_nothing_escapes_from_the_folder(tmp_path):
    folder = tmp_path / "a" / "b" / "c"
    names = ["../../x.ipynb", "/etc/x.ipynb", "..\\..\\y.ipynb", "..", "", "C:\\z.ipynb", "a\x00/\n.ipynb"]
    paths = write_feedback(report(*(notebook(name, task()) for name in names)), folder)
    everything = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(everything) == sorted(paths)
    assert {path.parent for path in paths} == {folder}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/01.ipynb", "b/01.ipynb"], ["a-01", "b-01"]),
        (["x/a/01.ipynb", "y/a/01.ipynb", "x/b/01.ipynb"], ["x-a-01", "y-a-01", "b-01"]),
        (["01.ipynb", "a/01.ipynb"], ["01", "a-01"]),
        (["01.ipynb", "01.ipynb", "01.ipynb"], ["01", "01-2", "01-3"]),
        (["A.ipynb", "a.ipynb"], ["A", "a-2"]),
        (["index.ipynb", "con.ipynb", "NUL.txt.ipynb"], ["_index", "_con", "_NUL.txt"]),
        (
            ["Ada Löwe & co.ipynb", "漢字.ipynb", "...ipynb", "-rf.ipynb"],
            ["Ada_Löwe_co", "漢字", "notebook", "rf"],
        ),
        (["a-01.ipynb", "a/01.ipynb", "b/01.ipynb"], ["a-01", "a-01-2", "b-01"]),
    ],
)
def test_names_are_safe_and_unique(files, names):
    assert page_names(files) == [f"{name}.html" for name in names]


def test_long_names_fit_every_file_system(tmp_path):
    names = page_names(["漢" * 300 + ".ipynb", "漢" * 300 + "x.ipynb"])
    assert len(set(names)) == 2 and all(len(name.encode()) < 200 for name in names)


def test_names_do_not_depend_on_a_report_from_elsewhere(tmp_path):
    with pytest.raises(CourseError, match="its schema is"):
        write_feedback({}, tmp_path)
    assert os.listdir(tmp_path) == []
