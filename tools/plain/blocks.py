"""Directives in their plain form: boxes become quotations, what folds away becomes <details>."""

import re

from tools.pages import notebooks_of, task_rows
from tools.plain.inline import Inline
from tools.plain.kinds import ADMONITIONS, FIGURES, PROOFS, UNNUMBERED_PROOF
from tools.plain.labels import TARGET
from tools.plain.parse import Fence, Lines, Place, parse

SHOWN_AS_CODE = {"code", "code-block", "sourcecode"}
ATTRIBUTES = re.compile(r"^\s*\{[.#][^{}]*\}\s*$")


class Blocks:
    """Turns lines of MyST into plain Markdown, for one page."""

    def __init__(self, inline: Inline):
        self.inline = inline

    def __call__(self, lines: tuple[str, ...], place: Place) -> str:
        """The lines as plain Markdown.

        Raises:
            NotPlain: something has no plain form; the message names file and line.
        """
        pieces = [self.block(block) for block in parse(lines, place)]
        return "\n\n".join(piece for piece in pieces if piece.strip())

    def block(self, block: Lines | Fence) -> str:
        if isinstance(block, Lines):
            return self.lines(block)
        if block.name is None:
            mark = block.mark if block.mark[0] != ":" else "```"
            text = "\n".join([f"{mark}{block.argument}", *block.lines, mark])
        else:
            text = self.directive(block)
        return "\n".join(block.indent + line if line else line for line in text.split("\n"))

    def lines(self, block: Lines) -> str:
        kept = []
        for number, text in enumerate(block.lines):
            if target := TARGET.match(text):
                kept.append(f'<a id="{target["label"]}"></a>\n')
            elif text.startswith(": "):
                raise block.place.down(number).error("a definition list has no plain form; use a list.")
            else:
                # An empty line instead of a dropped one, so that a message about a later line stays right.
                kept.append("" if text.startswith("%") or ATTRIBUTES.match(text) else text)
        text = self.inline("\n".join(kept), block.place)
        return re.sub(r"\n{3,}", "\n\n", text).strip("\n")

    def directive(self, block: Fence) -> str:
        options, body, place = block.options()
        name, title = block.name, self.inline(block.argument, block.place)
        if name in SHOWN_AS_CODE:
            return "\n".join([f"```{block.argument}", *body, "```"])
        if name == "math":
            return self.inline.display("\n".join([block.argument, *body]), options.get("label"))
        if name == "chapter-card":
            return self.card(options, block.place)
        if name == "task-list":
            return self.task_list(block)
        if name == "image":
            return f"![{options.get('alt', '')}]({self.inline.image(block.argument, block.place)})"
        if name == "list-table":
            return self.list_table(block, title, options, body, place)
        inside = self(body, place)
        if name in FIGURES:
            return self.figure(block, options, inside)
        if name == "table":
            return f"**{self.heading('Table', options, title)}**\n\n{inside}"
        if name == "dropdown" or "dropdown" in options.get("class", "").split():
            return details(self.folded_title(block, title), inside)
        if name == "solution":
            return details(self.folded_title(block, title), inside)
        if name == "admonition":
            return quote(title, inside)
        if name in ADMONITIONS:
            return quote(" ".join(filter(None, [ADMONITIONS[name], title])), inside)
        if name == UNNUMBERED_PROOF:
            return quote("Proof", inside)
        if name == "margin":
            return quote(title, inside)
        if name == "exercise" or name in PROOFS:
            return quote(self.heading(PROOFS.get(name, "Exercise"), options, title), inside)
        raise block.place.error(f"the directive {{{name}}} has no plain form.")

    def heading(self, word: str, options: dict[str, str], title: str) -> str:
        """``Exercise 1.2 (Title)``."""
        label = self.inline.labels.get(options.get("label") or options.get("name") or "")
        number = label.number if label else ""
        return " ".join(filter(None, [word, number, f"({title})" if title else ""]))

    def folded_title(self, block: Fence, title: str) -> str:
        if block.name == "solution":
            return f"Solution to {self.inline.refer(block.argument, block.place, numbered=True)}"
        return title or ADMONITIONS.get(block.name, "") or PROOFS.get(block.name, block.name).capitalize()

    def figure(self, block: Fence, options: dict[str, str], caption: str) -> str:
        called = self.heading("Fig.", options, "")
        text = f"**{called}.** {caption}" if caption else ""
        if block.name == "glue:figure":
            return text  # the cell above draws it
        picture = f"![{options.get('alt', '')}]({self.inline.image(block.argument, block.place)})"
        return f"{picture}\n\n{text}" if text else picture

    def card(self, options: dict[str, str], place: Place) -> str:
        rows = [("You need", self.inline(options.get("prerequisites", ""), place))]
        rows.append(("To read", f"{options.get('minutes', '')} minutes"))
        if "source" in options:
            rows.append(("Source", self.inline(options["source"], place)))
        notebooks = notebooks_of(self.inline.page, self.inline.book.parent)
        if path := notebooks.get("exercises"):
            rows.append(("Exercises", f"[{path}]({self.inline.project.colab_url(path)})"))
        return "\n".join(f"> **{name}:** {text}  " for name, text in rows).rstrip()

    def task_list(self, block: Fence) -> str:
        try:
            head, *rows = task_rows(block.argument.strip())
        except ValueError as problem:
            raise block.place.error(str(problem)) from None
        rows = [[title, f"`{name}`" if name else "", *rest] for title, name, *rest in rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])

    def list_table(
        self, block: Fence, title: str, options: dict[str, str], body: tuple[str, ...], place: Place
    ) -> str:
        rows: list[list[str]] = []
        for number, line in enumerate(body):
            if item := re.match(r"^[*-] - ?(.*)$", line):
                rows.append([item[1]])
            elif item := re.match(r"^\s+- ?(.*)$", line):
                rows[-1].append(item[1])
            elif line.strip():
                if not rows:
                    raise place.down(number).error("a list-table starts with '* - '.")
                rows[-1][-1] += f" {line.strip()}"
        cells = [[self.inline(cell, place).strip() for cell in row] for row in rows]
        if options.get("header-rows", "0") == "0":
            cells.insert(0, [""] * len(cells[0]))
        lines = [f"| {' | '.join(row)} |" for row in cells]
        lines.insert(1, "|" + "---|" * len(cells[0]))
        heading = [f"**{self.heading('Table', options, title)}**", ""] if title else []
        return "\n".join([*heading, *lines])


def quote(title: str, body: str) -> str:
    """A quotation under a bold title; its formulas on one line each, because Jupyter takes > into them."""
    body = re.sub(r"\$\$(.+?)\$\$", lambda found: f"$${' '.join(found[1].split())}$$", body, flags=re.DOTALL)
    lines = [*([f"**{title}**", ""] if title else []), *body.split("\n")]
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def details(summary: str, body: str) -> str:
    """What is folded away until the reader clicks."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"
