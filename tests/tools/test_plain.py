"""MyST becomes Markdown that Jupyter shows; what has no plain form is an error with file and line."""

from pathlib import Path

import pytest

from tools.plain.blocks import Blocks
from tools.plain.citations import Bibliography
from tools.plain.inline import Inline
from tools.plain.labels import read_labels
from tools.plain.parse import Fence, Lines, NotPlain, Place, parse, without_header
from tools.project import Project

PROJECT = Project("course", "1.0", "https://github.com/owner/repo")
PAGES = "https://owner.github.io/repo"

OTHER = """\
# The other chapter

(sec-there)=
## A section there

$$
e = m c^2
$$ (eq-there)
"""

BIBLIOGRAPHY = r"""
@book{one, author = {Ada Maria Byron}, title = {A {T}itle}, year = {1843}, publisher = {P}}
@article{two, author = {B{\'e}la Kov{\'a}cs and Ann von Ohm}, title = {Two}, year = {2001}, journal = {J}}
@misc{three, author = {A. Uno and B. Due and C. Tre}, title = {Three}, year = {2003}, url = {https://x.org/3}}
"""


@pytest.fixture
def convert(tmp_path):
    """A function from the text of a chapter to its plain form."""
    book = tmp_path / "book"
    book.mkdir()
    (book / "02_other.md").write_text(OTHER)
    (book / "glossary.md").write_text("# Glossary\n")
    (book / "references.bib").write_text(BIBLIOGRAPHY)
    (book / "picture.png").write_bytes(b"")

    def plain(text, page="01_here"):
        path = book / f"{page}.md"
        path.write_text(text)
        bibliography = Bibliography(book / "references.bib")
        inline = Inline(page, read_labels(book), bibliography, PROJECT, book)
        return Blocks(inline)(*without_header(text, path))

    return plain


def blocks(text):
    return list(parse(tuple(text.split("\n")), Place(Path("book/x.md"), 1)))


# ---- fences ---------------------------------------------------------------------------------------


def test_a_fence_may_hold_shorter_fences_and_fences_of_another_kind():
    text = "````{note} T\n```python\nx\n```\n:::{tip}\ny\n:::\n````\nafter"
    note, after = blocks(text)
    assert isinstance(note, Fence) and note.name == "note" and note.argument == "T"
    assert [inner.name for inner in parse(note.lines, note.place)] == [None, "tip"]
    assert isinstance(after, Lines) and after.lines == ("after",)


def test_a_longer_fence_closes_a_shorter_one():
    (fence,) = blocks("```{note}\nx\n`````")
    assert fence.lines == ("x",)


def test_inline_code_is_no_fence():
    (lines,) = blocks("```not a fence``` in a line")
    assert isinstance(lines, Lines)


def test_an_indented_fence_keeps_its_indent(convert):
    assert convert("- item\n\n  ```python\n  x = 1\n  ```") == "- item\n\n  ```python\n  x = 1\n  ```"


def test_an_unclosed_fence_is_an_error_with_its_line():
    with pytest.raises(NotPlain, match=r"book/x.md, line 3: the fence ```\{note\} is not closed"):
        blocks("a\n\n```{note}\nb")


def test_options_come_as_fields_or_as_yaml():
    for options in (":label: x\n:class: dropdown tip", "---\nlabel: x\nclass: dropdown tip\n---"):
        (fence,) = blocks(f"```{{exercise}} T\n{options}\n\nbody\n```")
        found, body, place = fence.options()
        assert found == {"label": "x", "class": "dropdown tip"}
        assert body == ("body",)
        assert place.line == 1 + options.count("\n") + 3


# ---- boxes ----------------------------------------------------------------------------------------


def test_boxes_become_quotations_also_when_nested(convert):
    text = "````{note}\nA.\n\n```{tip} Aside\nB.\n```\n````"
    assert convert(text) == "> **Note**\n>\n> A.\n>\n> > **Tip Aside**\n> >\n> > B."


def test_exercises_are_numbered_and_solutions_fold_away(convert):
    text = (
        "```{exercise} First\n:label: ex-a\nDo.\n```\n\n"
        "```{exercise}\n:label: ex-b\nDo {ref}`ex-a`.\n```\n\n"
        "```{solution} ex-b\nDone.\n```"
    )
    assert convert(text).split("\n\n") == [
        "> **Exercise 1.1 (First)**\n>\n> Do.",
        "> **Exercise 1.2**\n>\n> Do Exercise 1.1.",
        "<details>\n<summary>Solution to Exercise 1.2</summary>",
        "Done.",
        "</details>",
    ]


def test_what_is_folded_in_the_book_is_folded_in_the_notebook(convert):
    expected = "<details>\n<summary>Why?</summary>\n\nBecause.\n\n</details>"
    assert convert("```{dropdown} Why?\nBecause.\n```") == expected
    assert convert("```{admonition} Why?\n:class: dropdown\nBecause.\n```") == expected


def test_each_kind_of_theorem_has_its_own_numbers(convert):
    text = "".join(
        f"```{{prf:{kind}}}\n:label: {label}\nText.\n```\n"
        for kind, label in (("lemma", "l1"), ("theorem", "t1"), ("lemma", "l2"))
    )
    assert "**Lemma 1.2**" in convert(text)
    assert convert(text + "{prf:ref}`t1`").endswith("Theorem 1.1")


def test_a_formula_in_a_quotation_stands_on_one_line(convert):
    """Jupyter takes the text between $$ as it is, with the signs of the quotation in it."""
    plain = convert("```{note}\n$$\na\n= b\n$$\n```")
    assert plain == "> **Note**\n>\n> $$a = b$$"


def test_the_card_says_what_one_needs(convert):
    options = ":prerequisites: $x$ and {term}`entropy`\n:minutes: 20\n:source: {cite:t}`one`"
    card = f"```{{chapter-card}}\n{options}\n```"
    assert convert(card) == (
        f"> **You need:** $x$ and [entropy]({PAGES}/glossary.html#term-entropy)  \n"
        "> **To read:** 20 minutes  \n> **Source:** Byron (1843)"
    )


def test_the_list_of_tasks_is_a_table(convert):
    head, line, *rows = convert("```{task-list} shade\n```").split("\n")
    assert head == "| Task | You write | Difficulty | Minutes | Points |" and set(line) <= set("| -")
    assert rows[0].startswith("| 1. The SHADE penalty of one layer | `shade_penalty` | 2 of 5 |")
    assert rows[-1].startswith("| All |")
    with pytest.raises(NotPlain, match="no chapter 'nothing'"):
        convert("```{task-list} nothing\n```")


def test_tables(convert):
    rows = "* - a\n  - b\n* - 1\n  - 2\n    and more"
    text = f"```{{list-table}} Caption\n:header-rows: 1\n:name: tab\n\n{rows}\n```"
    assert convert(text) == "**Table 1.1 (Caption)**\n\n| a | b |\n|---|---|\n| 1 | 2 and more |"


def test_figures(convert):
    glued = "```{glue:figure} name\n:name: fig-a\n\nCaption.\n```"
    assert convert(glued + "\n{numref}`fig-a`") == "**Fig. 1.1.** Caption.\n\nFig. 1.1"
    picture = "```{figure} picture.png\n:alt: A picture\n:name: fig-b\n\nCaption.\n```"
    address = "https://github.com/owner/repo/raw/v1.0/book/picture.png"
    assert convert(picture) == f"![A picture]({address})\n\n**Fig. 1.1.** Caption."


# ---- inside a line --------------------------------------------------------------------------------


def test_formulas_get_the_numbers_of_the_book(convert):
    text = "$$\na\n$$ (eq-a)\n\n$$ b $$\n\n```{math}\n:label: eq-c\nc\n```\n\nBy {eq}`eq-a` and {eq}`eq-c`."
    assert convert(text) == (
        "$$\na\n\\tag{1.1}\n$$\n\n$$\nb\n$$\n\n$$\nc\n\\tag{1.2}\n$$\n\nBy (1.1) and (1.2)."
    )


def test_references_to_other_pages_lead_to_the_online_book(convert):
    assert convert("{doc}`02_other`") == f"[The other chapter]({PAGES}/02_other.html)"
    assert convert("{doc}`it <02_other>`") == f"[it]({PAGES}/02_other.html)"
    assert convert("{eq}`eq-there`") == f"[(2.1)]({PAGES}/02_other.html#equation-eq-there)"
    assert convert("{ref}`sec-there`") == f"[A section there]({PAGES}/02_other.html#sec-there)"
    assert convert("[x](02_other.md#sec-there)") == f"[x]({PAGES}/02_other.html#sec-there)"


def test_references_within_the_notebook_stay_in_it(convert):
    text = "# T\n\n(sec-a)=\n## First\n\nSee {ref}`sec-a`, {numref}`sec-a`, [here](sec-a)."
    plain = convert(text)
    assert '<a id="sec-a"></a>' in plain
    assert plain.endswith("See [First](#sec-a), [Section 1.1](#sec-a), [here](#sec-a).")


def test_files_of_the_repository(convert):
    assert convert("![p](picture.png)") == "![p](https://github.com/owner/repo/raw/v1.0/book/picture.png)"
    assert convert("[b](references.bib)").endswith("/blob/v1.0/book/references.bib)")


def test_citations(convert):
    assert convert("{cite}`one,two`") == "(Byron, 1843; Kovács and von Ohm, 2001)"
    assert convert("{cite:t}`three` says") == "Uno et al. (2003) says"


def test_the_list_of_what_was_cited(tmp_path):
    path = tmp_path / "references.bib"
    path.write_text(BIBLIOGRAPHY)
    bibliography = Bibliography(path)
    for keys in (["three"], ["one", "three"]):
        bibliography.cite(keys, in_text=False)
    assert bibliography.listing() == (
        "- A. M. Byron (1843). *A Title*. P.\n- A. Uno, B. Due and C. Tre (2003). *Three*. <https://x.org/3>"
    )


def test_measured_numbers_become_placeholders(convert):
    assert convert("It is {glue:text}`gap:.2f`.") == "It is **⟨gap⟩**."


def test_small_roles(convert):
    assert convert("{py:func}`~course_lib.data.load`, {sub}`2`, {kbd}`Tab`, {math}`x`") == (
        "`load`, <sub>2</sub>, <kbd>Tab</kbd>, $x$"
    )


def test_code_and_formulas_are_left_alone(convert):
    for text in (
        "`{eq}` and ``{ref}`x` ``",
        "$a_{b}`c`$",
        "```python\n{eq}`x`\n(x)=\n```",
        r"it costs 5\$ or 6\$",
    ):
        assert convert(text) == text


def test_comments_and_attributes_go(convert):
    assert convert("a\n\n% a comment\n\n{.wide}\n[b](https://x.org){.external}") == "a\n\n[b](https://x.org)"


# ---- errors ---------------------------------------------------------------------------------------

ERRORS = {
    "a\n\n```{tab-set}\n```": "line 3: the directive {tab-set} has no plain form",
    "a\nb {download}`c`": "line 2: the role {download} has no plain form",
    "a\n\n{eq}`nothing`": "line 3: nothing in the book is called 'nothing'",
    "{doc}`nothing`": "line 1: nothing in the book is called 'nothing.md'",
    "a\n{cite}`nobody`": "line 2: references.bib has no entry 'nobody'",
    "![x](nothing.png)": "line 1: there is no file 'nothing.png'",
    "Term\n: meaning": "line 2: a definition list has no plain form",
    "a[^1]": "line 1: footnotes have no plain form",
    "```{note}\n:class: x\n\na\n{eq}`no`\n```": "line 5: nothing in the book is called 'no'",
    "---\na: b\n---\n\n{eq}`no`": "line 5: nothing in the book is called 'no'",
}  # fmt: skip


@pytest.mark.parametrize("text", ERRORS, ids=range(len(ERRORS)))
def test_what_has_no_plain_form_is_an_error_with_file_and_line(convert, text):
    with pytest.raises(NotPlain) as problem:
        convert(text)
    assert ERRORS[text] in str(problem.value) and "01_here.md" in str(problem.value)
