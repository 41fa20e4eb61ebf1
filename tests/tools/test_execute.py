"""Pages run once, again when something changes, and one that fails says so and stops nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import execute, run_key
from tools.pages import RUN_TIMES

HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""


def page(*cells, prose="Text."):
    return (
        HEADER + "\n# Title\n\n" + f"\n\n{prose}\n\n".join(f"```{{code-cell}}\n{cell}\n```" for cell in cells)
    )


@pytest.fixture
def project(tmp_path):
    """A function that writes pages into a project of its own, beside a small library."""
    (tmp_path / "book").mkdir()
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "course_lib" / "__init__.py").write_text("")

    def write(**pages):
        for name, text in pages.items():
            (tmp_path / "book" / f"{name}.md").write_text(text)
        listed = "".join(f"- file: {path.stem}\n" for path in sorted((tmp_path / "book").glob("*.md")))
        (tmp_path / "book" / "_toc.yml").write_text(f"format: jb-book\nroot: none\nchapters:\n{listed}")
        return tmp_path

    return write


def record(root):
    return json.loads((root / "_build/run_times.json").read_text())


# ---- the key --------------------------------------------------------------------------------------


def key_of(root, name="01_x"):
    notebook = execute.read_chapter(root / "book" / f"{name}.md")
    return run_key.chapter_key(notebook, run_key.environment_key(root))


def test_prose_does_not_count_but_code_does(project):
    key = key_of(project(**{"01_x": page("x = 1", "y = 1")}))
    assert key_of(project(**{"01_x": page("x = 1", "y = 1", prose="Other text.")})) == key
    assert key_of(project(**{"01_x": page("x = 2", "y = 1")})) != key


def test_the_library_counts(project):
    root = project(**{"01_x": page("x = 1")})
    key = key_of(root)
    (root / "course_lib" / "new.py").write_text("x = 1")
    assert key_of(root) != key


def test_the_recorded_results_count_but_not_what_is_half_measured(project):
    root = project(**{"01_x": page("x = 1")})
    (root / "results").mkdir()
    key = key_of(root)
    (root / "results" / "shade.table_1.cpu.toys.json.partial").write_text("{}")
    assert key_of(root) == key
    (root / "results" / "shade.table_1.cpu.toys.json").write_text("{}")
    assert key_of(root) != key


@pytest.mark.parametrize(
    "name, value", [("COURSE_SCALE", "smoke"), ("COURSE_DATASET", "mnist_m"), ("COURSE_DATA", "/x")]
)
def test_the_settings_count(project, monkeypatch, name, value):
    root = project(**{"01_x": page("x = 1")})
    key = key_of(root)
    monkeypatch.setenv(name, value)
    assert key_of(root) != key
    monkeypatch.delenv(name)
    assert key_of(root) == key


def test_the_versions_count(project, monkeypatch):
    root = project(**{"01_x": page("x = 1")})
    key = key_of(root)
    monkeypatch.setattr(run_key.importlib.metadata, "distributions", lambda: [])
    assert key_of(root) != key


# ---- running --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_page_runs_once_and_its_cost_is_recorded(project, capsys):
    root = project(**{"01_x": page("x = bytearray(300_000_000)\nprint(len(x))"), "02_y": page("print(2)")})
    assert execute.execute(root) == 0
    assert "Executing 2 of 2 pages at scale cpu" in capsys.readouterr().out
    costs = record(root)["chapters"]
    assert list(costs) == ["01_x", "02_y"]
    assert costs["01_x"]["megabytes"] > costs["02_y"]["megabytes"] + 250
    assert all(value > 0 for cost in costs.values() for value in cost.values())
    before = (root / "_build/run_times.json").read_bytes()  # the pages are made again when a byte changes
    assert execute.execute(root) == 0
    assert capsys.readouterr().out == ""
    assert (root / "_build/run_times.json").read_bytes() == before


@pytest.mark.slow
def test_the_book_finds_the_runs_in_its_cache(project):
    root = project(**{"01_x": page("print(40 + 2)")})
    execute.execute(root)
    cache = execute.get_cache(str(root / "_build/.jupyter_cache"))
    _, merged = cache.merge_match_into_notebook(execute.read_chapter(root / "book/01_x.md"))
    (cell,) = [cell for cell in merged.cells if cell.cell_type == "code"]
    assert cell.outputs[0].text == "42\n"


@pytest.mark.slow
def test_another_scale_and_back_runs_nothing_twice(project, monkeypatch, capsys):
    root = project(
        **{"01_x": page("import os\nprint(os.environ['COURSE_SCALE'], os.environ['COURSE_BOOK'])")}
    )
    seen = []
    for scale in ("cpu", "smoke", "cpu"):
        monkeypatch.setenv("COURSE_SCALE", scale)
        execute.execute(root)
        cache = execute.get_cache(str(root / "_build/.jupyter_cache"))
        _, merged = cache.merge_match_into_notebook(execute.read_chapter(root / "book/01_x.md"))
        seen.append(next(cell for cell in merged.cells if cell.cell_type == "code").outputs[0].text)
        assert record(root)["scale"] == scale
    assert seen == ["cpu 1\n", "smoke 1\n", "cpu 1\n"]
    assert capsys.readouterr().out.count("Executing") == 2


@pytest.mark.slow
def test_a_failing_page_is_named_and_the_others_are_kept(project, capsys):
    root = project(**{"01_x": page("1 / 0"), "02_y": page("print(2)")})
    assert execute.execute(root) == 1
    said = capsys.readouterr().err
    assert "01_x" in said and "ZeroDivisionError" in said
    assert not (root / "_build/run_times.json").exists()
    project(**{"01_x": page("print(1)")})
    assert execute.execute(root) == 0
    assert "Executing 1 of 2 pages" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "code, said",
    [("while True: pass", "stopped after 6 seconds"), ("import os\nos._exit(1)", "Kernel died")],
    ids=["endless", "crash"],
)
def test_an_endless_or_crashing_page_is_stopped(project, monkeypatch, capsys, code, said):
    monkeypatch.setitem(execute.GIVE_UP, "cpu", 6)
    root = project(**{"01_x": page(code)})
    assert execute.execute(root) == 1
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_kernel_that_does_not_start_gets_a_second_try(project, monkeypatch):
    starts = []
    start = execute.NotebookClient.async_execute

    async def stumble(self, *arguments, **options):
        starts.append(1)
        if len(starts) == 1:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return await start(self, *arguments, **options)

    monkeypatch.setattr(execute.NotebookClient, "async_execute", stumble)
    root = project(**{"01_x": page("print(1)")})
    assert execute.execute(root) == 0 and len(starts) == 2


@pytest.mark.slow
def test_pages_run_in_an_empty_folder_of_their_own(project):
    root = project(**{"01_x": page("import os\nprint(os.listdir())\nopen('left', 'w').close()")})
    execute.execute(root)
    (stored,) = (root / "_build/runs/01_x").glob("*.ipynb")
    assert nbformat.read(stored, 4).cells[1].outputs[0].text == "[]\n"
    assert not list(root.rglob("left"))


def test_old_runs_are_forgotten(tmp_path):
    cost = {"seconds": 1.0, "quiet_seconds": 1.0, "cpu_seconds": 1.0, "megabytes": 1.0}
    for number in range(execute.KEPT_RUNS + 2):
        execute.keep(execute.Run("01_x", f"key{number}", nbformat.v4.new_notebook(), cost), tmp_path)
    assert len(list((tmp_path / "_build/runs/01_x").glob("*.ipynb"))) == execute.KEPT_RUNS
    assert execute.kept(tmp_path / "01_x.md", f"key{number}", tmp_path).cost == cost


def test_a_run_of_which_less_was_measured_is_not_taken(tmp_path):
    execute.keep(execute.Run("01_x", "key", nbformat.v4.new_notebook(), {"seconds": 1.0}), tmp_path)
    assert execute.kept(tmp_path / "01_x.md", "key", tmp_path) is None


TELLS_WAITING = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this system does not tell"
)


@pytest.mark.slow
@TELLS_WAITING
def test_sleeping_is_a_fault_of_the_page(project):
    root = project(**{"01_x": page("import time\ntime.sleep(3)")})
    execute.execute(root)
    # Some systems count a little of a sleep as waiting, where others want the processor meanwhile.
    assert json.loads((root / RUN_TIMES).read_text())["chapters"]["01_x"]["quiet_seconds"] >= 2.5


@pytest.mark.slow
@TELLS_WAITING
def test_waiting_for_others_is_not(project):
    work = "import time\nwhile time.process_time() < 3:\n    pass"
    root = project(**{"01_x": page(work)})
    loop = [sys.executable, "-c", "while True: pass"]
    # Each in a session of its own, since some systems share the processor out between sessions.
    busy = [subprocess.Popen(loop, start_new_session=True) for _ in range(2 * os.cpu_count())]
    try:
        execute.execute(root)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    cost = json.loads((root / RUN_TIMES).read_text())["chapters"]["01_x"]
    assert cost["quiet_seconds"] < cost["seconds"]
