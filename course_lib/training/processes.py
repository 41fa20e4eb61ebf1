"""The processes that torchrun starts: how many there are, which one this is, what they tell each other.

Without torchrun there is one process, and every function here says so and does nothing more.
"""

import atexit
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from course_lib import runtime
from course_lib.runtime import CourseError

T = TypeVar("T")
PATIENCE = timedelta(days=7)  # a process may compute for hours before the others meet it
_apart = False


def world() -> int:
    """How many processes share the work; 1 without torchrun, and inside of ``apart``."""
    launched = "TORCHELASTIC_RUN_ID" in os.environ  # some clusters set WORLD_SIZE for every program
    return int(os.environ["WORLD_SIZE"]) if launched and not _apart else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ["RANK"]) if world() > 1 else 0


@contextmanager
def apart() -> Iterator[None]:
    """Inside, each process works as if it were the only one: the processes do different things."""
    global _apart
    before, _apart = _apart, True
    try:
        yield
    finally:
        _apart = before


def start() -> None:
    """Meet the other processes, and take the GPU of this one: call it before the model goes to a device.

    `course_lib.runtime.device` then answers with that GPU. NCCL carries what is on GPUs, Gloo what is not;
    ``COURSE_DEVICE=cpu`` leaves the GPUs alone. A group that the caller has made already is used as it is.

    Raises:
        CourseError: there are more processes on this machine than GPUs.
    """
    if world() == 1 or dist.is_initialized():
        return
    device = runtime.device()
    if device.type == "cuda" and device.index is None:
        mine, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if mine >= gpus:
            raise CourseError(
                f"torchrun started {os.environ['LOCAL_WORLD_SIZE']} processes, but this machine has {gpus} "
                f"GPUs: give --nproc-per-node {gpus}, or set COURSE_DEVICE=cpu."
            )
        os.environ["COURSE_DEVICE"] = f"cuda:{mine}"
        torch.cuda.set_device(mine)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    atexit.register(dist.destroy_process_group)


def from_first(value: T) -> T:
    """What process 0 has for this value; the others wait for it."""
    if world() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def of_everybody(value: T) -> list[T]:
    """What each process has for this value, by rank."""
    if world() == 1:
        return [value]
    found: list = [None] * world()
    dist.all_gather_object(found, value)
    return found


def gathered(rows: Tensor) -> Tensor:
    """The rows (n, ...) of all processes, one process after the other, without gradient.

    For what has to know every image of a batch, such as an average of past predictions by image; without
    torchrun these are the rows given.
    """
    if world() == 1:
        return rows
    rows = rows.detach().contiguous()
    sizes = [rows.new_zeros(1, dtype=torch.long) for _ in range(world())]
    dist.all_gather(sizes, torch.full_like(sizes[0], len(rows)))
    lengths = [int(size) for size in sizes]
    padded = rows.new_zeros(max(lengths), *rows.shape[1:])  # a gather wants the same shape from everybody
    padded[: len(rows)] = rows
    found = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(found, padded)
    return torch.cat([part[:length] for part, length in zip(found, lengths)])


@contextmanager
def stoppable() -> Iterator[None]:
    """The first Ctrl-C, or torchrun's SIGTERM when another process failed, stops once and in order.

    Both raise KeyboardInterrupt, so that files in writing are cleared away; later signals, which torchrun
    sends after the terminal's own, cannot cut that short.
    """
    kinds = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        for kind in kinds:
            signal.signal(kind, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(kind, stop) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before):
            signal.signal(kind, handler or signal.SIG_DFL)
