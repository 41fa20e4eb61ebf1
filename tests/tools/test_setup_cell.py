"""The first cell of every notebook, in made-up surroundings: Colab, library and network there or not."""

import builtins
import importlib
import socket
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tools.project import read_project
from tools.setup_cell import setup_cell, setup_code


class Surroundings:
    """Which modules can be imported, whether this is Colab, and what pip and the network answer."""

    def __init__(self, monkeypatch):
        self.patch = monkeypatch
        self.missing: str | None = None
        self.commands: list[list[str]] = []
        monkeypatch.setattr(importlib, "import_module", self.import_module)
        monkeypatch.setattr(subprocess, "run", self.no_pip)
        monkeypatch.delitem(sys.modules, "google.colab", raising=False)

    def import_module(self, name):
        if self.missing:
            raise ModuleNotFoundError(f"No module named {self.missing!r}", name=self.missing)
        return ModuleType(name)

    def no_pip(self, *arguments, **options):
        raise AssertionError("pip must not be started here")

    def in_colab(self, returncode=0, stderr=""):
        self.patch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))

        def pip(command, **options):
            self.commands.append(command)
            self.missing = self.missing if returncode else None
            return SimpleNamespace(returncode=returncode, stderr=stderr)

        self.patch.setattr(subprocess, "run", pip)

    def network(self, up):
        def look_up(*arguments):
            if not up:
                raise OSError("Temporary failure in name resolution")

        self.patch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture
def around(monkeypatch):
    return Surroundings(monkeypatch)


def run():
    exec(setup_code(), {"__name__": "__main__"})


def refusal() -> str:
    with pytest.raises(Exception) as caught:
        run()
    assert type(caught.value).__name__ == "NotSetUp"
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith((".", "`."))
    return sentence


def test_does_nothing_where_the_library_is_installed(around, capsys):
    run()
    run()
    assert capsys.readouterr().out == ""


def test_installs_in_colab_and_only_the_course(around, capsys):
    around.missing = "course_lib"
    around.in_colab()
    run()
    (command,) = around.commands
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "--no-deps" in command and command[-1] == read_project().requirement
    assert not {"--upgrade", "-U", "--force-reinstall"} & set(command)
    assert capsys.readouterr().out.endswith("Ready.\n")


def test_the_second_run_in_colab_installs_nothing(around):
    around.missing = "course_lib"
    around.in_colab()
    run()
    run()
    assert len(around.commands) == 1


def test_says_that_there_is_no_network(around):
    around.missing = "course_lib"
    around.in_colab(returncode=1, stderr="fatal: unable to access")
    around.network(up=False)
    assert "there is no network" in refusal()


def test_says_what_pip_said_where_the_network_is_up(around):
    around.missing = "course_lib"
    around.in_colab(returncode=1, stderr="first line\nERROR: no such tag.\n")
    around.network(up=True)
    assert refusal() == "course_lib could not be installed; pip said: ERROR: no such tag."


def test_says_what_to_do_outside_of_colab(around):
    around.missing = "course_lib"
    sentence = refusal()
    assert "./run lab" in sentence and read_project().requirement in sentence


def test_names_the_package_that_the_library_itself_lacks(around):
    around.missing = "torch"
    assert refusal() == "course_lib needs the package torch, which is not installed here."


def test_a_notebook_shows_one_line_and_no_stack_trace(around, capsys):
    around.missing = "course_lib"
    InteractiveShell.instance().run_cell(setup_code())
    InteractiveShell.clear_instance()
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err and "line" not in said.out + said.err
    assert said.out.strip().startswith("course_lib is not installed here")
    assert len(said.out.strip().splitlines()) == 1


def test_the_cell_needs_the_standard_library_only(around):
    wanted = []
    kept = builtins.__import__
    exec(
        setup_code(),
        {
            "__name__": "__main__",
            "__builtins__": {
                **vars(builtins),
                "__import__": lambda name, *rest: wanted.append(name) or kept(name, *rest),
            },
        },
    )
    assert wanted and set(wanted) <= set(sys.stdlib_module_names)


def test_colab_folds_the_cell_into_a_form():
    cell = setup_cell()
    assert cell.source.startswith("# @title ")
    assert cell.metadata["cellView"] == "form"
    assert all(len(line) <= 110 for line in cell.source.splitlines() if "git+" not in line)
