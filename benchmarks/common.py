"""What every benchmark needs: a fair race, and a record of it.

A race is won by a ratio. Times on a shared machine drift by more than what is compared, but not within a
second: so the contestants take turns in one process, each keeps its best time, and only ratios are reported.
With one thread the clock is the processor time of this process, which others cannot lengthen; with more
threads, which wait for each other, only the time on the wall means something.
"""

import argparse
import gc
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch

from course_lib.files import write_atomically

RECORDS = Path(__file__).resolve().parent.parent / "results" / "benchmarks"


def race(
    contestants: dict[str, Callable[[], object]], rounds: int = 7, turn: float = 0.0
) -> dict[str, float]:
    """The best time of each contestant, in seconds, when all take turns.

    Args:
        contestants: functions without arguments, by name; each is called once before the clock starts.
        rounds: turns of each.
        turn: seconds that a turn lasts at least, its calls share the time. One call of a fraction of a
            millisecond would be measured with the caches as the contestant before it left them.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for run in contestants.values():
        run()
    best = dict.fromkeys(contestants, float("inf"))
    gc.collect()
    for _ in range(rounds):
        for name, run in contestants.items():
            calls, start = 0, clock()
            while calls == 0 or clock() - start < turn:
                run()
                calls += 1
            best[name] = min(best[name], (clock() - start) / calls)
    return best


def ratios(best: dict[str, float], ours: str) -> dict[str, float]:
    """How many times longer each of the others takes than ours, in the order of the race."""
    return {name: seconds / best[ours] for name, seconds in best.items() if name != ours}


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant (default: 7)")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    parser.add_argument("--record", action="store_true", help="write results/benchmarks/<name>.json")
    return parser


def circumstances() -> dict[str, str | int | float]:
    """What a ratio depends on besides the code; ``load`` is how many processes wanted to run, of late."""
    load = {"load": round(os.getloadavg()[0], 1)} if hasattr(os, "getloadavg") else {}
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        **load,
    }


def record(name: str, setting: str, content: dict) -> Path:
    """Keep a measurement in results/benchmarks/<name>.json, beside those of other settings and threads."""
    path = RECORDS / f"{name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    here = circumstances()
    known[f"{setting} threads={here['threads']}"] = {**here, **content}
    return write_atomically(path, json.dumps(known, indent=2) + "\n")
