"""What stands inside a line: roles, links, formulas; everything else stays as it is."""

import re
from collections.abc import Callable
from pathlib import Path

from tools.plain.citations import Bibliography
from tools.plain.labels import DISPLAY, Label
from tools.plain.parse import Place
from tools.project import Project

# The first alternative that matches wins, so nothing inside code or a formula is ever touched.
TOKEN = re.compile(
    r"\{(?P<role>[\w:+-]+)\}(?P<ticks>`+)(?P<content>.+?)(?P=ticks)(?!`)"
    r"|(?P<code>(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))"
    rf"|(?P<display>{re.sub('[?]P<(formula|label)>', '', DISPLAY.pattern)})"
    r"|(?P<math>(?<![\\$])\$(?:[^$\\\n]|\\.|\n(?!\s*\n))+\$)"
    r"|(?P<image>!)?\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<to>[^()\s]+)\)"
    r"|(?<=[\])`])\{(?P<attributes>[.#][^{}]*)\}"
    r"|(?P<footnote>\[\^[\w-]+\])",
    re.DOTALL,
)
WITH_TEXT = re.compile(r"^(?P<text>.+?)\s*<(?P<target>[^<>]+)>$", re.DOTALL)
PYTHON = re.compile(r"^py:(attr|class|data|exc|func|meth|mod|obj)$")


class Inline:
    """Turns the inline part of MyST into plain Markdown, for one page."""

    def __init__(
        self,
        page: str,
        labels: dict[str, Label],
        bibliography: Bibliography,
        project: Project,
        book: Path,
    ):
        self.page, self.labels, self.bibliography = page, labels, bibliography
        self.project, self.book = project, book
        self.placeholders: list[str] = []  # names of measured numbers that the prose injects
        self.roles: dict[str, Callable[[str, Place], str]] = {
            "abbr": lambda text, place: text,
            "cite": self.cite,
            "cite:p": self.cite,
            "cite:t": lambda text, place: self.cite(text, place, in_text=True),
            "doc": self.doc,
            "eq": lambda text, place: self.refer(text, place, numbered=True),
            "glue:": self.glue,
            "glue:md": self.glue,
            "glue:text": self.glue,
            "kbd": lambda text, place: f"<kbd>{text}</kbd>",
            "math": lambda text, place: f"${text}$",
            "numref": lambda text, place: self.refer(text, place, numbered=True),
            "prf:ref": lambda text, place: self.refer(text, place, numbered=True),
            "ref": self.refer,
            "sub": lambda text, place: f"<sub>{text}</sub>",
            "sup": lambda text, place: f"<sup>{text}</sup>",
            "term": self.term,
        }

    def __call__(self, text: str, place: Place) -> str:
        """The text with every role, link and labelled formula in its plain form.

        Raises:
            NotPlain: a role is unknown, or what it refers to does not exist.
        """
        return TOKEN.sub(
            lambda found: self.token(found, place.down(text.count("\n", 0, found.start()))), text
        )

    def token(self, found: re.Match, place: Place) -> str:
        if found["role"]:
            return self.role(found["role"], found["content"], place)
        if found["display"]:
            formula = DISPLAY.match(found["display"])
            return self.display(formula["formula"], formula["label"])
        if found["to"]:
            return self.link(found["image"] or "", found["text"], found["to"], place)
        if found["attributes"]:
            return ""
        if found["footnote"]:
            raise place.error("footnotes have no plain form; write the remark into the text.")
        return found[0]

    def role(self, name: str, content: str, place: Place) -> str:
        if PYTHON.match(name):
            text, target = _split(content)
            return f"`{text or (target.rsplit('.')[-1] if target[0] == '~' else target)}`"
        if name not in self.roles:
            raise place.error(f"the role {{{name}}} has no plain form; known are {', '.join(self.roles)}.")
        return self.roles[name](content, place)

    def display(self, formula: str, label: str | None) -> str:
        tag = f"\n\\tag{{{self.labels[label].number}}}" if label else ""
        return f"$$\n{formula.strip()}{tag}\n$$"

    def cite(self, text: str, place: Place, in_text: bool = False) -> str:
        try:
            return self.bibliography.cite([key.strip() for key in text.split(",")], in_text)
        except KeyError as missing:
            raise place.error(f"references.bib has no entry {missing.args[0]!r}.") from None

    def doc(self, text: str, place: Place) -> str:
        words, target = _split(text)
        label = self.find(f"{target.removeprefix('/')}.md", place)
        return f"[{words or label.title}]({self.address(label, '')})"

    def refer(self, text: str, place: Place, numbered: bool = False) -> str:
        words, target = _split(text)
        label = self.find(target, place)
        if numbered and not label.number:
            raise place.error(f"{target!r} has no number; use {{ref}}.")
        if words and numbered:
            words = words.replace("%s", label.number).replace("{number}", label.number)
        words = words or (label.called if numbered or label.kind not in ("page", "section") else label.title)
        if label.page == self.page and label.kind != "section":
            return words
        return f"[{words}]({self.address(label, target)})"

    def term(self, text: str, place: Place) -> str:
        words, target = _split(text)
        anchor = re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-")
        return f"[{words or target}]({self.project.pages}/glossary.html#term-{anchor})"

    def glue(self, text: str, place: Place) -> str:
        name = text.partition(":")[0]
        self.placeholders.append(name)
        return f"**⟨{name}⟩**"

    def find(self, target: str, place: Place) -> Label:
        if target not in self.labels:
            raise place.error(f"nothing in the book is called {target!r}.")
        return self.labels[target]

    def address(self, label: Label, target: str) -> str:
        """Where a thing stands: in this notebook, or on the page of the online book."""
        if label.page == self.page and label.kind == "section":
            return f"#{target}"
        anchor = {"page": "", "equation": f"#equation-{target}"}.get(label.kind, f"#{target}")
        return f"{self.project.pages}/{label.page}.html{anchor if target else ''}"

    def link(self, mark: str, text: str, to: str, place: Place) -> str:
        inside = self(text, place)
        if re.match(r"^[a-z]+:", to):
            return f"{mark}[{inside}]({to})"
        if mark:
            return f"![{inside}]({self.image(to, place)})"
        name, _, anchor = to.partition("#")
        if name.endswith(".md"):
            label = self.find(name, place)
            return f"[{inside or label.title}]({self.address(label, '')}{'#' + anchor if anchor else ''})"
        if not name or name in self.labels:
            if (target := name or anchor) in self.labels:
                return self.refer(f"{inside} <{target}>" if inside else target, place, numbered=not inside)
            return f"[{inside}]({to})"  # a heading of this page
        path = self.in_repository(name, place)
        url = self.project.colab_url(path) if path.endswith(".ipynb") else self.project.file_url(path)
        return f"[{inside}]({url})"

    def image(self, path: str, place: Place) -> str:
        return self.project.raw_url(self.in_repository(path, place))

    def in_repository(self, path: str, place: Place) -> str:
        root = self.book.parent.resolve()
        whole = (self.book / path).resolve()
        if not whole.is_file() or root not in whole.parents:
            raise place.error(f"there is no file {path!r}.")
        return whole.relative_to(root).as_posix()


def _split(content: str) -> tuple[str, str]:
    """``text <target>`` as its two parts; the text is empty where there is only a target."""
    found = WITH_TEXT.match(content)
    return (found["text"], found["target"]) if found else ("", content)
