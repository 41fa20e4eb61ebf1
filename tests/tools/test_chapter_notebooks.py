"""The notebooks of the chapters: nothing of the book engine's language is left in them."""

import re

import jupytext
import nbformat
import pytest

from tools.chapter_notebooks import convert, outputs
from tools.pages import chapters
from tools.plain.labels import read_labels
from tools.project import ROOT, read_project
from tools.setup_cell import setup_cell

# What MyST alone understands; code and formulas are taken out before this is looked for.
MYST = {
    "a role": r"\{[a-z][\w:+-]*\}`",
    "a directive": r"^[>\s]*(```+|:::+|~~~+)\s*\{",
    "a colon fence": r"^[>\s]*:::",
    "a label": r"^[>\s]*\([\w:.-]+\)=",
    "a cell break": r"^\+\+\+",
    "a labelled formula": r"\$\$[ \t]*\([\w:.-]+\)",
    "an option": r"^[>\s]*:[a-z-]+:(\s|$)",
}
FENCED = re.compile(r"^([>\s]*)(```+)\w*\n.*?^\1\2\s*$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def notebooks():
    return {path.stem: nbformat.reads(text, 4) for path, text in outputs()}


def test_every_chapter_has_one(notebooks):
    assert list(notebooks) == [chapter.stem for chapter in chapters()]
    assert notebooks


def test_no_myst_is_left(notebooks):
    for stem, notebook in notebooks.items():
        for cell in notebook.cells:
            if cell.cell_type != "markdown":
                continue
            text = re.sub(
                r"(?<!`)(`+)(?!`)[^`\n]+\1(?!`)", "", FENCED.sub("", cell.source).replace("}`", "}\\`")
            )
            text = text.replace("}\\`", "}`")
            for what, pattern in MYST.items():
                found = re.search(pattern, text, re.MULTILINE)
                assert not found, f"{stem}: {what} is left: {found[0]!r}"


def test_the_search_for_myst_finds_it():
    samples = ("{eq}`x`", "```{note}\n", "> :::{tip}", "(a)=", "+++", "$$ x $$ (a)", ":name: x")
    for sample, (what, pattern) in zip(samples, MYST.items()):
        assert what and re.search(pattern, sample, re.MULTILINE)


def test_the_code_is_that_of_the_chapter(notebooks):
    for chapter in chapters():
        source = jupytext.reads(chapter.read_text(encoding="utf-8"), fmt="md:myst")
        wanted = [cell.source for cell in source.cells if cell.cell_type == "code"]
        got = [cell.source for cell in notebooks[chapter.stem].cells if cell.cell_type == "code"]
        assert got == [setup_cell().source, *wanted]


def test_tags_survive(notebooks):
    for chapter in chapters():
        source = jupytext.reads(chapter.read_text(encoding="utf-8"), fmt="md:myst")
        wanted = [cell.metadata.get("tags", []) for cell in source.cells if cell.cell_type == "code"]
        cells = [cell for cell in notebooks[chapter.stem].cells if cell.cell_type == "code"]
        assert [cell.metadata.get("tags", []) for cell in cells[1:]] == wanted


def test_the_same_text_every_time():
    assert dict(outputs()) == dict(outputs())


def test_sections_are_cells_of_their_own(tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    page = book / "01_x.md"
    page.write_text("# Title\n\nText.\n\n(sec)=\n## Section\n\nMore.\n\n+++\n\nApart.\n")
    cells = convert(page, read_labels(book), read_project(ROOT)).cells[2:]
    assert [cell.source for cell in cells] == [
        "# Title\n\nText.",
        '<a id="sec"></a>\n\n## Section\n\nMore.',
        "Apart.",
    ]


def test_a_name_in_brackets_is_explained_where_there_is_one(tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    page = book / "01_x.md"
    for text, explained in (("It is {glue:text}`gap`.", True), ("It is 3.", False)):
        page.write_text(f"# Title\n\n{text}\n")
        preface = convert(page, read_labels(book), read_project(ROOT)).cells[1].source
        assert ("⟨gap⟩" in preface) == explained
