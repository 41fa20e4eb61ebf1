"""What every page of the book keeps to, seen in its source."""

import re

import pytest
import yaml

from tools.pages import chapters, executable_pages, pages_in_toc
from tools.plain.parse import Fence, parse, without_header
from tools.project import ROOT

BOOK = ROOT / "book"
PAGES = sorted(path for path in BOOK.rglob("*.md") if "_static" not in path.parts)
WIDGETS = ("ipywidgets", "interact(", "plotly", "bokeh")


def name(path):
    return path.relative_to(BOOK).with_suffix("").as_posix()


def fences(path):
    """All fenced blocks of a page, the nested ones too."""

    def walk(lines, place):
        for block in parse(lines, place):
            if isinstance(block, Fence):
                yield block
                if block.name and block.name != "code-cell":
                    yield from walk(block.lines, block.place.down(1))

    return walk(*without_header(path.read_text(encoding="utf-8"), path))


def code(path):
    return [fence for fence in fences(path) if fence.name == "code-cell"]


def test_every_page_is_in_the_table_of_contents_once():
    assert sorted(pages_in_toc()) == sorted(map(name, PAGES))


def test_chapters_come_in_the_order_of_their_numbers():
    """The plain notebooks take a chapter's number from its name; the book counts."""
    listed = [page for page in pages_in_toc() if re.match(r"\d\d_", page)]
    assert listed == [chapter.stem for chapter in chapters()]
    assert [int(page[:2]) for page in listed] == list(range(1, len(listed) + 1))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_has_one_title(path):
    lines, place = without_header(path.read_text(encoding="utf-8"), path)
    outside = [text for block in parse(lines, place) if not isinstance(block, Fence) for text in block.lines]
    assert len([text for text in outside if text.startswith("# ")]) == 1


@pytest.mark.parametrize("path", chapters(), ids=name)
def test_a_chapter_has_its_card(path):
    assert [fence.name for fence in fences(path)].count("chapter-card") == 1


@pytest.mark.parametrize("path", chapters(), ids=name)
def test_a_chapter_has_an_exercise_notebook(path):
    assert (ROOT / "exercises" / f"{path.stem}.ipynb").exists()


@pytest.mark.parametrize("path", executable_pages(), ids=name)
def test_no_widget_that_is_blank_without_a_kernel(path):
    """course_lib.players gives a page a slider that works everywhere."""
    found = [word for cell in code(path) for word in WIDGETS if word in "\n".join(cell.lines)]
    assert not found


@pytest.mark.parametrize("path", executable_pages(), ids=name)
def test_code_is_narrow_enough_for_the_page(path):
    wide = [f"{cell.place.path.name}:{cell.place.line + 1 + n}" for cell in code(path)
            for n, text in enumerate(cell.lines) if len(text) > 88]  # fmt: skip
    assert not wide


@pytest.mark.parametrize("path", executable_pages(), ids=name)
def test_a_page_with_code_says_how_it_is_run(path):
    header = yaml.safe_load(path.read_text(encoding="utf-8").split("---")[1])
    assert header["kernelspec"]["name"] == "python3"
    assert header["jupytext"]["text_representation"] == {"extension": ".md", "format_name": "myst"}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pictures_say_what_they_show(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"!\[\s*\]\(", text)
    for fence in fences(path):
        if fence.name in ("image", "figure"):
            assert fence.options()[0].get("alt"), f"{path.name}, line {fence.place.line}"


def test_the_configuration_holds_no_address():
    text = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert not re.findall(r"https?://", text)
