"""Calling a learner's code: with a time limit, leaving nothing disturbed, and explaining what it raised."""

import contextlib
import ctypes
import dis
import io
import linecache
import random
import signal
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import torch

SEED = 20260  # of the global generators while a learner's code runs; any number does


class TimeUp(BaseException):
    """A call ran too long and was stopped; no Exception, so that `except Exception` lets it pass."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the code inside when it runs longer.

    In the main thread of a POSIX system a signal does it, which also ends a sleep.  Elsewhere it works
    between two steps of Python only: a call into C code (one huge product, a sleep) is stopped when it
    returns.
    """
    thread, finished, late = threading.get_ident(), threading.Event(), threading.Event()
    by_signal = hasattr(signal, "pthread_kill") and threading.current_thread() is threading.main_thread()

    def time_up(*_: object) -> None:
        raise TimeUp

    def watch() -> None:
        wait = seconds
        while not finished.wait(wait):
            late.set()
            if by_signal:
                signal.pthread_kill(thread, signal.SIGALRM)
            else:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeUp))
            wait = 0.2  # again, for a loop that swallows what it is sent

    def end() -> None:
        try:
            finished.set()
            watcher.join()
            for _ in range(100):  # what was sent at the last moment arrives between two steps of this loop
                pass
        except TimeUp:
            end()

    before = signal.signal(signal.SIGALRM, time_up) if by_signal else None
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        end()
        if by_signal:
            signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
        if late.is_set():  # also when the code inside has swallowed what it was sent
            raise TimeUp


@contextlib.contextmanager
def undisturbed(gpu: bool = False) -> Iterator[None]:
    """Leave random states and gradient modes as they are, whatever happens inside; prints go nowhere."""
    if gpu:
        torch.cuda.init()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    python, numpy = random.getstate(), np.random.get_state()
    nowhere = Nowhere()
    try:
        with (
            torch.random.fork_rng(devices=devices),
            torch.inference_mode(False),
            torch.enable_grad(),
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


class Nowhere(io.TextIOBase):
    """A file that forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


def seed(number: int) -> None:
    """Seed every global generator; only inside ``undisturbed``."""
    random.seed(SEED + number)
    np.random.seed(SEED + number)
    torch.default_generator.manual_seed(SEED + number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(SEED + number)


# --- what a learner's code raised ------------------------------------------------------------


def explain(error: BaseException) -> str:
    """``TypeError: …, at your line 4: `return h - m` `` (the line counts from the top of its cell)."""
    said = str(error).strip().split("\n")[0]
    said = f"{type(error).__name__}: {shorten(said)}" if said else type(error).__name__
    place = learners_frame(error)
    if place is None:
        return f"{said}."
    frame, line = place
    code = linecache.getline(frame.f_code.co_filename, line).strip()
    return f"{said.rstrip('.')}, at your line {line}" + (f": `{shorten(code, 100)}`" if code else ".")


def shorten(text: str, most: int = 240) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def is_todo(error: BaseException) -> bool:
    """Whether a learner's own code says `raise NotImplementedError`; torch raises it too, from C."""
    if not isinstance(error, NotImplementedError):
        return False
    place, last = learners_frame(error), error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if place is None or last is None or last.tb_frame is not place[0]:
        return False
    return last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def learners_frame(error: BaseException) -> tuple[FrameType, int] | None:
    """The innermost frame of a traceback that is neither ours nor a library's, and its line."""
    found, step = None, error.__traceback__
    while step is not None:
        if not step.tb_frame.f_code.co_filename.startswith(FOREIGN):
            found = step.tb_frame, step.tb_lineno
        step = step.tb_next
    return found


FOREIGN = (
    str(Path(__file__).parents[1]),
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(torch.__file__).parents[1]),
    "<frozen",
    "<string>",
)


def is_blank(answer: Callable) -> bool:
    """Whether a function's body holds nothing but a docstring, `pass`, `...` or NotImplementedError."""
    code = getattr(answer, "__code__", None)
    if code is None or set(code.co_names) - {"NotImplementedError"}:
        return False
    if any(isinstance(c, int | float | complex | bytes | tuple) for c in code.co_consts):
        return False
    return not any("FAST" in step.opname or "SMALL_INT" in step.opname for step in dis.get_instructions(code))
