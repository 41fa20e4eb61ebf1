"""One table, shown in three ways: text for the terminal, HTML for notebooks, Markdown for the book."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of text under a heading; ``numbers`` are the columns that are set flush right."""

    heading: Sequence[str]
    rows: list[Sequence[str]]
    caption: str = ""
    numbers: frozenset[int] = field(default_factory=frozenset)

    def __str__(self) -> str:
        lines = [self.heading, *self.rows]
        widths = [max(len(row[column]) for row in lines) for column in range(len(self.heading))]

        def line(row: Sequence[str]) -> str:
            cells = (
                text.rjust(width) if column in self.numbers else text.ljust(width)
                for column, (text, width) in enumerate(zip(row, widths, strict=True))
            )
            return "  ".join(cells).rstrip()

        body = [line(self.heading), "  ".join("-" * width for width in widths), *map(line, self.rows)]
        return "\n".join([self.caption, *body] if self.caption else body)

    def markdown(self, raw: bool = False) -> str:
        """The table in Markdown; ``raw`` leaves the marks in its cells, such as links, as they are."""
        rule = ["---:" if column in self.numbers else ":---" for column in range(len(self.heading))]
        lines = [[text if raw else escape(text) for text in row] for row in (self.heading, *self.rows)]
        return "\n".join("| " + " | ".join(row) + " |" for row in (lines[0], rule, *lines[1:]))

    def _repr_html_(self) -> str:
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in self.heading)
        body = "".join(f"<tr>{self._html_row(row)}</tr>" for row in self.rows)
        return f'<table class="study">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def _html_row(self, row: Sequence[str]) -> str:
        right = ' style="text-align: right; white-space: nowrap"'
        left = ' style="text-align: left"'
        return "".join(
            f"<td{right if column in self.numbers else left}>{html.escape(text)}</td>"
            for column, text in enumerate(row)
        )


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in "\\|*_`<>[]$":
        text = text.replace(mark, "\\" + mark)
    return text


def number(value: float, digits: int, signed: bool = False) -> str:
    """A number with a true minus sign; what is not finite is said to be so."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return text.replace("-", "−")
