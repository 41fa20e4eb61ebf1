"""nbgrader itself takes our notebooks: the same release, and the same points as `course grade`.

nbgrader lives in an environment of its own that is made here and thrown away.  It brings a whole JupyterLab,
which nobody needs who takes the course.  torch is not installed again: nbgrader runs the notebooks through a
kernel that is this Python.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.grading import grade_files, tasks
from course_lib.grading.hand_ins.notebook import grade_id, marker_of

ROOT = Path(__file__).resolve().parents[2]
BIN = "Scripts" if os.name == "nt" else "bin"
# Exact, so that this test turns red for a change of ours and not for one of theirs.
NBGRADER = "nbgrader==0.9.6"
TASKS = {grade_id(task.id): task for task in tasks.of_chapter("shade")}

# What the page for teachers tells them to write.
PAGE = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
(CONFIG,) = re.findall(r"```python\n(import os\n.*?get_config.*?)```", PAGE, re.DOTALL)

READ_POINTS = """\
import json
from nbgrader.api import Gradebook

points = {}
with Gradebook("sqlite:///gradebook.db", "representations") as book:
    for student in book.students:
        grades = book.find_submission_notebook("01_shade", "01_shade", student.id).grades
        assert not any(grade.needs_manual_grade for grade in grades)
        points[student.id] = {grade.name: (grade.score, grade.max_score) for grade in grades}
print(json.dumps(points))
"""

# The student "mixed" leaves these as they were ...
UNTOUCHED = {"shade-landscape", "shade-histogram_entropy"}
# ... has these wrong: a wrong number, one that is off by a mean, an error when called, no function at all ...
WRONG = {
    "shade-penalty": ("squares.mean(dim=0)", "squares.sum(dim=0)"),
    "shade-varentropy": ("centred = x - x.mean(dim=0)", "centred = x"),
    "shade-whitening": ("return centred", "1 / 0\n    return centred"),
    "shade-binact": ("def binact(", "def binact(:"),
}
# ... and this right, but noisy: to nbgrader a check cell with anything on the error stream has failed.
NOISY = {"shade-gradient": ("if detach_p:", '__import__("warnings").warn("noise")\n    if detach_p:')}
# Of two tasks the check is not what it was: one always passes, the other is gone.
WEAKENED, DELETED = "shade-penalty-check", "shade-averages-check"


class NotRun(Exception):
    """A command that did not end well; the message is what it said."""


class Nbgrader:
    """nbgrader in a folder of its own, which is also the course's folder.

    Nothing of the user's Jupyter and IPython gets in: their settings could change what a kernel does.
    """

    def __init__(self, folder: Path):
        self.folder = folder / "course"
        self.folder.mkdir()
        (self.folder / "nbgrader_config.py").write_text(CONFIG)
        self.programs = folder / "environment" / BIN
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON", "VIRTUAL_ENV"))}
        own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
        # As an activated environment does: nbgrader starts `alembic` by its name alone.
        own["PATH"] = os.pathsep.join([str(self.programs), os.environ["PATH"]])
        self.variables = {**kept, **own, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}

    def install(self) -> None:
        """nbgrader, from the registry.

        Raises:
            NotRun: it is not to be had here.
        """
        uv = shutil.which("uv", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
        if uv is None:
            raise NotRun("there is no uv.")
        self.run(uv, "venv", "--quiet", "--python", sys.executable, self.programs.parent)
        self.run(uv, "pip", "install", "--quiet", "--python", self.programs / "python", NBGRADER)

    def add_kernel(self) -> None:
        """A kernel ``python3`` that is this Python, with this checkout's library."""
        kernel = [sys.executable, "-m", "ipykernel", "install", "--name", "python3"]
        self.run(*kernel, "--prefix", self.programs.parent, "--env", "PYTHONPATH", ROOT)

    def __call__(self, *words: object) -> str:
        return self.run(self.programs / "nbgrader", *words)

    def run(self, *command: object) -> str:
        """What a command says; it must end well."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder, env=self.variables, timeout=600,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip
        if done.returncode:
            raise NotRun(done.stdout)
        return done.stdout

    def notebook(self, step: str, student: str = "") -> Path:
        """Where nbgrader wants or puts a notebook."""
        return self.folder / step / student / "01_shade" / "01_shade.ipynb"

    def points(self) -> dict[str, dict[str, list[float]]]:
        """For each student, by the ids of the check cells, the points and how many there are."""
        return json.loads(self.run(self.programs / "python", "-W", "ignore", "-c", READ_POINTS))


@pytest.fixture
def nbgrader(tmp_path):
    made = Nbgrader(tmp_path)
    try:
        made.install()
    except NotRun as problem:
        reason = f"{NBGRADER} cannot be installed here: {problem}"
        if os.environ.get("COURSE_REQUIRE_NBGRADER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    made.add_kernel()
    return made


def warnings_in(said: str) -> list[str]:
    """The sentences that nbgrader itself warns with; SQLAlchemy's and the kernel's are not about us."""
    return re.findall(r"^\[\w+ \| (?:WARNING|ERROR)\] (.+)$", said, re.MULTILINE)


def comparable(cell: dict) -> dict:
    """A cell without nbgrader's checksums, and without the task's name in a stub: nbgrader's has none."""
    cell = json.loads(json.dumps(cell))
    cell["metadata"].get("nbgrader", {}).pop("checksum", None)
    cell["source"] = re.sub(
        r'raise NotImplementedError\("[\w.]+"\)', "raise NotImplementedError()", cell["source"]
    )
    return cell


def mixed(release: dict, solution: dict) -> dict:
    """The release as a student may hand it in: some answers right, some wrong, some not begun."""
    made = json.loads(json.dumps(release))
    answers = {marker_of(cell): cell["source"] for cell in solution["cells"]}
    for cell in made["cells"]:
        marker = marker_of(cell)
        if marker in TASKS and marker not in UNTOUCHED:
            answer = re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", answers[marker], flags=re.MULTILINE)
            old, new = {**WRONG, **NOISY}.get(marker, ("", ""))
            assert old in answer
            cell["source"] = answer.replace(old, new)
        elif marker == WEAKENED:
            cell["source"] = 'print("passed")'
    made["cells"] = [cell for cell in made["cells"] if marker_of(cell) != DELETED]
    return made


@pytest.mark.slow
def test_nbgrader_makes_the_same_release_and_gives_the_same_points(nbgrader, tmp_path):
    shipped, solution = (
        nbformat.read(ROOT / folder / "01_shade.ipynb", as_version=4) for folder in ("exercises", "solutions")
    )

    source = nbgrader.notebook("source")
    source.parent.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / "01_shade.ipynb", source)
    assert warnings_in(nbgrader("generate_assignment", "01_shade")) == []
    release = nbformat.read(nbgrader.notebook("release"), as_version=4)
    assert [comparable(cell) for cell in release.cells] == [comparable(cell) for cell in shipped.cells]

    said = nbgrader("validate", source)
    assert "Success! Your notebook passes all the tests." in said and warnings_in(said) == []

    students = {"right": solution, "empty": shipped, "mixed": mixed(release, solution)}
    for name, notebook in students.items():
        path = nbgrader.notebook("submitted", name)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
    warned = warnings_in(nbgrader("autograde", "01_shade"))
    assert {WEAKENED, DELETED} == {
        word for line in warned for word in line.split() if word.startswith("shade-")
    }
    ran = nbgrader.notebook("autograded", "right").read_text(encoding="utf-8")
    (trainings,) = re.findall(r'"(\d+) trainings, a dot for each', ran)
    assert int(trainings) < 20  # the file of settings makes the scale smoke; at cpu there are 48
    assert not Path(os.environ["COURSE_PROGRESS"]).exists()  # the instructor's own progress is untouched

    grade_files([str(nbgrader.folder / "submitted")], json_out=tmp_path / "points.json", brief=True)
    report = json.loads((tmp_path / "points.json").read_text(encoding="utf-8"))
    ours = {
        Path(entry["file"]).parts[-3]: {
            f"{grade_id(row['task'])}-check": [row["points"], row["max_points"]] for row in entry["tasks"]
        }
        for entry in report["files"]
    }
    lost = {"right": set(), "empty": set(TASKS), "mixed": UNTOUCHED | set(WRONG)}
    wanted = {
        name: {f"{marker}-check": [0 if marker in no else t.points, t.points] for marker, t in TASKS.items()}
        for name, no in lost.items()
    }
    assert nbgrader.points() == ours == wanted
