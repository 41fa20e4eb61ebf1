"""Execute the pages with code, two at a time, into the book's cache; record what each of them costs.

A page runs again only when something that its outputs depend on has changed (tools/run_key.py).  Each
run is kept under ``_build/runs`` by its key, so a change of scale and back costs nothing.
"""

import asyncio
import copy
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import nbformat
import zmq
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.readers import get_reader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from course_lib.files import write_atomically
from course_lib.runtime import scale
from tools.pages import RUN_TIMES, executable_pages
from tools.project import ROOT
from tools.run_key import chapter_key, environment_key

# What a chapter may cost at scale cpu. Quiet seconds are those by the clock without those that the page was
# ready and others had the processors: a busy machine is no fault of the page, a page that sleeps is.
BUDGET = {"quiet_seconds": 120, "cpu_seconds": 120, "megabytes": 2000}
GIVE_UP = {"smoke": 300, "cpu": 600, "gpu": None}  # seconds after which a page is stopped
AT_ONCE = 2
KEPT_RUNS = 3  # per page

# The hidden last cell: what this kernel cost, as JSON.  Only Linux tells how long it waited for others (in
# nanoseconds, the second number of schedstat).  On Linux ru_maxrss starts from what the parent
# process held, so there the kernel's own peak is read; macOS gives bytes, and on Windows psutil knows it.
COST = """
import json, sys, time
waited = 0.0
try:
    with open("/proc/self/schedstat") as scheduled:
        waited = int(scheduled.read().split()[1]) / 1e9
except (OSError, IndexError, ValueError):
    pass
if sys.platform == "linux":
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
elif sys.platform == "win32":
    import psutil
    peak = psutil.Process().memory_info().peak_wset
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"cpu_seconds": time.process_time(), "megabytes": peak / 1e6, "waited": waited}))
"""


class ChapterFailed(Exception):
    """A chapter could not be executed to its end; the message says where and why."""


@dataclass
class Run:
    """An executed chapter: the notebook with its outputs and what it cost."""

    stem: str
    key: str
    notebook: NotebookNode
    cost: dict[str, float]


def read_chapter(path: Path) -> NotebookNode:
    """The chapter as the book engine reads it, so that the cache recognises its code."""
    return get_reader({"name": "myst_nb_md", "type": "plugin"})(str(path))


def kernel_environment(root: Path) -> dict[str, str]:
    """The environment of the kernels: this checkout's library, one thread, nothing of the user's IPython."""
    ipython = root / "_build" / "ipython"
    quiet = 'c = get_config()\nc.IPKernelApp.log_level = "ERROR"\n'
    write_atomically(ipython / "profile_default" / "ipython_kernel_config.py", quiet)
    ours = {
        "COURSE_BOOK": "1",
        "COURSE_SCALE": scale(),
        "IPYTHONDIR": str(ipython),
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
        "TQDM_DISABLE": "1",  # a progress bar has no place on a page
    }
    return {**os.environ, **ours}


async def run_notebook(notebook: NotebookNode, environment: dict[str, str], limit: float | None):
    """Run all cells in a new kernel and an empty folder.

    Returns:
        The executed notebook and its cost: seconds (kernel start to last cell), quiet_seconds (without
        waiting for other processes), cpu_seconds, megabytes.

    Raises:
        CellExecutionError, DeadKernelError, TimeoutError: as they happened.
    """
    notebook = copy.deepcopy(notebook)
    notebook.cells.append(nbformat.v4.new_code_cell(COST))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for attempt in (1, 2):
            client = NotebookClient(
                notebook,
                timeout=None,
                kernel_name="python3",
                record_timing=False,  # times in the cells would hide the run from the book's cache
                shutdown_kernel="immediate",
                resources={"metadata": {"path": folder}},
            )
            start, clock = time.perf_counter(), asyncio.timeout(limit)
            try:
                async with clock:
                    await client.async_execute(env=environment)
                break
            except (RuntimeError, zmq.ZMQError) as problem:
                if clock.expired():  # the kernel was ended for it
                    raise TimeoutError from None
                # A kernel that never came up (its free port was taken meanwhile) deserves a second try.
                if isinstance(problem, DeadKernelError | CellExecutionError) or attempt == 2:
                    raise
    seconds = time.perf_counter() - start
    cost = json.loads(notebook.cells.pop().outputs[0].text)
    quiet = seconds - cost.pop("waited")
    return notebook, {"seconds": seconds, "quiet_seconds": quiet, **cost}


async def run_chapter(path: Path, key: str, environment: dict[str, str], turn: asyncio.Semaphore) -> Run:
    """Execute one chapter when its turn comes, and say in one line how it went."""
    async with turn:
        limit = GIVE_UP[environment["COURSE_SCALE"]]
        try:
            notebook, cost = await run_notebook(read_chapter(path), environment, limit)
        except TimeoutError:
            raise ChapterFailed(f"{path.stem}: stopped after {limit} seconds.") from None
        except (CellExecutionError, DeadKernelError, RuntimeError, zmq.ZMQError) as problem:
            raise ChapterFailed(f"{path.stem}: {problem}") from None
    print(f"  {path.stem}: {cost['seconds']:.0f} s, {cost['megabytes']:.0f} MB", flush=True)
    return Run(path.stem, key, notebook, cost)


async def run_chapters(wanted: dict[Path, str], root: Path) -> tuple[list[Run], list[Exception]]:
    """Execute the chapters of ``wanted`` (chapter -> key); one that fails does not stop the others."""
    environment, turn = kernel_environment(root), asyncio.Semaphore(AT_ONCE)
    jobs = [run_chapter(path, key, environment, turn) for path, key in wanted.items()]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    failures = [result for result in results if isinstance(result, ChapterFailed)]
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, ChapterFailed):
            raise result
    return [result for result in results if isinstance(result, Run)], failures


def keep(run: Run, root: Path) -> None:
    """Store a run by its key, and forget the oldest ones of this chapter."""
    folder = root / "_build" / "runs" / run.stem
    notebook = copy.deepcopy(run.notebook)
    notebook.metadata["course_cost"] = run.cost
    write_atomically(folder / f"{run.key}.ipynb", nbformat.writes(notebook))
    by_age = sorted(folder.glob("*.ipynb"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[KEPT_RUNS:]:
        old.unlink()


def kept(path: Path, key: str, root: Path) -> Run | None:
    """The stored run of a chapter with this key, if there is one."""
    place = root / "_build" / "runs" / path.stem / f"{key}.ipynb"
    if not place.exists():
        return None
    notebook = nbformat.read(place, as_version=4)
    cost = notebook.metadata.pop("course_cost")
    if not {"seconds", *BUDGET} <= set(cost):  # of a time when less was measured
        return None
    return Run(path.stem, key, notebook, cost)


def publish(runs: list[Run], root: Path) -> None:
    """Make the book's cache hold exactly these runs, and write their costs to ``_build/run_times.json``."""
    runs = sorted(runs, key=lambda run: run.stem)
    where = root / "_build" / ".jupyter_cache"
    stamp, keys = where / "published.json", {run.stem: run.key for run in runs}
    if not stamp.exists() or json.loads(stamp.read_text()) != keys:
        shutil.rmtree(where, ignore_errors=True)
        cache = get_cache(str(where))
        for run in runs:
            source = str(root / "book" / f"{run.stem}.md")
            bundle = CacheBundleIn(run.notebook, source, data={"execution_seconds": run.cost["seconds"]})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        write_atomically(stamp, json.dumps(keys))
    costs = {run.stem: {name: round(value, 1) for name, value in run.cost.items()} for run in runs}
    record = {"scale": scale(), "machine": machine(), "budget": BUDGET, "chapters": costs}
    write_atomically(root / RUN_TIMES, json.dumps(record, indent=1, sort_keys=True) + "\n")


def machine() -> dict[str, str]:
    """What the times were measured on."""
    return {
        "cores": str(os.cpu_count()),
        "processor": platform.machine(),
        "system": platform.system(),
        "Python": platform.python_version(),
        "torch": version("torch"),
    }


def execute(root: Path = ROOT) -> int:
    """Bring the executed chapters up to date; the number of chapters that failed."""
    shared = environment_key(root)
    keys = {path: chapter_key(read_chapter(path), shared) for path in executable_pages(root)}
    runs = {path: run for path, key in keys.items() if (run := kept(path, key, root))}
    missing = {path: key for path, key in keys.items() if path not in runs}
    if missing:
        print(f"Executing {len(missing)} of {len(keys)} pages at scale {scale()}:", flush=True)
    new, failures = asyncio.run(run_chapters(missing, root))
    for run in new:
        keep(run, root)
    for failure in failures:
        print(f"  {failure}", file=sys.stderr)
    if not failures:
        publish([*runs.values(), *new], root)
    return len(failures)


if __name__ == "__main__":
    sys.exit(bool(execute()))
