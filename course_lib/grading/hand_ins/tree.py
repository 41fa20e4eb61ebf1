"""All that a notebook has started: counted, measured, ended (Linux; elsewhere its process group is ended)."""

import contextlib
import os
import signal
from pathlib import Path

MOST_PROCESSES = 32
MOST_MEMORY = 8 * 2**30  # bytes, of all its processes together
MOST_DISK = 2**30  # bytes

PROC = Path("/proc")


def processes(root: int, mark: str) -> set[int]:
    """The living processes that a notebook's process has started, itself included.

    Args:
        root: the number of its process, which also leads a session of its own.
        mark: a text in its environment; what it starts inherits that, also where it leaves the session.
    """
    parents, found = {}, set()
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):  # it may end while we look
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] in "ZX":  # a zombie holds nothing
                continue
            number = int(entry.name)
            parents[number] = int(fields[1])
            own_session = root in (number, int(fields[3]))
            if own_session or mark.encode() in (entry / "environ").read_bytes():
                found.add(number)
    grown = True
    while grown:
        more = {number for number, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return found


def excess(root: int, mark: str, folder: str | Path) -> str | None:
    """What a notebook takes more of than it may, in words; None where all is well."""
    running = processes(root, mark)
    if len(running) > MOST_PROCESSES:
        return f"it started more than {MOST_PROCESSES} processes"
    if sum(map(memory, running)) > MOST_MEMORY:
        return f"it used more than {MOST_MEMORY / 2**30:.0f} GB of memory"
    if disk(folder) > MOST_DISK:
        return f"it wrote more than {MOST_DISK / 2**30:.0f} GB to the disk"
    return None


def memory(process: int) -> int:
    """The bytes of memory that a process holds for itself."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        _, resident, shared, *_ = (PROC / str(process) / "statm").read_text().split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    return 0


def disk(folder: str | Path) -> int:
    """The bytes that the files beneath a folder take."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                entry = os.lstat(os.path.join(place, name))
                total += getattr(entry, "st_blocks", entry.st_size // 512) * 512
    return total


def end(root: int, mark: str) -> None:
    """End a notebook's process and all that it has started, also what hides in a session of its own."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(root, signal.SIGKILL)
    for _ in range(20):  # what is just being started shows in the next round
        running = processes(root, mark)
        if not running:
            return
        for number in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
