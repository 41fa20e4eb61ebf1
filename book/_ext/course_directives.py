"""The course's own directives: the header card of a chapter, its list of tasks, the table of run times."""

from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from tools.pages import executable_pages, notebooks_of, recorded_runs, task_rows
from tools.project import read_project


def _root(env) -> Path:
    """The repository: the folder above book/."""
    return Path(env.srcdir).parent


class ChapterCard(SphinxDirective):
    """What a reader wants to know before starting.

    The author gives what one must know, the minutes to read and (optionally) the source; the measured run
    time and the links to the notebooks are filled in here.
    """

    option_spec: ClassVar = {
        "prerequisites": directives.unchanged_required,
        "minutes": directives.positive_int,
        "source": directives.unchanged,
    }

    def run(self):
        missing = [name for name in ("prerequisites", "minutes") if name not in self.options]
        if missing:
            raise self.error(f"The chapter card lacks :{missing[0]}:.")
        rows = [("You need", self._inline(self.options["prerequisites"]))]
        rows.append(("To read", [nodes.Text(f"{self.options['minutes']} minutes")]))
        rows.append(("To run", [nodes.Text(self._run_time())]))
        if "source" in self.options:
            rows.append(("Source", self._inline(self.options["source"])))
        rows += self._notebook_rows()
        return [_definitions(rows, "chapter-card")]

    def _inline(self, text):
        found, messages = self.parse_inline(text)
        return [*found, *messages]

    def _run_time(self):
        record = recorded_runs(_root(self.env))["chapters"].get(self.env.docname)
        if record is None:
            return "not measured yet"
        return f"{record['seconds']:.0f} seconds, {record['megabytes']:.0f} MB (measured for this build)"

    def _notebook_rows(self):
        project = read_project(_root(self.env))
        titles = {"notebooks": "Notebook", "exercises": "Exercises"}
        for kind, path in notebooks_of(self.env.docname, _root(self.env)).items():
            colab = nodes.reference("", "open in Colab", refuri=project.colab_url(path), internal=False)
            # The built page stands at the top of the site, beside the folders of notebooks.
            download = nodes.reference("", "download", refuri=path, internal=True)
            yield titles[kind], [colab, nodes.Text(" · "), download]


class TaskList(SphinxDirective):
    """The tasks of a chapter's exercise, with what each costs and earns: ``{task-list} shade``."""

    required_arguments = 1

    def run(self):
        try:
            head, *rows = task_rows(self.arguments[0])
        except ValueError as problem:
            raise self.error(str(problem)) from None
        shown = [[title, nodes.literal("", name) if name else "", *rest] for title, name, *rest in rows]
        return [_table([head, *shown], "task-list")]


MEASURED = ("quiet_seconds", "cpu_seconds", "megabytes")  # what has a budget


class RunTimes(SphinxDirective):
    """The table of what the last execution measured, chapter by chapter, with the machine it ran on."""

    def run(self):
        record = recorded_runs(_root(self.env))
        if not record["chapters"]:
            return [nodes.paragraph("", "No page has been executed yet; ./run book measures them all.")]
        budget = record["budget"]
        rows = [["Page", "Seconds", "Not waiting for others", "Processor seconds", "Peak memory (MB)"]]
        for chapter in executable_pages(_root(self.env)):
            run = record["chapters"].get(chapter.stem)
            if run:
                figures = [f"{run[key]:.0f}" for key in ("seconds", *MEASURED)]
                rows.append([_page_link(chapter.stem), *figures])
        rows.append(["Budget", "", *(str(budget[key]) for key in MEASURED)])
        machine = [(name, [nodes.Text(str(value))]) for name, value in record["machine"].items()]
        machine.append(("scale", [nodes.Text(record["scale"])]))
        return [_table(rows, "run-times"), _definitions(machine, "machine-card")]


def _page_link(page):
    """A link to a page of the book, which Sphinx gives the page's title."""
    where = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{page}", "refexplicit": False}
    return addnodes.pending_xref("", nodes.inline(), refwarn=True, **where)


def _definitions(rows, kind):
    """A definition list in a box: one term and its inline content per row."""
    box = nodes.container(classes=[kind])
    items = nodes.definition_list()
    for term, content in rows:
        paragraph = nodes.paragraph("", "", *content)
        items += nodes.definition_list_item("", nodes.term("", term), nodes.definition("", paragraph))
    box += items
    return box


def _table(rows, kind):
    """A table of texts or inline nodes, the first row its head."""
    table = nodes.table(classes=[kind])
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]
    head, body = nodes.thead(), nodes.tbody()
    for number, cells in enumerate(rows):
        row = nodes.row()
        for cell in cells:
            content = nodes.Text(cell) if isinstance(cell, str) else cell
            row += nodes.entry("", nodes.paragraph("", "", content))
        (head if number == 0 else body).append(row)
    group += [head, body]
    table += group
    return table


def setup(app):
    app.add_directive("chapter-card", ChapterCard)
    app.add_directive("task-list", TaskList)
    app.add_directive("run-times", RunTimes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
