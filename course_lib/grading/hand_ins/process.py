"""The process that a notebook runs in, seen from outside: started, listened to, watched, ended."""

import contextlib
import json
import os
import queue
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from course_lib.grading.hand_ins import tree

START_SECONDS = 120.0  # for loading torch, which is not the notebook's fault
WATCH_SECONDS = 0.25  # between two looks at what the notebook has started
LIBRARY = Path(__file__).resolve().parents[3]
NOT_FOR_NOTEBOOKS = ("COURSE_STRICT", "NBGRADER_EXECUTION", "COURSE_BOOK")


class Stopped(Exception):
    """The run was stopped while this notebook was graded."""


class Child:
    """A process of ``child.py`` in an empty folder; leaving the context ends it and all that it started."""

    def __enter__(self) -> "Child":
        self.folder = tempfile.mkdtemp(prefix="course-grade-")
        self.mark = f"COURSE_HAND_IN={secrets.token_hex(8)}"
        for name in ("work", "tmp", "cache", "cache/matplotlib"):
            Path(self.folder, name).mkdir()
        for fonts in font_lists():
            shutil.copy(fonts, Path(self.folder, "cache", "matplotlib"))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "course_lib.grading.hand_ins.child"],
            cwd=Path(self.folder, "work"),
            env=environment(Path(self.folder), self.mark),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        tree.end(self.process.pid, self.mark)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, orders: dict, timeout: float, stop: threading.Event | None = None) -> Iterator[dict]:
        """Send the orders and give the events; the last where they break off is ``died``, ``late`` or
        ``excess``.

        Args:
            orders: what to run and to check, see ``child.main``.
            timeout: seconds from the moment torch is loaded.
            stop: once set, the notebook is given up.

        Raises:
            Stopped: it was given up.
        """
        token = secrets.token_hex(16)
        with contextlib.suppress(OSError):  # it has ended already; the loop below finds out
            self.process.stdin.write(json.dumps({**orders, "token": token}).encode())
            self.process.stdin.close()
        events: queue.Queue[dict] = queue.Queue()
        reader = threading.Thread(target=self._read, args=(token.encode(), events), daemon=True)
        reader.start()
        deadline = time.monotonic() + START_SECONDS
        next_look = float("inf")
        while True:
            if stop is not None and stop.is_set():
                raise Stopped
            if time.monotonic() > next_look:
                next_look = time.monotonic() + WATCH_SECONDS
                found = tree.excess(self.process.pid, self.mark, self.folder)
                if found:
                    yield {"kind": "excess", "message": found}
                    return
            try:
                event = events.get(timeout=0.05)
            except queue.Empty:
                if self.process.poll() is not None:
                    reader.join(timeout=1.0)
                    if events.empty():
                        yield {"kind": "died", "code": self.process.returncode}
                        return
                elif time.monotonic() > deadline:
                    yield {"kind": "late", "seconds": timeout}
                    return
                continue
            if event.get("kind") == "ready":
                deadline, next_look = time.monotonic() + timeout, 0.0
            yield event
            if event.get("kind") == "end":
                return

    def _read(self, token: bytes, events: "queue.Queue[dict]") -> None:
        """Put what comes with the token into the queue; drop everything else."""
        with contextlib.suppress(OSError, ValueError):
            while line := self.process.stdout.readline(50_000_000):
                if line.startswith(token):
                    with contextlib.suppress(ValueError):
                        events.put(json.loads(line[len(token) :]))


@cache
def font_lists() -> tuple[Path, ...]:
    """matplotlib's list of this machine's fonts, which takes seconds to make: made once, copied often."""
    import matplotlib

    kept = Path(matplotlib.get_cachedir())
    if not list(kept.glob("fontlist-*.json")):
        with contextlib.suppress(OSError):  # then each notebook that draws makes its own
            import matplotlib.font_manager
    return tuple(kept.glob("fontlist-*.json"))


def environment(folder: Path, mark: str) -> dict[str, str]:
    """The variables of a notebook's process: the same on every machine, and nothing of the instructor's."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_FOR_NOTEBOOKS}
    name, _, token = mark.partition("=")
    return {
        **kept,
        name: token,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(LIBRARY), os.environ.get("PYTHONPATH")])),
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(folder / "cache" / "matplotlib"),
        "IPYTHONDIR": str(folder / "cache" / "ipython"),
        "TMPDIR": str(folder / "tmp"),
        "COURSE_CACHE": str(folder / "cache"),
        "COURSE_PROGRESS": "off",
        "COURSE_SCALE": "smoke",  # what a notebook trains for its figures is not what is graded
        "COURSE_DEVICE": "cpu",  # the same points on every machine
        "CUDA_VISIBLE_DEVICES": "",
    }
