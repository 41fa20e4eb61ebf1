"""Taking rights away from a process before it runs code that nobody has read.

Limits of the system hold everywhere on POSIX: memory, the size of a file, no core dumps.  On Linux the kernel
also bars (Landlock, and a network of its own): writing outside one folder, reading what is neither Python's
nor the system's, any connection, and signals to processes outside.  Elsewhere an audit hook bars the same for
Python code, except reading; programs that it starts are not held by that.
"""

import contextlib
import ctypes
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from course_lib.grading.hand_ins import tree

SPARE_MEMORY = 4 * 2**30  # bytes that a notebook may use on top of what torch takes
LARGEST_FILE = 512 * 2**20  # bytes

# linux/landlock.h: rights over files, by the version of the interface that brought them.
READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder
WRITE = 1 << 1 | sum(1 << bit for bit in range(4, 13))  # write, remove, make
MOVE, TRUNCATE = 1 << 13, 1 << 14  # since 2, since 3
CONNECT = 1 << 0 | 1 << 1  # bind and connect over TCP, since 4
OUTSIDE = 1 << 0 | 1 << 1  # abstract sockets and signals beyond one's own, since 6
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on all machines
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys", "/dev", "/run")
NO_NEW_PRIVILEGES, DIE_WITH_PARENT = 38, 1  # of prctl
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000  # of unshare
SIGKILL = 9


def die_with_parent() -> None:
    """End this process when the one that started it ends, whatever ends that (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, SIGKILL, 0, 0, 0)


def confine(folder: str | Path, readable: Iterable[str | Path] = ()) -> None:
    """Limit this process and all that it will start.

    Args:
        folder: the one place where it may write.
        readable: what it may read besides Python, its packages and the system.
    """
    limit_sizes()
    limit_processes()
    cut_network()
    if not landlock(folder, [*readable, *needed()]):
        forbid_in_python(folder)


def limit_sizes() -> None:
    """Make a huge allocation and a huge file errors of the notebook."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        with open("/proc/self/statm") as file:  # Linux alone tells, and alone keeps to the limit
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_MEMORY, used + SPARE_MEMORY))


def limit_processes() -> None:
    """Make one process too many at the same time an error of the Python code that starts it.

    What a started program starts is not counted here; the parent ends the notebook over that.
    """
    root, starts = os.getpid(), {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}

    def hook(event: str, _: tuple) -> None:
        if event in starts and len(tree.processes(root, "COURSE_HAND_IN=")) > tree.MOST_PROCESSES:
            raise BlockingIOError(
                11, f"a graded notebook runs at most {tree.MOST_PROCESSES} processes at the same time"
            )

    sys.addaudithook(hook)


def cut_network() -> None:
    """Move to a network that holds nothing, where the system lets us (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        if libc.unshare(NEW_NETWORK) != 0:
            libc.unshare(NEW_USER | NEW_NETWORK)


def needed() -> list[str]:
    """What Python and its packages read, and the places of the system."""
    library = Path(__file__).resolve().parents[2]
    packages = [path for path in sys.path if path and Path(path).resolve() != library.parent]
    places = [sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values(), *packages]
    return [*places, str(library), *SYSTEM]


# --- the kernel's own way (Linux) ------------------------------------------------------------


class Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("place", ctypes.c_int32))


def landlock(folder: str | Path, readable: Iterable[str | Path]) -> bool:
    """Let the kernel bar everything that is not listed; False where it cannot.

    Args:
        folder: may be read and written.
        readable: may be read.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files = READ | WRITE | (MOVE if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    rules = Ruleset(files, CONNECT if version >= 4 else 0, OUTSIDE if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        of_a_file = files & (1 << 0 | 1 << 1 | 1 << 2 | TRUNCATE)
        places = [(folder, files), ("/dev/null", of_a_file), ("/dev/shm", files)]
        for place, rights in [*places, *((each, READ) for each in readable)]:
            with contextlib.suppress(OSError):  # what is not there needs no rule
                opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
                rights = rights if os.path.isdir(place) else rights & of_a_file
                rule = Beneath(rights, opened)
                libc.syscall(ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
                os.close(opened)
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


# --- where the kernel has no such thing ------------------------------------------------------

CHANGES = {
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.link",
    "os.symlink",
    "os.chmod",
}
CONNECTS = {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"}


def forbid_in_python(folder: str | Path) -> None:
    """An audit hook, which cannot be taken off again, for what Python code does itself."""
    root, me = os.path.realpath(folder), os.getpid()

    def inside(path: object) -> bool:
        if isinstance(path, int) or path is None or os.fspath(path) in ("/dev/null", "nul"):
            return True
        real = os.path.realpath(os.fsdecode(path))
        return real == root or real.startswith(root + os.sep)

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, mode, flags = arguments
            written = any(letter in (mode or "r") for letter in "wax+") or (flags or 0) & 3
            if written and not inside(path):
                raise PermissionError(13, "a graded notebook writes into its own folder only", str(path))
        elif event in CHANGES:
            paths = arguments[:2] if event in ("os.rename", "os.link", "os.symlink") else arguments[:1]
            if not all(inside(path) for path in paths):
                raise PermissionError(13, "a graded notebook changes its own folder only", str(paths[0]))
        elif event in CONNECTS:
            raise PermissionError(13, "a graded notebook has no network")
        elif event in ("os.kill", "os.killpg") and arguments[0] != me:
            raise PermissionError(1, "a graded notebook ends no other process")

    sys.addaudithook(hook)
