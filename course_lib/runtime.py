"""Where and how large: scale, device and seeds, each read in one place.

torch and NumPy are imported where they are used, so that `course --help` answers at once and `course doctor`
can tell that they are missing.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SCALES = ("smoke", "cpu", "gpu")


class CourseError(RuntimeError):
    """Something outside the code is wrong (network, disk, data); the message is one sentence for the user."""


def scale(value: str | None = None) -> str:
    """The size of the experiments: ``smoke`` (seconds), ``cpu`` (the book) or ``gpu`` (the paper).

    Args:
        value: a scale; None reads the environment variable ``COURSE_SCALE`` and falls back to ``cpu``.

    Raises:
        ValueError: the scale is none of the three.
    """
    value = value or os.environ.get("COURSE_SCALE") or "cpu"
    if value not in SCALES:
        raise ValueError(f"scale is {value!r}, possible are {', '.join(SCALES)}.")
    return value


def device(value: str | torch.device | None = None) -> torch.device:
    """The device to compute on.

    Args:
        value: a device; None reads ``COURSE_DEVICE`` and falls back to the first CUDA device, else the CPU.

    Raises:
        CourseError: a CUDA device is asked for and there is none.
    """
    import torch

    value = value or os.environ.get("COURSE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    chosen = torch.device(value)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise CourseError(
            f"The device {value!r} was asked for, but torch sees no CUDA device here; use 'cpu'."
        )
    return chosen


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device) with one number."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def in_book() -> bool:
    """Whether the code runs for the built book, where pages are static and no kernel answers a slider."""
    return os.environ.get("COURSE_BOOK") == "1"
