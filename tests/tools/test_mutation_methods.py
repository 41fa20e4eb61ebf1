"""The mutants of the library's methods, how they are tried out, and the record that no test misses one."""

import ast
import subprocess
import sys
import types

import pytest

from tools.mutation.definitions import bare, file_mutants
from tools.mutation.methods import WATCHED, known_equivalents, path_of, recorded, taken_in
from tools.project import ROOT

FILE = '''"""A file."""

import math
from x import y

LIMIT: int = 3


def half(a: int | None, b=2) -> float:
    """Half of it, say "0.5"."""
    if b < LIMIT:
        raise ValueError(f"b is {b - 1}")
    return a / b


class Unit:
    """A unit."""

    mu: float
    size = 4

    def step(self, h):
        """One step."""
        return h - self.size

    @property
    def double(self):
        return self.size * 2

    @staticmethod
    def third(h):
        return h / 3

    def parent(self):
        return super().__init__()

    def extra_repr(self):
        return "size=" + str(self.size)
'''


def changes(code):
    return {mutant.change: mutant for mutant in file_mutants(code)}


def test_every_definition_changes_and_only_what_runs():
    found = changes(FILE)
    assert "half: `a / b` → `b / a` in `return a / b`" in found
    assert "half: `a` → `b` in `return a / b`" in found
    assert "half: `2` → `3` in `def half(a, b=2):`" in found
    assert "file: `3` → `4` in `LIMIT = 3`" in found
    assert "Unit: `4` → `5` in `size = 4`" in found
    assert "Unit.step: `h - self.size` → `h + self.size` in `return h - self.size`" in found
    definitions = {mutant.definition for mutant in found.values()}
    assert definitions == {"", "half", "Unit.step", "Unit.double", "Unit.third", "Unit.parent"}
    for words in ("say", "A unit", "`b is", "`b - 1", "int |", "float", "x import", "str("):
        assert not any(words in change for change in found), words


def test_a_mutant_is_the_whole_file_with_one_change():
    plain = ast.unparse(bare(FILE)).replace("\n\n", "\n").split("\n")
    for mutant in file_mutants(FILE):
        text = ast.unparse(ast.parse(mutant.code)).replace("\n\n", "\n").split("\n")
        assert text != plain
        if len(text) == len(plain):
            assert sum(a != b for a, b in zip(text, plain)) == 1, mutant.change
    assert len({mutant.code for mutant in file_mutants(FILE)}) == len(changes(FILE))


@pytest.fixture
def module():
    made = types.ModuleType("made")
    made.__file__ = "made.py"
    exec(FILE.replace("from x import y", ""), vars(made))
    return made


@pytest.mark.parametrize(
    "change, ask, before, after",
    [
        ("half: `a / b` → `b / a` in `return a / b`", lambda m, half: half(3, 6), 0.5, 2),
        ("half: `2` → `3` in `def half(a, b=2):`", lambda m, half: half.__defaults__, (2,), (3,)),
        ("Unit.step: `h - self.size` → `h` in `return h - self.size`", lambda m, _: m.Unit().step(7), 3, 7),
        ("Unit.double: `2` → `3` in `return self.size * 2`", lambda m, _: m.Unit().double, 8, 12),
        ("Unit.third: `3` → `4` in `return h / 3`", lambda m, _: m.Unit.third(12), 4, 3),
    ],
)
def test_a_mutant_is_taken_into_what_is_loaded(module, change, ask, before, after):
    mutant = changes(FILE.replace("from x import y", ""))[change]
    half = module.half  # what somebody else has imported already
    assert ask(module, half) == before
    assert taken_in(mutant, module)
    assert ask(module, half) == after and module.half is half


def test_what_cannot_be_taken_in_is_loaded_anew(module):
    found = changes(FILE.replace("from x import y", ""))
    for change in (
        "file: `3` → `4` in `LIMIT = 3`",
        "Unit: `4` → `5` in `size = 4`",
        "Unit.parent: `return super().__init__()` → `nothing` in `return super().__init__()`",
    ):
        assert not taken_in(found[change], module)
    assert module.LIMIT == 3 and module.Unit.size == 4


# --- the record ------------------------------------------------------------------------------------------


def test_the_record_is_of_these_files_and_no_mutant_survives():
    record = recorded()
    assert list(record) == list(WATCHED)
    for module, entry in record.items():
        assert entry["survivors"] == [], module
        assert entry["killed"] + len(entry["equivalent"]) == entry["mutants"] > 50
        assert {test for test in WATCHED[module] if not (ROOT / "tests" / test).is_file()} == set()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # some mutants call a number
@pytest.mark.parametrize("module", WATCHED)
def test_the_equivalents_still_exist_and_have_a_reason(module):
    found = changes(path_of(module).read_text(encoding="utf-8"))
    listed = known_equivalents().get(module, {})
    assert set(listed) <= set(found)
    assert all(len(reason) > 20 for reason in listed.values())
    entry = recorded()[module]
    assert entry["equivalent"] == listed and entry["mutants"] == len(found)


@pytest.mark.slow
def test_the_survey_of_shade_gives_what_is_recorded():
    command = [sys.executable, "-m", "tools.mutation.methods", "--check", "methods.shade"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


TOLD = """
from tools.mutation import methods
every = methods.file_mutants
methods.file_mutants = lambda code: [m for m in every(code) if "`y - y.mean(0)` →" in m.change]
methods.known_equivalents = lambda: {}
print(methods.survey("methods.stability"))
"""


@pytest.mark.slow
def test_what_passes_without_a_reason_is_told_as_a_survivor():
    done = subprocess.run([sys.executable, "-c", TOLD], cwd=ROOT, capture_output=True, text=True)
    found = ast.literal_eval(done.stdout.splitlines()[-1])
    (survivor,) = found["survivors"]
    assert survivor.startswith("all_pairs_stability: `y - y.mean(0)` → `y.mean(0) - y` in `")
    assert found["equivalent"] == {} and found["mutants"] == found["killed"] + 1 == 4, done.stderr
    assert f"survives: {survivor}" in done.stderr
