"""Files that are whole or not there: atomic writing, hashes, and the user's folders for caches and state."""

import contextlib
import errno
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from course_lib.runtime import CourseError


def cache_folder() -> Path:
    """The folder for what can be made again: ``COURSE_CACHE``, else this system's place for caches."""
    if os.environ.get("COURSE_CACHE"):
        return Path(os.environ["COURSE_CACHE"]).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "learned-representations"


def state_folder() -> Path:
    """The folder for what cannot be made again, such as progress; who empties caches does not touch it.

    ``XDG_STATE_HOME`` moves it on Linux.
    """
    if sys.platform == "win32":  # beside the caches, which have no folder of their own there
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
        return base / "learned-representations-state"
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "learned-representations"


def write_atomically(path: str | Path, content: bytes | str | Callable[[BinaryIO], None]) -> Path:
    """Write a file beside its place, then rename it, so that a reader never sees half of it.

    Args:
        path: where the file goes; missing folders are made.
        content: the bytes, the text (UTF-8), or a function that writes into an open binary file.

    Raises:
        CourseError: the folder cannot be written to or the disk is full; nothing is left behind.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as problem:
        raise CourseError(_say(path, problem)) from problem
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    return path


def _say(path: Path, problem: OSError) -> str:
    return f"Could not write {path}: {reason(problem)}; nothing was left half-written."


def reason(problem: OSError) -> str:
    """Why the system refused to write, in words that say what to do about it."""
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your disk quota is used up",
        errno.EROFS: "the folder is read-only",
        errno.EACCES: "the folder may not be written to",
        errno.EPERM: "the folder may not be written to",
        errno.ENOTDIR: "a file stands where a folder is needed",
        errno.EEXIST: "a file stands where a folder is needed",
        errno.EISDIR: "a folder stands where a file is needed",
    }
    return reasons.get(problem.errno or 0, problem.strerror or str(problem))


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
