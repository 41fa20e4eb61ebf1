"""How the pages look that are handed to people: one file each, without script, network or need of colour."""

import html
import re
from collections.abc import Iterable, Sequence

from course_lib.grading.report import SIGNS, marked

# What only a grading run, or a list of tasks, can say beside the states of a check.
MORE_SIGNS = {"stopped": "■", "missing": "□", "not graded": "–", "not checked": "·"}

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2230; --soft: #555d6e; --line: #cfd4dd; --paper: #fff;
  --wash: #f3f5f9; --passed: #1b7a47; --open: #a8480c; --link: #1d4fbf }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9f0; --soft: #a9b1c1; --line: #3c4350; --paper: #14171d;
    --wash: #1d222b; --passed: #66d19a; --open: #f0a36b; --link: #8fb4ff } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 52rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem }
h3 { font-size: 1rem; margin: 0 }
p { margin: .4rem 0 }
a { color: var(--link) }
code, pre { font: .92em/1.5 ui-monospace, "DejaVu Sans Mono", Consolas, monospace;
  background: var(--wash); border-radius: .25em }
code { padding: .1em .3em }
pre { padding: .6em .8em; margin: .4rem 0; white-space: pre-wrap }
.soft { color: var(--soft); font-size: .9rem; margin: .8rem 0 }
.total { font-size: 1.25rem; font-weight: 600 }
.bar { height: .5rem; border: 1px solid var(--line); border-radius: .3rem; background: var(--wash);
  overflow: hidden }
.bar span { display: block; height: 100%; background: var(--passed) }
table { border-collapse: collapse; width: 100% }
caption { text-align: left; color: var(--soft); font-size: .9rem; padding-bottom: .4rem }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem .45rem 0;
  border-bottom: 1px solid var(--line) }
thead th { font-size: .85rem; color: var(--soft); vertical-align: bottom; overflow-wrap: normal }
tbody th { font-weight: 600 }
time { white-space: nowrap }
th small, td small { display: block; color: var(--soft); font-weight: 400; font-size: .88em }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.state { color: var(--open); font-weight: 600 }
.state.passed { color: var(--passed) }
.task { border-left: .3rem dashed var(--open); padding: .1rem 0 .1rem .9rem; margin: 1.1rem 0;
  break-inside: avoid }
.task.passed { border-left: .3rem solid var(--passed) }
@media (max-width: 30rem) {
  body { padding-top: 1rem } table { font-size: .88rem } th, td { padding-right: .4rem } }
@media print {
  :root { --ink: #000; --soft: #333; --line: #999; --paper: #fff; --wash: #fff; --passed: #000;
    --open: #000; --link: #000 }
  body { max-width: none; padding: 0 } tr { break-inside: avoid } h2, h3 { break-after: avoid } }
"""


def page(title: str, body: str) -> str:
    """A whole page; ``title`` is text, ``body`` is HTML and begins with its h1."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # The page asks for nothing from anywhere, and must not be able to, whatever it shows.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()
) -> str:
    """A table; ``caption`` and ``head`` are text, cells are HTML, and the first of each row is its heading.

    Args:
        numbers: the columns that are set flush right.
    """
    sides = [' class="number"' if name in numbers else "" for name in head]
    top = "".join(f'<th scope="col"{side}>{escape(name)}</th>' for name, side in zip(head, sides))
    lines = []
    for row in rows:
        first, *others = row
        cells = "".join(f"<td{side}>{cell}</td>" for cell, side in zip(others, sides[1:]))
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    return (
        f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{top}</tr></thead>\n"
        f"<tbody>\n{chr(10).join(lines)}\n</tbody>\n</table>"
    )


def sign(state: str) -> str:
    """A state's sign, so that it is seen at a glance and without colour."""
    return SIGNS.get(state) or MORE_SIGNS.get(state, "·")


def state(name: str) -> str:
    """A state as sign and word."""
    seen = f'<span aria-hidden="true">{sign(name)}</span> {escape(name)}'
    return f'<span class="{state_class(name)}">{seen}</span>'


def state_class(name: str) -> str:
    return "state passed" if name == "passed" else "state"


def bar(points: float, most: float) -> str:
    """The share of the points as a bar; the number itself must stand beside it in words."""
    share = 100 * points / most if most else 0
    return f'<div class="bar" aria-hidden="true"><span style="width:{share:.1f}%"></span></div>'


def words(text: str) -> str:
    """What somebody said: what has several lines is code and keeps them; backticks mark code."""
    if "\n" in text.strip():
        return f"<pre>{escape(text.strip())}</pre>"
    return f"<p>{marked(text)}</p>" if text else ""


def name(text: str) -> str:
    """A name or a path, which a narrow table may break after its dots and slashes."""
    return re.sub(r"([./\\_-])(?=\w)", r"\1<wbr>", html.escape(text))


def escape(text: str) -> str:
    return html.escape(text)
