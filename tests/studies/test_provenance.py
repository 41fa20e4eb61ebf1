"""The digest of the code changes when code that takes part changes, and only then."""

import importlib
import os
import subprocess
import sys

import pytest

from course_lib.studies.provenance import code_digest, environment
from course_lib.studies.runner import isolated_random_state

FILES = {
    "__init__.py": "",
    "nets/__init__.py": """from tinylib.nets.big import Big
from tinylib.nets.small import Small
NETS = {"s": Small}
""",
    "nets/small.py": "class Small:\n    width = 3\n",
    "nets/big.py": "class Big:\n    width = 300\n",
    "data/__init__.py": "",
    "data/embedded/__init__.py": "",
    "data/embedded/drawn.py": "INK = 1\n",
    "data/embedded/asked_for.py": "INK = 1\n",
    "studies/__init__.py": "",
    "studies/shade.py": '''"""A chapter."""

from tinylib.nets import Small
from tinylib.nets.big import Big
from tinylib.registry import Study

WIDTH = 2
TABLE = {}
TABLE["wide"] = WIDTH
TABLE["set"] = "drawn"


def measure(config: "Config", seed: Study) -> Study:
    """Measure it."""
    from tinylib.training import fit

    # a comment
    return fit(helper(Small), TABLE)


def helper(net):
    return net().width


def other(config, seed):
    return Big().width


STUDY = (measure, [net for net in ("a claim",)])
''',
    "training.py": """import warnings
from tinylib import tools
from tinylib import wholly
warnings.simplefilter("default")
def fit(x, table):
    return tools.twice(x) + depth(wholly)
def depth(module):
    return module.DEPTH
def unused(x):
    return x
""",
    "tools.py": "def twice(x):\n    return 2 * x\n\n\ndef thrice(x):\n    return 3 * x\n",
    "wholly.py": "DEPTH = 1\n\n\ndef told_by_name():\n    return 1\n",
    "registry.py": "Study = int\n",
    "cli.py": "def main():\n    return 0\n",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library, and a function that tells the digest of its ``measure`` after an edit."""
    root = tmp_path / "tinylib"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    measure = importlib.import_module("tinylib.studies.shade").measure

    def digest_after(name=None, old="", new=""):
        if name:
            assert old in FILES[name]
            (root / name).write_text(FILES[name].replace(old, new))
        got = code_digest(measure, root)
        if name:
            (root / name).write_text(FILES[name])
        return got

    yield digest_after
    for module in [name for name in sys.modules if name.split(".")[0] == "tinylib"]:
        del sys.modules[module]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("studies/shade.py", "return fit(", "return 1 + fit("),
        ("studies/shade.py", "net().width", "net().width + 1"),
        ("studies/shade.py", "WIDTH = 2", "WIDTH = 22"),
        ("studies/shade.py", 'TABLE["wide"]', 'TABLE["slim"]'),
        ("nets/small.py", "3", "4"),
        ("training.py", "tools.twice(x)", "tools.twice(x) * 1.0"),
        ("training.py", "default", "ignore"),
        ("tools.py", "2 * x", "x + x"),
        ("wholly.py", "return 1", "return 2"),
        ("data/embedded/drawn.py", "1", "2"),
    ],
)
def test_code_that_takes_part_counts(library, name, old, new):
    assert library(name, old, new) != library()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("studies/shade.py", "A chapter.", "A chapter, said better."),
        ("studies/shade.py", "Measure it.", "Measure it, said better."),
        ("studies/shade.py", "    # a comment\n", "\n    # another\n    # comment\n\n"),
        ("studies/shade.py", "a claim", "another claim"),
        ("studies/shade.py", "Big().width", "Big().width + 1"),
        ("nets/big.py", "300", "400"),
        ("nets/__init__.py", "Small}", "Small, 'b': Big}"),
        ("registry.py", "int", "float"),
        ("cli.py", "return 0", "return 1"),
        ("data/embedded/asked_for.py", "1", "2"),
        ("training.py", "def unused(x):", "def another(x, y):"),
        ("tools.py", "3 * x", "x + x + x"),
    ],
)
def test_code_that_takes_no_part_does_not(library, name, old, new):
    assert library(name, old, new) == library()


def test_an_image_set_counts_where_a_configuration_names_it():
    plain, one, other, real = (
        code_digest(isolated_random_state, named=names)
        for names in ([], ["digits_m"], ["objects"], ["cifar10"])
    )
    assert len({plain, one, other}) == 3 and real == plain


def test_a_function_from_elsewhere_counts_with_its_text_and_the_whole_library():
    def one(seed):
        return seed

    def two(seed):
        return seed + 1

    assert code_digest(one) == code_digest(one) != code_digest(two)


def test_a_function_of_the_library_is_followed():
    assert len(code_digest(isolated_random_state)) == 16


@pytest.mark.slow
def test_the_order_in_which_python_looks_at_sets_does_not_matter():
    ask = (
        "from course_lib.studies import all_studies; from course_lib.studies.provenance import code_digest;"
        "print([code_digest(study.measure) for study in all_studies()])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", ask],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1


def test_the_environment_names_packages_and_device():
    import torch

    told = environment(torch.device("cpu"))
    assert told["torch"] == torch.__version__ and told["device"].startswith("cpu (")
