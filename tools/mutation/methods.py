"""Change every method of the library in every small way, run its tests, and record what they do not notice.

``python -m tools.mutation.methods`` writes ``results/mutants/methods.json``; with names of files, such as
``shade``, it renews these alone, and with ``--check`` it compares with the record and writes nothing.

Nothing in the checkout is touched. The tests are collected once, in one process per file; for each mutant a
child of it takes the changed code into the functions that are loaded already, and runs test after test until
one fails. Those that failed most often so far come first.
"""

import argparse
import contextlib
import gc
import importlib
import inspect
import json
import os
import resource
import signal
import subprocess
import sys
import tomllib
import types
from collections import Counter
from pathlib import Path

import pytest

from course_lib.files import write_atomically
from tools.mutation.definitions import FileMutant, file_mutants
from tools.mutation.watched import WATCHED
from tools.project import ROOT

EQUIVALENT = Path(__file__).with_name("equivalent_methods.toml")
RECORD = ROOT / "results" / "mutants" / "methods.json"
SECONDS = 100  # of processor time: a mutant that takes more does not end
MEMORY = 8 << 30
LONG = "nets_of_the_course or stopped_run or modes_stay_apart"  # tests of much at once: others are as sharp
QUIETLY = ("-q", "-s", "-W", "ignore", "-p", "no:cacheprovider", "-k", f"not ({LONG})")


class Survey:
    """A plugin of pytest that runs the collected tests on every mutant instead of once.

    Attributes:
        found: what became of the mutants, once the session is over.
    """

    def __init__(self, module: str):
        self.module = f"course_lib.{module}"
        self.code = path_of(module).read_text(encoding="utf-8")
        self.reasons = known_equivalents().get(module, {})
        self.found: dict = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        tests = [str(ROOT / "tests" / name) for name in WATCHED[self.module.removeprefix("course_lib.")]]
        killers: Counter[str] = Counter()
        killed, equivalent, survivors, count = 0, {}, [], 0
        gc.freeze()  # so that a child that collects garbage does not copy what it inherited
        items = session.items
        failing = killer_of(None, self.module, items, tests)
        if failing is not None:
            raise pytest.UsageError(f"{failing} fails as things are; there is nothing to survey.")
        for mutant in file_mutants(self.code):
            count += 1
            items = sorted(session.items, key=lambda item: -killers[item.nodeid])
            killer = killer_of(mutant, self.module, items, tests)
            if killer is not None:
                killed += 1
                killers[killer] += 1
            elif mutant.change in self.reasons:
                equivalent[mutant.change] = self.reasons[mutant.change]
            else:
                survivors.append(mutant.change)
                print(f"survives: {mutant.change}", file=sys.stderr, flush=True)
        gc.unfreeze()
        self.found = {"mutants": count, "killed": killed, "equivalent": equivalent, "survivors": survivors}
        return True


def killer_of(
    mutant: FileMutant | None, module: str, items: list[pytest.Item], tests: list[str]
) -> str | None:
    """The first test that fails on a mutant (or what else happens to it); None where all pass.

    A child process does it, so that nothing remains.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            signal.alarm(20 * SECONDS)  # one that waits takes none
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            killer = _try_out(mutant, module, items, tests)
            os.write(writing, (killer or "").encode())
        except BaseException as problem:
            os.write(writing, type(problem).__name__.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said or (None if status == 0 else f"signal {os.WTERMSIG(status)}")


def _try_out(
    mutant: FileMutant | None, module: str, items: list[pytest.Item], tests: list[str]
) -> str | None:
    if mutant is not None and not taken_in(mutant, sys.modules[module]):
        return _try_out_afresh(mutant, module, tests)
    for item, next_item in zip(items, [*items[1:], None]):
        if not (_passes(item, "setup") and _passes(item, "call")):
            return item.nodeid
        item.ihook.pytest_runtest_teardown(item=item, nextitem=next_item)
    return None


def _passes(item: pytest.Item, when: str) -> bool:
    """Whether a phase of a test passes; no report about a failure, which takes longer than the test."""
    hook = getattr(item.ihook, f"pytest_runtest_{when}")
    call = pytest.CallInfo.from_call(lambda: hook(item=item), when=when)
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        return False
    item.ihook.pytest_runtest_makereport(item=item, call=call)
    return True


def taken_in(mutant: FileMutant, module: types.ModuleType) -> bool:
    """Put a mutant's code into the loaded function that it changes; False where that is impossible."""
    space = {**vars(module), "__name__": module.__name__}
    exec(compile(mutant.code, module.__file__, "exec"), space)
    if not mutant.definition:
        return False
    old, new = (_function(start, mutant.definition) for start in (vars(module), space))
    if old.__code__.co_freevars != new.__code__.co_freevars:
        return False
    old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
    return True


def _function(space: dict, definition: str) -> types.FunctionType:
    first, *rest = definition.split(".")
    found = space[first]
    for name in rest:
        found = inspect.getattr_static(found, name)
    for wrapper in ("__func__", "fget", "__wrapped__"):
        found = getattr(found, wrapper, found)
    return found


def _try_out_afresh(mutant: FileMutant, module: str, tests: list[str]) -> str | None:
    """The same with everything loaded anew, where a constant or a class has changed."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("course_lib", "tests", "benchmarks"):
            del sys.modules[name]
    sys.meta_path.insert(0, _Finder(module, mutant.code))
    code = pytest.main(["-x", *QUIETLY, *tests])
    return None if code == pytest.ExitCode.OK else "with everything loaded anew"


class _Finder:
    """Finds one module, with other code than its file holds."""

    def __init__(self, module: str, code: str):
        self.module, self.code = module, code

    def find_spec(self, name: str, path: object = None, target: object = None):
        if name != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        return importlib.util.spec_from_loader(name, self, origin=spec.origin)

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        module.__file__ = module.__spec__.origin
        exec(compile(self.code, module.__file__, "exec"), vars(module))


def survey(module: str) -> dict:
    """What the tests of a file notice: numbers of ``mutants`` and ``killed``, ``equivalent``, ``survivors``.

    To be called in a process that has neither loaded the library's methods nor computed a gradient.
    """
    _prepare()
    plugin = Survey(module)
    tests = [str(ROOT / "tests" / name) for name in WATCHED[module]]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = pytest.main([*QUIETLY, *tests], plugins=[plugin])
    if not plugin.found:
        raise RuntimeError(f"The tests of {module} could not be collected or fail (pytest says {code!r}).")
    return plugin.found


def _prepare() -> None:
    """The same draws in every run; and what the children would else load, each for itself, for seconds."""
    import scipy.stats  # noqa: F401
    import sklearn.mixture  # noqa: F401
    import torch
    from hypothesis import settings

    torch.set_num_threads(1)
    torch.testing.assert_close(torch.zeros(1), torch.zeros(1))
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    settings.register_profile("mutation", derandomize=True, database=None)
    settings.load_profile("mutation")


def known_equivalents() -> dict[str, dict[str, str]]:
    """For each file the changes that leave it right, with the reason."""
    return tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))


def path_of(module: str) -> Path:
    """The file of a module of the library, such as ``methods.shade``."""
    return ROOT.joinpath("course_lib", *module.split(".")).with_suffix(".py")


def recorded() -> dict[str, dict]:
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def in_a_process(module: str) -> dict:
    """The survey of one file in a process of its own."""
    command = [sys.executable, "-m", "tools.mutation.methods", "--print", module]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutation.methods", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="such as methods.shade; none: every one")
    parser.add_argument("--check", action="store_true", help="compare with the record, write nothing")
    parser.add_argument("--print", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.print:
        print(json.dumps(survey(asked.files[0]), ensure_ascii=False))
        return 0
    found = {module: in_a_process(module) for module in asked.files or WATCHED}
    for module, entry in found.items():
        print(f"{module}: {entry['killed']} of {entry['mutants']} killed, "
              f"{len(entry['equivalent'])} equivalent, {len(entry['survivors'])} survive")  # fmt: skip
    if asked.check:
        return int(any(recorded().get(module) != entry for module, entry in found.items()))
    merged = {**recorded(), **found}
    ordered = {module: merged[module] for module in WATCHED if module in merged}
    write_atomically(RECORD, json.dumps(ordered, indent=2, ensure_ascii=False) + "\n")
    return int(any(entry["survivors"] for entry in found.values()))


if __name__ == "__main__":
    sys.exit(main())
