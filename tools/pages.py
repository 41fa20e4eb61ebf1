"""Which pages the book has, and what belongs to a chapter."""

import json
from pathlib import Path

import yaml

from tools.project import ROOT

RUN_TIMES = Path("_build/run_times.json")  # written by tools/execute.py, relative to the repository


def chapters(root: Path = ROOT) -> list[Path]:
    """The chapters, in order: ``book/NN_topic.md``; each has a notebook of its own."""
    return sorted((root / "book").glob("[0-9][0-9]_*.md"))


def pages_in_toc(root: Path = ROOT) -> list[str]:
    """The names (no ending, relative to book/) of all pages that the table of contents lists."""

    def walk(node: dict) -> list[str]:
        found = [node[key] for key in ("root", "file") if key in node]
        for key in ("parts", "chapters", "sections"):
            for child in node.get(key, []):
                found += walk(child)
        return found

    return walk(yaml.safe_load((root / "book/_toc.yml").read_text(encoding="utf-8")))


def executable_pages(root: Path = ROOT) -> list[Path]:
    """The pages of the table of contents that hold code: the chapters, and others such as the intro."""
    pages = [root / "book" / f"{name}.md" for name in pages_in_toc(root)]
    return [page for page in pages if page.exists() and "```{code-cell}" in page.read_text(encoding="utf-8")]


def notebooks_of(page: str, root: Path = ROOT) -> dict[str, str]:
    """The notebooks that belong to a page: kind (``notebooks``, ``exercises``) -> path in the repository."""
    paths = {kind: f"{kind}/{page}.ipynb" for kind in ("notebooks", "exercises")}
    return {kind: path for kind, path in paths.items() if (root / path).exists()}


def recorded_runs(root: Path = ROOT) -> dict:
    """The record of the last execution, or an empty one where no chapter was executed yet."""
    record = root / RUN_TIMES
    if not record.exists():
        return {"scale": "", "machine": {}, "budget": {}, "chapters": {}}
    return json.loads(record.read_text(encoding="utf-8"))


def task_rows(chapter: str) -> list[list[str]]:
    """The table of a chapter's tasks: its head, a row for each (the name of the answer second), their sum.

    Raises:
        ValueError: there is no such chapter.
    """
    from course_lib.grading import tasks  # brings torch, which a build with nothing to do can spare

    chosen = tasks.of_chapter(chapter)
    rows = [["Task", "You write", "Difficulty", "Minutes", "Points"]]
    for number, task in enumerate(chosen, start=1):
        title = f"{number}. {task.title}"
        rows.append([title, task.function, f"{task.difficulty} of 5", str(task.minutes), str(task.points)])
    minutes, points = (sum(getattr(task, what) for task in chosen) for what in ("minutes", "points"))
    return [*rows, ["All", "", "", str(minutes), str(points)]]
