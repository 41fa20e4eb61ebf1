"""What the repository promises as a whole: its architecture, its addresses, its lock."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "course_lib"

# From the ground up.  A room may import what stands before it, never what stands after it.
ROOMS = [
    {"runtime"},
    {"files"},
    {"data", "nets", "metrics", "localisation"},
    {"training"},
    {"plots"},
    {"players"},
    {"methods"},
    {"studies"},
    {"grading"},
    {"doctor"},
    {"cli"},
]
HEIGHT = {room: height for height, rooms in enumerate(ROOMS) for room in rooms}
FORBIDDEN = {"methods": {"data", "plots", "players", "studies", "grading"}}
ALLOWED = {
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "sklearn",
    "matplotlib",
    "PIL",
    "tqdm",
    "IPython",
    "ipywidgets",
}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at any depth of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the import with its full name"
            found.add(node.module)
            if node.module == "course_lib":
                found |= {f"course_lib.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


FILES = sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    room = room_of(path)
    assert room in HEIGHT, f"{room} is a new room: give it its place in ROOMS"
    for module in imports(path):
        parts = module.split(".")
        if parts[0] != "course_lib" or len(parts) == 1 or parts[1] == "__version__":
            continue
        other = parts[1]
        assert other == room or HEIGHT[other] < HEIGHT[room], f"{room} must not import {other}"
        assert other not in FORBIDDEN.get(room, ()), f"{room} must not import {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_imports_only_what_colab_has(path):
    import sys

    foreign = (
        {module.split(".")[0] for module in imports(path)} - set(sys.stdlib_module_names) - {"course_lib"}
    )
    assert foreign <= ALLOWED


def test_every_python_file_reads_in_one_sitting():
    long = {
        str(p.relative_to(ROOT)): n
        for p in tracked()
        if p.suffix == ".py"
        and p.parent.name != "solutions"  # notebooks as text, mostly prose
        and (n := p.read_text().count("\n")) > 300
    }
    assert long == {}


def test_the_lock_holds_names_versions_and_hashes_only():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock and "--index" not in lock and "--find-links" not in lock
    entries = [line for line in lock.splitlines() if line and line[0] not in " #"]
    assert len(entries) > 100
    assert all(re.match(r"[a-z0-9._-]+==\S+( ;.*)? \\$", entry) for entry in entries)


def test_the_lock_covers_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    for group in project["dependency-groups"].values():
        wanted += group
    names = {re.match(r"[A-Za-z0-9-]+", line)[0].lower() for line in wanted}
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
    assert names <= locked


def test_every_dependency_has_its_reason():
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if re.match(r'  "[a-z0-9-]+[><=]', line):
            assert re.search(r"#\s\w+", line), f"say why it is there: {line.strip()}"


def test_library_dependencies_have_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all(re.fullmatch(r"[a-z-]+>=[\d.]+", line) for line in project["dependencies"])
    assert project["requires-python"] == ">=3.11"


def test_the_address_of_the_repository_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    address = project["urls"]["Repository"].removeprefix("https://")
    generated = (ROOT / "notebooks", ROOT / "exercises", ROOT / "solutions")
    holders = [
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if address in path.read_bytes().decode(errors="ignore")
        and not (path.suffix == ".ipynb" and path.parent in generated)
    ]
    assert holders == ["pyproject.toml"]


def test_no_file_is_large():
    assert [p.name for p in tracked() if p.stat().st_size > 1_000_000] == []


def test_versions_agree():
    from course_lib import __version__

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_code_has_one_style():
    import sys

    for command in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stdout + result.stderr
