"""Results in which NaN is a right answer: a check compares numbers, so NaNs go into a table of their own."""

from typing import Any

import torch
from torch import Tensor

from course_lib.grading.task import Unfit


def nan_apart(values: Tensor) -> tuple[Tensor, Tensor]:
    """1 where there is a NaN and 0 elsewhere, and the values with 0 in place of NaN."""
    missing = values.isnan()
    return missing.double(), values.where(~missing, torch.zeros_like(values))


def is_missing(result: Any) -> bool:
    """Whether an answer gave nothing at all, which the engine says in words of its own."""
    return result is None or result is NotImplemented or result is ...


def as_tensor(name: str, value: Any, like: Tensor) -> Tensor:
    """A tensor of what an answer returned, a number, a list or a tensor, on the device of ``like``.

    Nobody knows how exactly a plain number was computed, so it counts as float32.

    Raises:
        Unfit: it is neither.
    """
    if isinstance(value, Tensor):
        return value
    try:
        return torch.as_tensor(value, dtype=torch.float32, device=like.device)
    except (TypeError, ValueError, RuntimeError):
        raise Unfit(f"{name} must be a tensor or a number, but it is a {type(value).__name__}") from None
