"""Everything in the book that can be referred to, with the number that the built book gives it."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools.plain.kinds import CONTAINERS, FIGURES, PROOFS, TABLES
from tools.plain.parse import Fence, Lines, Place, parse, without_header

TARGET = re.compile(r"^\((?P<label>[\w:.-]+)\)=\s*$")
HEADING = re.compile(r"^(?P<level>#{1,6})\s+(?P<text>.*?)\s*#*$")
DISPLAY = re.compile(r"\$\$(?P<formula>.+?)\$\$(?:[ \t]*\((?P<label>[\w:.-]+)\))?", re.DOTALL)


@dataclass(frozen=True)
class Label:
    """A thing that can be referred to."""

    page: str  # where it stands, relative to book/, without the ending
    kind: str  # page, section, equation, figure, table, exercise, or a kind of proof
    number: str  # "" where the book gives none
    title: str

    @property
    def called(self) -> str:
        """What a numbered reference to it reads as."""
        words = {"section": "Section", "figure": "Fig.", "table": "Table", "exercise": "Exercise"}
        if self.kind == "equation":
            return f"({self.number})"
        return f"{words.get(self.kind, self.kind)} {self.number}".strip() if self.number else self.title


class _Reader:
    """Reads one page from top to bottom and counts as Sphinx does: one counter a kind, by chapter."""

    def __init__(self, page: str, chapter: str):
        self.page, self.chapter = page, chapter
        self.labels: dict[str, Label] = {}
        self.counts: Counter[str] = Counter()
        self.depths: list[int] = []
        self.pending: list[str] = []

    def read(self, lines: tuple[str, ...], place: Place) -> None:
        for block in parse(lines, place):
            if isinstance(block, Fence):
                self.fence(block)
            else:
                self.plain(block)

    def plain(self, block: Lines) -> None:
        for formula in DISPLAY.finditer("\n".join(block.lines)):
            if formula["label"]:
                self.add(formula["label"], "equation", "")
        for text in block.lines:
            if target := TARGET.match(text):
                self.pending.append(target["label"])
            elif heading := HEADING.match(text):
                self.heading(len(heading["level"]), heading["text"])

    def heading(self, level: int, title: str) -> None:
        if level == 1:
            number, kind = self.chapter, "page"
            self.labels.setdefault(f"{self.page}.md", Label(self.page, kind, number, title))
        else:
            self.depths = [*self.depths[: level - 1], *[0] * (level - 1 - len(self.depths))]
            self.depths[-1] += 1
            number = ".".join([self.chapter, *map(str, self.depths)]) if self.chapter else ""
            kind = "section"
        for label in self.pending:
            self.labels[label] = Label(self.page, kind, number, title)
        self.pending = []

    def fence(self, block: Fence) -> None:
        if block.name == "math":
            options, _, _ = block.options()
            if "label" in options:
                self.add(options["label"], "equation", "")
        if block.name not in CONTAINERS:
            return
        options, body, place = block.options()
        label = options.get("label") or options.get("name")
        title = "" if block.name in FIGURES else block.argument
        if block.name in FIGURES:
            if any(text.strip() for text in body):  # Sphinx numbers the figures that have a caption
                self.add(label, "figure", title)
        elif block.name in TABLES:
            if block.argument:
                self.add(label, "table", title)
        elif block.name == "exercise" or block.name in PROOFS:
            self.add(label, PROOFS.get(block.name, "exercise"), title, "nonumber" not in options)
        self.read(body, place)

    def add(self, label: str | None, kind: str, title: str, numbered: bool = True) -> None:
        number = ""
        if numbered:
            self.counts[kind] += 1
            number = f"{self.chapter}.{self.counts[kind]}" if self.chapter else str(self.counts[kind])
        for name in filter(None, [label, *self.pending]):
            self.labels[name] = Label(self.page, kind, number, title)
        self.pending = []


def read_labels(book: Path) -> dict[str, Label]:
    """All labels of the pages in ``book``; pages themselves stand under their file name."""
    labels: dict[str, Label] = {}
    for path in sorted(book.rglob("*.md")):
        page = path.relative_to(book).with_suffix("").as_posix()
        number = re.match(r"0*(\d+)_", page)
        reader = _Reader(page, number[1] if number else "")
        reader.read(*without_header(path.read_text(encoding="utf-8"), path))
        labels |= reader.labels
    return labels
