"""The pages run on a machine without a network: every connection that leaves it is refused."""

import asyncio
import os

import nbformat
import pytest

from tools.execute import CellExecutionError, kernel_environment, read_chapter, run_notebook
from tools.pages import executable_pages
from tools.project import ROOT

pytestmark = pytest.mark.slow

# Python reads this file at the start of every process that has its folder on the path.
NO_NETWORK = """
import ipaddress
import socket


def refuse_other_machines(name):
    original = getattr(socket.socket, name)

    def connect(self, address):
        if isinstance(address, tuple) and not ipaddress.ip_address(address[0]).is_loopback:
            raise OSError(101, "Network is unreachable")
        return original(self, address)

    setattr(socket.socket, name, connect)


def look_up(host, *arguments, original=socket.getaddrinfo, **options):
    if host not in (None, "", "localhost", "127.0.0.1", "::1"):
        raise socket.gaierror(-3, "Temporary failure in name resolution")
    return original(host, *arguments, **options)


for name in ("connect", "connect_ex"):
    refuse_other_machines(name)
socket.getaddrinfo = look_up
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The environment of the book's kernels, at smoke scale, with no network and with empty caches."""
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    monkeypatch.setenv("COURSE_SCALE", "smoke")
    made = kernel_environment(ROOT)
    made["PYTHONPATH"] = os.pathsep.join([str(tmp_path), made["PYTHONPATH"]])
    made["COURSE_CACHE"] = str(tmp_path / "cache")
    made.pop("COURSE_DATA", None)
    return made


def run(notebook, environment):
    return asyncio.run(run_notebook(notebook, environment, limit=280))


@pytest.mark.parametrize("page", executable_pages(), ids=lambda path: path.stem)
def test_a_page_runs_without_a_network(page, environment):
    notebook, _ = run(read_chapter(page), environment)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize(
    "code",
    [
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=5)",
        "import urllib.request\nurllib.request.urlopen('https://example.org', timeout=5)",
    ],
    ids=["by number", "by name"],
)
def test_the_network_is_really_blocked(code, environment):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.raises(CellExecutionError, match=r"unreachable|name resolution"):
        run(notebook, environment)
