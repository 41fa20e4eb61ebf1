"""How a step is computed: number format, memory format, and the same result each time where torch can."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from course_lib import runtime

PRECISIONS = ("float32", "bfloat16")


def choose_precision(precision: str | None, device: torch.device) -> str:
    """The number format of the steps: the one asked for, else bfloat16 at ``gpu`` scale on a GPU that has it.

    Raises:
        ValueError: the precision is neither ``float32`` nor ``bfloat16``.
    """
    if precision is None:
        able = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return "bfloat16" if able and runtime.scale() == "gpu" else "float32"
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, possible are {', '.join(PRECISIONS)}.")
    return precision


def choose_channels_last(channels_last: bool | None, device: torch.device) -> bool:
    """Whether filters lie with their channels last in memory: by default at ``gpu`` scale on a GPU."""
    if channels_last is None:
        return device.type == "cuda" and runtime.scale() == "gpu"
    return bool(channels_last)


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """A context in which matrix products and convolutions run in bfloat16, or one that changes nothing."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def memory_format(model: nn.Module, channels_last: bool) -> Iterator[None]:
    """The model's filters with channels last in memory; afterwards each filter lies as it lay before."""
    if not channels_last:
        yield
        return
    moved = [p for p in model.parameters() if p.ndim == 4 and p.is_contiguous()]
    model.to(memory_format=torch.channels_last)
    try:
        yield
    finally:
        for parameter in moved:
            parameter.data = parameter.data.contiguous()


@contextmanager
def repeatable_convolutions() -> Iterator[None]:
    """On a GPU, only convolution algorithms that give the same bits each time, chosen without timing them."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
