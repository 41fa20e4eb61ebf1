"""The fences of MyST Markdown: a text becomes runs of plain lines and (nested) fenced blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

OPENING = re.compile(r"^(?P<indent>[ ]*)(?P<fence>`{3,}|:{3,}|~{3,})(?P<info>[^`]*)$")
DIRECTIVE = re.compile(r"^\{(?P<name>[\w:+-]+)\}\s*(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<key>[\w-]+):(?:\s+(?P<value>.*))?$")


class NotPlain(Exception):
    """Something in a source that has no plain form; the message names the file and the line."""


@dataclass(frozen=True)
class Place:
    """A line of a file, for messages."""

    path: Path
    line: int

    def down(self, lines: int) -> "Place":
        return Place(self.path, self.line + lines)

    def error(self, text: str) -> NotPlain:
        return NotPlain(f"{self.path.parent.name}/{self.path.name}, line {self.line}: {text}")


@dataclass(frozen=True)
class Lines:
    """Consecutive lines without a fence."""

    lines: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Fence:
    """A fenced block: a directive where ``name`` is set, else code to be shown as it is."""

    indent: str
    mark: str  # the opening fence, such as ```` ``` ````
    name: str | None
    argument: str  # of a directive; else the language
    lines: tuple[str, ...]  # between the fences, without the indent
    place: Place

    def options(self) -> tuple[dict[str, str], tuple[str, ...], Place]:
        """The options of a directive, its body without them, and where the body starts."""
        lines, start = list(self.lines), 0
        options: dict[str, str] = {}
        if lines and lines[0].strip() == "---":
            end = next((n for n, text in enumerate(lines[1:], 1) if text.strip() == "---"), None)
            if end is None:
                raise self.place.error(f"the options of {{{self.name}}} are not closed with ---.")
            options = {key: str(value) for key, value in yaml.safe_load("\n".join(lines[1:end])).items()}
            start = end + 1
        while start < len(lines) and (option := OPTION.match(lines[start])):
            options[option["key"]] = (option["value"] or "").strip()
            start += 1
        while start < len(lines) and not lines[start].strip():
            start += 1
        return options, tuple(lines[start:]), self.place.down(start + 1)


def parse(lines: tuple[str, ...], place: Place) -> Iterator[Lines | Fence]:
    """Split lines into blocks, one level deep; a directive's own lines are parsed when it is converted.

    Raises:
        NotPlain: a fence is not closed.
    """
    plain: list[str] = []
    number = 0
    while number < len(lines):
        opening = OPENING.match(lines[number])
        if opening is None:
            plain.append(lines[number])
            number += 1
            continue
        if plain:
            yield Lines(tuple(plain), place.down(number - len(plain)))
            plain = []
        here, end = place.down(number), _closing(lines, number, opening["fence"])
        if end is None:
            raise here.error(f"the fence {opening['fence']}{opening['info']} is not closed.")
        directive = DIRECTIVE.match(opening["info"].strip())
        indent = opening["indent"]
        body = tuple(text.removeprefix(indent) for text in lines[number + 1 : end])
        name = directive["name"] if directive else None
        argument = (directive["argument"] if directive else opening["info"]).strip()
        yield Fence(indent, opening["fence"], name, argument, body, here)
        number = end + 1
    if plain:
        yield Lines(tuple(plain), place.down(number - len(plain)))


def _closing(lines: tuple[str, ...], opening: int, fence: str) -> int | None:
    """The line that closes a fence: the same character, at least as often, and nothing else."""
    for number in range(opening + 1, len(lines)):
        text = lines[number].strip()
        if len(text) >= len(fence) and set(text) == {fence[0]}:
            return number
    return None


def without_header(text: str, path: Path) -> tuple[tuple[str, ...], Place]:
    """The lines of a page after its YAML header, and where they start."""
    lines = text.splitlines()
    if lines and lines[0].strip() == "---":
        end = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
        if end is None:
            raise Place(path, 1).error("the header is not closed with ---.")
        return tuple(lines[end + 1 :]), Place(path, end + 2)
    return tuple(lines), Place(path, 1)
