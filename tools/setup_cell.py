"""The first cell of every notebook: it makes Colab ready, and does nothing where the course is installed.

The text of ``TEMPLATE`` runs in the reader's notebook, so it uses the standard library only. It installs the
library without its dependencies: a Colab runtime has them, and its torch and numpy must stay as they are.
"""

import nbformat
from nbformat import NotebookNode

from tools.project import Project, read_project

TEMPLATE = """\
# @title Set-up: run this cell first {{ display-mode: "form" }}
import importlib
import socket
import subprocess
import sys

COURSE = "{requirement}"


class NotSetUp(Exception):
    def _render_traceback_(self):  # one sentence instead of a stack trace
        return [str(self)]


def set_up_course():
    try:
        return importlib.import_module("course_lib")
    except ModuleNotFoundError as missing:
        if missing.name != "course_lib":
            raise NotSetUp(
                f"course_lib needs the package {{missing.name}}, which is not installed here."
            ) from None
    if "google.colab" not in sys.modules:
        raise NotSetUp(
            "course_lib is not installed here: open this notebook with `./run lab` "
            f"in the course's folder, or install it with `pip install '{{COURSE}}'`."
        )
    print("Installing course_lib; torch, torchvision and numpy stay as they are ...")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", COURSE]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        try:
            socket.getaddrinfo("{host}", 443)
        except OSError:
            raise NotSetUp(
                "course_lib could not be installed because there is no network: "
                "connect to it, then run this cell again."
            ) from None
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise NotSetUp(f"course_lib could not be installed; pip said: {{said}}")
    importlib.invalidate_caches()
    print("Ready.")
    return importlib.import_module("course_lib")


set_up_course();
"""


def setup_code(project: Project | None = None) -> str:
    """The code of the first cell for this project."""
    project = project or read_project()
    host = project.repository.split("/")[2]
    return TEMPLATE.format(requirement=project.requirement, host=host).rstrip("\n")


def setup_cell(project: Project | None = None) -> NotebookNode:
    """The first cell of a notebook, shown in Colab as a form with its code folded away."""
    metadata = {"cellView": "form", "tags": ["setup", "hide-input"]}
    return nbformat.v4.new_code_cell(setup_code(project), metadata=metadata)
