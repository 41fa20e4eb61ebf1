"""How a verdict looks: as text, and as HTML that reads on light and dark pages and aloud."""

import html
import sys

from course_lib.grading.outcome import NOT_ATTEMPTED, NOT_YET, PASSED, Outcome

SIGNS = {PASSED: "✓", NOT_YET: "✗", NOT_ATTEMPTED: "○"}
BORDERS = {PASSED: "solid", NOT_YET: "dashed", NOT_ATTEMPTED: "dotted"}


def heading(outcome: Outcome) -> str:
    """``✓ passed · shade.penalty · 2 of 2 points``"""
    task = outcome.task
    return f"{SIGNS[outcome.state]} {outcome.state} · {task.id} · {outcome.points} of {task.points} points"


def paragraphs(outcome: Outcome, hints_used: int) -> list[str]:
    """What stands below the heading."""
    said = [part for part in (outcome.message, outcome.advice) if part]
    if outcome.passed:
        return said
    number = min(hints_used + 1, 3)
    ordinal = {1: "the first of three hints", 2: "the second hint", 3: "the last hint"}[number]
    return [*said, f'For {ordinal}, run hint("{outcome.task.id}").']


def text(outcome: Outcome, hints_used: int = 0) -> str:
    return "\n  ".join([heading(outcome), *paragraphs(outcome, hints_used)])


def page(outcome: Outcome, hints_used: int = 0) -> str:
    return box(heading(outcome), paragraphs(outcome, hints_used), BORDERS[outcome.state])


def box(title: str, lines: list[str], border: str) -> str:
    """An HTML box that takes its colour from the page; the words and the kind of border carry the meaning."""
    body = "".join(paragraph(line) for line in lines)
    return (
        f'<div role="status" style="border:1px solid currentColor;border-left:.5em {border} currentColor;'
        f'padding:.5em .8em;margin:.3em 0;max-width:50em"><strong>{html.escape(title)}</strong>{body}</div>'
    )


def paragraph(words: str) -> str:
    """A paragraph; what has several lines is code, and keeps them."""
    if "\n" in words:
        return f'<pre style="margin:.4em 0 0;color:inherit;background:none">{html.escape(words)}</pre>'
    return f'<p style="margin:.4em 0 0">{marked(words)}</p>'


def marked(line: str) -> str:
    """A line of text as HTML, with what stands between backticks as code."""
    parts = html.escape(line).split("`")
    if len(parts) % 2 == 0:  # a lone backtick is only a backtick
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))


def show(plain: str, rich: str) -> None:
    """HTML in a notebook, text elsewhere."""
    if in_notebook():
        from IPython.display import display

        display({"text/html": rich, "text/plain": plain}, raw=True)
    else:
        say(plain)


def in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def say(plain: str) -> None:
    """Print, also where the terminal cannot write every character."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(plain.encode(encoding, "replace").decode(encoding))
