"""What every generated notebook has in common: its first cell, its metadata, how it is written."""

import copy
import hashlib
import json
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.setup_cell import setup_cell

__all__ = ["digest", "finish", "is_edited", "setup_cell", "write_safely"]

METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": [], "toc_visible": True},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def finish(notebook: NotebookNode, stem: str) -> str:
    """The text of a notebook, the same for the same cells: stable ids, no outputs, fixed metadata.

    Args:
        notebook: the cells, in order; not changed.
        stem: the name of the file without its ending; the cells' ids are made from it.
    """
    notebook = copy.deepcopy(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{stem.replace('_', '-')[:56]}-{number:03d}"
        cell.metadata.pop("lines_to_next_cell", None)
        if cell.cell_type == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook.metadata = nbformat.from_dict({**METADATA, "course": {"generated": digest(notebook)}})
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def digest(notebook: NotebookNode | dict) -> str:
    """A hash of what a person writes in a notebook: the cells' kinds and sources, not their outputs."""
    cells = [(cell["cell_type"], _text(cell["source"])) for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def is_edited(path: Path) -> bool:
    """Whether the file holds anything that the generator did not write (or is no notebook of ours at all)."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        return notebook["metadata"]["course"]["generated"] != digest(notebook)
    except (ValueError, KeyError, TypeError):
        return True


def write_safely(path: str | Path, text: str) -> Path:
    """Write a generated notebook, but never over somebody's work.

    A file that was edited since it was generated stays as it is; the new version goes beside it, as
    ``NAME.new.ipynb`` (then ``NAME.new-2.ipynb``, and so on).

    Args:
        path: where the notebook belongs.
        text: the whole file, as ``finish`` made it.

    Returns:
        The file that now holds ``text``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    place, attempt = path, 1
    while place.exists():
        if place.read_text(encoding="utf-8", errors="replace") == text:
            return place
        if not is_edited(place):
            break
        place = path.with_name(f"{path.stem}.new{'' if attempt == 1 else f'-{attempt}'}{path.suffix}")
        attempt += 1
    beside = place.with_name(f".{place.name}.part")
    beside.write_text(text, encoding="utf-8", newline="\n")
    beside.replace(place)
    return place
