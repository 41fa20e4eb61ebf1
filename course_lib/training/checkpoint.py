"""A run on disk: everything that the next step depends on, so that a stopped run goes on as if it had not."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from course_lib import files
from course_lib.runtime import CourseError
from course_lib.training.randomness import random_state, set_random_state

FORMAT = 1


def save(
    path: str | Path, parts: Mapping[str, Any], made_with: Mapping[str, str], device: torch.device
) -> None:
    """Write a checkpoint; the file at ``path`` is the old one or the new one at any moment.

    Args:
        path: the file.
        parts: named objects with a ``state_dict`` of tensors, numbers, strings, and lists and dicts of these.
        made_with: the run's arguments in words; a run with others will not continue from this file.
        device: where the run computes; its random state is kept beside those of the CPU, NumPy and Python.

    Raises:
        CourseError: the file cannot be written.
    """
    content = {
        "format": FORMAT,
        "made_with": dict(made_with),
        "parts": {name: part.state_dict() for name, part in parts.items()},
        "random": random_state(device),
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    files.write_atomically(path, stream.getvalue())


def load(
    path: str | Path, parts: Mapping[str, Any], made_with: Mapping[str, str], device: torch.device
) -> bool:
    """Bring the parts and the random state to where the checkpoint left them.

    Returns:
        whether there was a file.

    Raises:
        CourseError: the file is no checkpoint, or one of a run with other arguments; nothing is changed then.
    """
    path = Path(path)
    if not path.exists():
        return False
    content = _read(path)
    then = content["made_with"]
    other = [
        f"{name} was {then.get(name, 'absent')} and is now {made_with.get(name, 'absent')}"
        for name in dict.fromkeys([*then, *made_with])
        if then.get(name) != made_with.get(name)
    ]
    if other:
        raise CourseError(
            f"The checkpoint {path} is of a run with other arguments ({'; '.join(other)}); "
            "it is left as it is: give another file, or delete this one to start anew."
        )
    for name, part in parts.items():
        part.load_state_dict(content["parts"][name])
    set_random_state(content["random"], device)
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] == FORMAT:
            return content
        reason = f"it has format {content['format']}, this version reads {FORMAT}"
    except (OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, pickle.UnpicklingError):
        reason = "it is damaged or no checkpoint of a run"
    raise CourseError(f"Could not continue from {path}: {reason}; give another file or delete this one.")
