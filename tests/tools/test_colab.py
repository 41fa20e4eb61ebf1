"""Colab, imitated: a fresh environment outside of the checkout, with torch in it and without the course.

The notebook's own first cell installs the course there, from a wheel of this checkout instead of the
repository's address, and the notebook then runs in an empty folder.
"""

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest

from tools.pages import chapters
from tools.project import ROOT, read_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the imitation lends packages by symbolic links."),
]

# Runs in the imitation: the notebook, then a look at where things come from.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=280, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
LOOK = """
import json, course_lib, numpy, torch, torchvision
modules = course_lib, numpy, torch, torchvision
print(json.dumps({m.__name__: [m.__version__, m.__file__] for m in modules}))
"""
INSTALLED = """
import importlib.metadata as m
print(*sorted(f"{d.metadata['Name']}=={d.version}" for d in m.distributions()), sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The course as a wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


class Colab:
    """An environment with everything that this one has, except for the course."""

    def __init__(self, folder: Path):
        self.folder = folder
        venv.create(folder / "env", with_pip=True)
        self.python = folder / "env" / "bin" / "python"
        lent, ours = folder / "lent", read_project().name.replace("-", "_")
        lent.mkdir()
        for packages in site.getsitepackages():
            for entry in Path(packages).iterdir():
                # An editable install would lead back to the checkout.
                own = entry.name.startswith((ours, "course_lib", "_editable_impl")) or entry.suffix == ".pth"
                if not own and entry.name not in ("pip", "setuptools"):
                    (lent / entry.name).symlink_to(entry)
        (own_packages,) = (folder / "env" / "lib").glob("python*/site-packages")
        (own_packages / "lent.pth").write_text(f"{lent}\n")
        fake = folder / "fake" / "google"
        fake.mkdir(parents=True)
        (fake / "colab.py").write_text("")
        (fake.parent / "sitecustomize.py").write_text("import google.colab\n")
        (folder / "empty").mkdir()

    def run(self, code: str, *arguments, **variables) -> str:
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR", "LANG") if key in os.environ}
        environment = {
            **kept,
            "PYTHONPATH": str(self.folder / "fake"),
            "JUPYTER_DATA_DIR": str(self.folder / "jupyter"),
            "COURSE_CACHE": str(self.folder / "cache"),
            "COURSE_SCALE": "smoke",
            "OMP_NUM_THREADS": "1",
            "PIP_NO_INDEX": "1",
            **variables,
        }
        command = [str(self.python), "-c", code, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.folder / "empty", env=environment, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    return Colab(tmp_path_factory.mktemp("colab"))


def notebook_for(path: Path, wheel: Path, folder: Path) -> Path:
    """The notebook as it is, except that its first cell finds the course at the wheel."""
    notebook = nbformat.read(path, 4)
    requirement = read_project().requirement
    assert requirement in notebook.cells[0].source
    name = requirement.partition(" @ ")[0]
    notebook.cells[0].source = notebook.cells[0].source.replace(requirement, f"{name} @ {wheel.as_uri()}")
    place = folder / path.name
    nbformat.write(notebook, place)
    return place


@pytest.mark.parametrize("chapter", [path.stem for path in chapters()])
def test_a_notebook_sets_itself_up_and_runs(colab, wheel, tmp_path, chapter):
    before = set(colab.run(INSTALLED).split())
    fresh = f"{read_project().name}=={read_project().version}" not in before
    ran = tmp_path / "ran.ipynb"
    colab.run(RUN, notebook_for(ROOT / "notebooks" / f"{chapter}.ipynb", wheel, tmp_path), ran)
    notebook = nbformat.read(ran, 4)
    said = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    assert said.endswith("Ready.\n") == fresh
    assert set(colab.run(INSTALLED).split()) - before <= {f"{read_project().name}=={read_project().version}"}
    assert before <= set(colab.run(INSTALLED).split())
    found = json.loads(colab.run(LOOK))
    assert Path(found.pop("course_lib")[1]).is_relative_to(colab.folder / "env")
    assert all(Path(file).is_relative_to(colab.folder / "lent") for _, file in found.values())
    for name, (version, _) in found.items():
        assert version == __import__(name).__version__


def test_an_exercise_runs_to_its_end_there(colab, wheel, tmp_path):
    for path in sorted((ROOT / "exercises").glob("[0-9]*.ipynb")):
        ran = tmp_path / path.name.replace(".ipynb", ".ran.ipynb")
        colab.run(RUN, notebook_for(path, wheel, tmp_path), ran)
        outputs = [output for cell in nbformat.read(ran, 4).cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.output_type == "error"]


def test_the_wheel_holds_the_whole_library(wheel):
    import zipfile

    inside = set(zipfile.ZipFile(wheel).namelist())
    sources = [path for path in (ROOT / "course_lib").rglob("*") if path.is_file()]
    wanted = {path.relative_to(ROOT).as_posix() for path in sources if "__pycache__" not in path.parts}
    assert wanted <= inside
    assert not [name for name in inside if name.startswith(("tools/", "tests/", "book/", "solutions/"))]
    recorded = {f"course_lib/recorded/{path.name}" for path in (ROOT / "results").glob("*.json")}
    assert recorded and recorded <= inside


def test_the_checkout_is_not_seen_from_there(colab):
    assert colab.run("import sys; print(*sys.path, sep='\\n')").count(str(ROOT / "course_lib")) == 0
    assert str(ROOT) + "\n" not in colab.run("import sys; print(*sys.path, sep='\\n')")
