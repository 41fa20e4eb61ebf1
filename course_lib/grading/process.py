"""The process that a notebook runs in, seen from outside: started, listened to, ended."""

import contextlib
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from course_lib.grading.notebook import Step

START_SECONDS = 120.0  # for loading torch, which is not the notebook's fault
CELL_SHARE = 4  # a cell may take a quarter of the time: an endless loop leaves some for the rest


class Child:
    """A process of ``child.py`` in an empty folder; leaving the context ends it and all that it started."""

    def __enter__(self) -> "Child":
        self.folder = tempfile.mkdtemp(prefix="course-grade-")
        work = Path(self.folder, "work")
        work.mkdir()
        kept = {k: v for k, v in os.environ.items() if k not in ("COURSE_STRICT", "NBGRADER_EXECUTION")}
        library = str(Path(__file__).resolve().parents[2])
        environment = {
            **kept,
            "PYTHONPATH": os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")])),
            "PYTHONHASHSEED": "0",
            "PYTHONUTF8": "1",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
            "IPYTHONDIR": str(Path(self.folder, "ipython")),
            "COURSE_DEVICE": "cpu",  # the same points on every machine
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "course_lib.grading.child"],
            cwd=work,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, chapter: str, plan: list[Step], timeout: float) -> Iterator[dict]:
        """Send the orders and give the events; ``died`` or ``late`` is the last where they break off.

        Args:
            chapter: whose tasks the orders are about.
            plan: what to run and to check.
            timeout: seconds from the moment torch is loaded.
        """
        token = secrets.token_hex(16)
        orders = {
            "token": token,
            "chapter": chapter,
            "steps": [asdict(step) for step in plan],
            "cell_seconds": timeout / CELL_SHARE,
        }
        with contextlib.suppress(OSError):  # it has ended already; the loop below finds out
            self.process.stdin.write(json.dumps(orders).encode())
            self.process.stdin.close()
        events: queue.Queue[dict] = queue.Queue()
        reader = threading.Thread(target=self._read, args=(token.encode(), events), daemon=True)
        reader.start()
        deadline = time.monotonic() + START_SECONDS
        while True:
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
                deadline = time.monotonic() + timeout
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
