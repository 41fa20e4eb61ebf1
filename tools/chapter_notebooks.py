"""Make ``notebooks/NN_topic.ipynb`` for Colab and Jupyter from the chapters ``book/NN_topic.md``."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from tools.notebook_common import finish, setup_cell
from tools.pages import chapters
from tools.plain.blocks import Blocks
from tools.plain.citations import Bibliography
from tools.plain.inline import Inline
from tools.plain.labels import HEADING, TARGET, Label, read_labels
from tools.plain.parse import Fence, Lines, parse, without_header
from tools.project import ROOT, Project, read_project

CELL_BREAK = "+++"


def outputs(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every chapter's notebook: its path and its whole text."""
    labels, project = read_labels(root / "book"), read_project(root)
    for chapter in chapters(root):
        notebook = convert(chapter, labels, project)
        yield root / "notebooks" / f"{chapter.stem}.ipynb", finish(notebook, chapter.stem)


def convert(chapter: Path, labels: dict[str, Label], project: Project) -> NotebookNode:
    """One chapter as a notebook that needs no book engine to be read.

    Args:
        chapter: the MyST source, in the folder of the book.
        labels: what the book's pages can refer to.
        project: the addresses for links.

    Raises:
        NotPlain: a directive, role or reference that has no plain form; names file and line.
    """
    bibliography = Bibliography(chapter.parent / "references.bib")
    inline = Inline(chapter.stem, labels, bibliography, project, chapter.parent)
    body = list(cells(chapter, Blocks(inline)))
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [setup_cell(project), nbformat.v4.new_markdown_cell(preface(inline)), *body]
    if bibliography.cited:
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"## References\n\n{bibliography.listing()}"))
    return notebook


def preface(inline: Inline) -> str:
    """Where this chapter can be read with its results, and what a name in brackets means."""
    address = f"{inline.project.pages}/{inline.page}.html"
    lines = [f"This notebook is a chapter of the course; [its page]({address}) shows it with all results."]
    if inline.placeholders:
        name = inline.placeholders[0]
        lines.append(
            f"A name in brackets, such as **⟨{name}⟩**, stands for a number that a cell above prints."
        )
    return "\n".join(lines)


def cells(chapter: Path, plain: Blocks) -> Iterator[NotebookNode]:
    """The cells of a chapter: its code, and between two pieces of code one text cell for each section."""
    gathered: list[str] = []
    for block in blocks_of(chapter):
        starts_section = isinstance(block, Lines) and any(HEADING.match(text) for text in block.lines)
        is_code = isinstance(block, Fence) and block.name == "code-cell"
        if gathered and (is_code or starts_section or block is None):
            yield nbformat.v4.new_markdown_cell("\n\n".join(gathered))
            gathered = []
        if is_code:
            yield code_cell(block)
        elif block is not None and (text := plain.block(block)):
            gathered.append(text)
    if gathered:
        yield nbformat.v4.new_markdown_cell("\n\n".join(gathered))


def blocks_of(chapter: Path) -> Iterator[Lines | Fence | None]:
    """The blocks of a chapter, cut before each heading; None where the author asks for a new cell."""
    for block in parse(*without_header(chapter.read_text(encoding="utf-8"), chapter)):
        if isinstance(block, Fence):
            yield block
            continue
        start = 0
        for number, text in enumerate(block.lines):
            if HEADING.match(text) or text.strip() == CELL_BREAK:
                cut = number
                while cut > start and TARGET.match(block.lines[cut - 1]):
                    cut -= 1  # the labels of a heading stay with it
                yield from _part(block, start, cut)
                start = cut
            if text.strip() == CELL_BREAK:
                yield None
                start = number + 1
        yield from _part(block, start, len(block.lines))


def _part(block: Lines, start: int, end: int) -> Iterator[Lines]:
    """Some of the lines of a block, unless they are empty."""
    if any(text.strip() for text in block.lines[start:end]):
        yield Lines(block.lines[start:end], block.place.down(start))


def code_cell(block: Fence) -> NotebookNode:
    options, body, _ = block.options()
    metadata = {key: yaml.safe_load(value) for key, value in options.items()}
    return nbformat.v4.new_code_cell("\n".join(body).strip("\n"), metadata=metadata)
