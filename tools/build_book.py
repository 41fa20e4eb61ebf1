"""Build the book: execute what changed, then make the pages, with every warning an error.

The pages are made from scratch whenever anything changed, because an incremental build would not repeat
the warnings of the pages that it skips; when nothing changed, nothing is done.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

from course_lib.files import write_atomically
from tools.execute import execute, kernel_environment
from tools.project import ROOT

SOURCES = ("book", "course_lib", "exercises", "notebooks", "tools", "_config.yml", "pyproject.toml")
OUTPUTS = ("_build/run_times.json", "_build/.jupyter_cache/published.json")


def inputs_key(root: Path = ROOT) -> str:
    """A hash of every file that the pages are made from."""
    facts = hashlib.sha256()
    for name in (*SOURCES, *OUTPUTS):
        place = root / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts:
                facts.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return facts.hexdigest()


def build_pages(root: Path = ROOT) -> int:
    """Make the pages in ``_build/html``; the exit code of Jupyter Book."""
    for leftover in ("html", ".doctrees", "jupyter_execute"):
        shutil.rmtree(root / "_build" / leftover, ignore_errors=True)
    command = "from jupyter_book.cli.main import main; main()"
    arguments = ["build", "book", "--config", "_config.yml", "--path-output", "."]
    strict = ["-W", "--keep-going", "--all", "-q"]
    process = [sys.executable, "-c", command, *arguments, *strict]
    # Jupyter Book itself runs a page that was edited after the execution: hence the kernels' environment.
    environment = kernel_environment(root)
    # Warnings and errors come on stderr; what it says on stdout is about itself.
    return subprocess.run(process, cwd=root, env=environment, stdout=subprocess.DEVNULL).returncode


def build(root: Path = ROOT) -> int:
    """Execute and build; 0 when the book in ``_build/html`` is current."""
    start, stamp = time.perf_counter(), root / "_build" / "book.sha256"
    if execute(root):
        return 1
    key = inputs_key(root)
    if stamp.exists() and stamp.read_text() == key:
        print("The book is current: _build/html/index.html")
        return 0
    stamp.unlink(missing_ok=True)
    print("Making the pages ...", flush=True)
    if code := build_pages(root):
        return code
    write_atomically(stamp, key)
    print(f"The book is ready after {time.perf_counter() - start:.0f} s: _build/html/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(build())
