"""What a confined process may still do, and what it may not; each in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_lib.grading.hand_ins import tree
from course_lib.grading.hand_ins.confine import landlock

ROOT = Path(__file__).resolve().parents[3]
LINUX = sys.platform.startswith("linux")

TRIES = {
    "writes inside": "open('{inside}/a', 'w').write('x')",
    "makes inside": "os.makedirs('{inside}/b/c'); os.rename('{inside}/b/c', '{inside}/b/d')",
    "reads the system": "open('/etc/hostname' if os.path.exists('/etc/hostname') else os.__file__).read()",
    "forgets": "open(os.devnull, 'w').write('x')",
    "imports": "import colorsys, xml.dom",
    "writes outside": "open('{outside}/a', 'w')",
    "appends outside": "open('{outside}/kept', 'a')",
    "removes outside": "os.remove('{outside}/kept')",
    "makes outside": "os.mkdir('{outside}/b')",
    "moves outside": "open('{inside}/m', 'w').close(); os.rename('{inside}/m', '{outside}/m')",
    "ends its parent": "os.kill(os.getppid(), 0)",
    "connects": "import socket; socket.create_connection(('127.0.0.1', 9), timeout=2)",
    "reads outside": "open('{outside}/kept').read()",
    "shell outside": "assert os.system('echo > {outside}/s') == 0",
}
ALLOWED = {"writes inside", "makes inside", "reads the system", "forgets", "imports"}


def allowed(tmp_path, how):
    """Which of the tries work in a process that has called ``how``."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("x")
    code = ["import os, sys", "from course_lib.grading.hand_ins import confine", how.format(inside=inside)]
    for name, line in TRIES.items():
        line = line.format(inside=inside, outside=outside)
        code += [f"try:\n    {line}\n    print({name!r})\nexcept (OSError, AssertionError):\n    pass"]
    ran = subprocess.run([sys.executable, "-c", "\n".join(code)], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.splitlines())


def bars():
    """The version of the kernel's interface, asked for in a process that it changes nothing in."""
    if not LINUX:
        return 0
    import ctypes

    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)


@pytest.mark.skipif(bars() < 6, reason="this kernel cannot bar all of it")
def test_the_kernel_bars_all_that_is_not_listed(tmp_path):
    assert allowed(tmp_path, "confine.confine('{inside}')") == ALLOWED


def test_without_the_kernel_python_bars_its_own_code(tmp_path):
    """It cannot bar reading, nor what a shell does; that is said in its docstring."""
    found = allowed(tmp_path, "confine.forbid_in_python('{inside}')")
    assert found == ALLOWED | {"reads outside", "shell outside"}


def test_what_is_readable_can_be_added(tmp_path):
    if bars() < 1:
        pytest.skip("this kernel bars no reading")
    more = f"confine.confine('{{inside}}', ['{tmp_path / 'outside'}'])"
    found = allowed(tmp_path, more)
    assert "reads outside" in found and not {"writes outside", "shell outside"} & found


def test_other_systems_say_that_they_cannot(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert landlock(tmp_path, []) is False


# --- all that was started --------------------------------------------------------------------


@pytest.mark.skipif(not LINUX, reason="processes are found on Linux only")
def test_what_hides_is_found_and_ended(tmp_path):
    mark = f"COURSE_HAND_IN=test{os.getpid()}"
    name, _, value = mark.partition("=")
    script = "sleep 300 & setsid sleep 300 & setsid sh -c 'sleep 300 & exec sleep 300' & wait"
    started = subprocess.Popen(["sh", "-c", script], start_new_session=True, env={**os.environ, name: value})
    try:
        deadline = time.monotonic() + 10
        while len(tree.processes(started.pid, mark)) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        found = tree.processes(started.pid, mark)
        assert len(found) == 5 and os.getpid() not in found
        assert tree.excess(started.pid, mark, tmp_path) is None
    finally:
        tree.end(started.pid, mark)
        started.wait(timeout=10)
    assert tree.processes(started.pid, mark) == set()


@pytest.mark.skipif(not LINUX, reason="processes are found on Linux only")
def test_each_excess_is_told(tmp_path, monkeypatch):
    me = os.getpid()
    monkeypatch.setattr(tree, "MOST_PROCESSES", 0)
    assert tree.excess(me, "no such mark", tmp_path) == "it started more than 0 processes"
    monkeypatch.setattr(tree, "MOST_PROCESSES", 10**6)
    monkeypatch.setattr(tree, "MOST_MEMORY", 2**20)
    assert "of memory" in tree.excess(me, "no such mark", tmp_path)
    monkeypatch.setattr(tree, "MOST_MEMORY", 2**50)
    monkeypatch.setattr(tree, "MOST_DISK", 2**16)
    assert tree.excess(me, "no such mark", tmp_path) is None
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(os.urandom(2**18))
    assert "to the disk" in tree.excess(me, "no such mark", tmp_path)
