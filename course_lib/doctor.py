"""`course doctor`: can this machine run the course, and if not, what to do.

Each question is one function that returns a Finding in plain words.  Nothing here imports torch before
asking whether it is there, so the command also helps where the installation is broken.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

NEEDED_PYTHON = (3, 11)
NEEDED = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "matplotlib", "pillow", "tqdm")
NEEDED_DISK = 1e9  # bytes; the largest set that a chapter can be asked to load takes a third of it


class Finding(NamedTuple):
    """One answer: ``state`` is ``ok``, ``note`` (works, with a limit) or ``problem`` (must be mended)."""

    state: str
    subject: str
    says: str


def examine() -> list[Finding]:
    """Ask every question; a question that itself fails is a problem, never a traceback."""
    questions = (python, packages, graphics, processor, disk, cache, data, network)
    findings = []
    for question in questions:
        try:
            findings.append(question())
        except Exception as error:
            says = f"could not be examined ({type(error).__name__}: {error})."
            findings.append(Finding("problem", question.__name__, says))
    return findings


def report(findings: list[Finding]) -> str:
    """The findings as a table for the terminal, and one closing sentence."""
    signs = {"ok": "✓ ok     ", "note": "• note   ", "problem": "✗ problem"}
    lines = [f"{signs[f.state]}  {f.subject:<10} {f.says}" for f in findings]
    problems = [f.subject for f in findings if f.state == "problem"]
    if problems:
        closing = f"This machine cannot run the course yet; mend first: {', '.join(problems)}."
    else:
        closing = "This machine can run the course."
    return "\n".join([*lines, "", closing])


# --- the questions ---------------------------------------------------------------------------


def python() -> Finding:
    here = platform.python_version()
    if sys.version_info < NEEDED_PYTHON:
        needed = ".".join(map(str, NEEDED_PYTHON))
        return Finding("problem", "Python", f"{here} is too old; install Python {needed} or newer.")
    return Finding("ok", "Python", f"{here} on {platform.system()} {platform.machine()}")


def packages() -> Finding:
    versions, missing = [], []
    for name in NEEDED:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "problem", "packages", f"missing: {', '.join(missing)}; type: pip install {' '.join(missing)}"
        )
    try:
        import torch

        torch.ones(1) + 1
    except Exception as error:
        advice = "install torch and torchvision together, from one source"
        return Finding("problem", "packages", f"do not work ({type(error).__name__}: {error}); {advice}.")
    return Finding("ok", "packages", ", ".join(versions))


def graphics() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("note", "GPU", "cannot be asked for without torch.")
    import torch

    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        return Finding(
            "ok", "GPU", f"{card.name}, {card.total_memory / 2**30:.0f} GiB; --scale gpu is for it."
        )
    return Finding("note", "GPU", "none; every chapter is made for the CPU, only --scale gpu wants one.")


def processor() -> Finding:
    cores = os.cpu_count() or 1
    memory = _memory()
    says = f"{cores} core{'s' * (cores > 1)}"
    if memory is None:
        return Finding("ok", "processor", says)
    says += f", {memory / 2**30:.0f} GiB of memory"
    if memory < 3 * 2**30:
        return Finding("note", "processor", f"{says}; a chapter takes up to 2 GiB, so close other programs.")
    return Finding("ok", "processor", says)


def _memory() -> int | None:
    """The memory of the machine in bytes, where the system says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def disk() -> Finding:
    folder = _nearest_folder(_cache_folder())
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e9:.0f} GB free where {folder} lies"
    if free < NEEDED_DISK:
        return Finding(
            "problem", "disk", f"{says}; the course wants {NEEDED_DISK / 1e9:.0f} GB, so make room."
        )
    return Finding("ok", "disk", says)


def cache() -> Finding:
    folder = _cache_folder()
    if not os.access(_nearest_folder(folder), os.W_OK):
        advice = "set COURSE_CACHE to a folder of yours"
        return Finding(
            "note", "cache", f"{folder} may not be written to, so nets are trained anew; {advice}."
        )
    return Finding("ok", "cache", str(folder))


def data() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("note", "data", "cannot be examined without torch.")
    from course_lib.data import load

    load("digits_m", "train")
    chosen = os.environ.get("COURSE_DATA")
    if chosen and not Path(chosen).expanduser().is_dir():
        advice = "correct it, or leave it out"
        return Finding("problem", "data", f"COURSE_DATA names {chosen}, which is no folder; {advice}.")
    real = f"real sets are looked for in {chosen}" if chosen else "real sets: course data list"
    return Finding("ok", "data", f"the embedded sets work; {real}.")


def network() -> Finding:
    """Whether a server of the real image sets answers; the address is torchvision's, not ours."""
    without = "embedded sets and every page work without; real sets must come from elsewhere (COURSE_DATA)"
    if importlib.util.find_spec("torchvision") is None:
        return Finding("note", "network", "cannot be asked for without torchvision.")
    from torchvision.datasets import MNIST

    host = urlparse(MNIST.mirrors[0]).hostname
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError:
        return Finding("note", "network", f"{host} does not answer; {without}.")
    return Finding("ok", "network", f"{host} answers, so `course data fetch` can download.")


def _cache_folder() -> Path:
    from course_lib.files import cache_folder

    return cache_folder()


def _nearest_folder(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
