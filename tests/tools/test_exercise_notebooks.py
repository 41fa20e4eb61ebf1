"""One source, two notebooks: what students get, what instructors get, and what a source must not do."""

import doctest
import json

import nbformat
import pytest
import torch

from course_lib.grading import tasks
from tools.exercise_notebooks import BEGIN, END, BadSource, convert, outputs, without_solution
from tools.notebook_common import write_safely
from tools.project import ROOT, read_project

SOURCE = (ROOT / "solutions" / "01_shade.py").read_text(encoding="utf-8")
PROJECT = read_project()
TASK = tasks.get("shade.penalty")


def both(text=SOURCE):
    return [nbformat.reads(made, as_version=4) for made in convert(text, "01_shade", PROJECT)]


def cell_of(notebook, grade_id):
    (cell,) = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id]
    return cell


def test_the_generated_files_are_current():
    for path, text in outputs():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run ./run generate"


def test_the_same_source_gives_the_same_bytes():
    assert convert(SOURCE, "01_shade", PROJECT) == convert(SOURCE, "01_shade", PROJECT)


def test_notebooks_are_valid_and_hold_no_outputs():
    for notebook in both():
        nbformat.validate(notebook)
        assert all(not cell.get("outputs") for cell in notebook.cells)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
        assert "def set_up_course()" in notebook.cells[0].source


def test_students_get_everything_but_the_solution():
    solution, exercise = both()
    answer = cell_of(exercise, "shade-penalty").source
    assert answer.endswith('raise NotImplementedError("shade.penalty")')
    assert "sigmoid" not in answer
    assert answer.startswith("def shade_penalty(h, mu):")
    compile(answer, "cell", "exec")
    assert BEGIN in cell_of(solution, "shade-penalty").source
    others = [
        [
            cell.source
            for cell in notebook.cells
            if cell.metadata.get("nbgrader", {}).get("solution") is not True
        ]
        for notebook in (solution, exercise)
    ]
    assert others[0] == others[1]


def test_the_head_of_a_task_is_made_from_the_task():
    text = cell_of(both()[1], "shade-penalty-statement").source
    assert text.startswith(f"## Task 1: {TASK.title}\n")
    assert f"({TASK.difficulty} of 5), about {TASK.minutes} minutes, {TASK.points} points." in text
    assert TASK.signature in text


def test_the_example_in_the_answer_cell_is_right():
    source = cell_of(both()[0], "shade-penalty").source
    space = {"torch": torch}
    exec(source, space)
    found = doctest.DocTestFinder().find(space["shade_penalty"], "shade_penalty", globs=space)
    result = doctest.DocTestRunner().run(found[0])
    assert result.attempted == 3 and result.failed == 0


def test_nbgrader_finds_its_metadata():
    """As its format 3 asks (nbgraderformat/v3.json): these keys, these types, no others."""
    types = {
        "schema_version": int, "grade": bool, "locked": bool, "solution": bool, "task": bool, "grade_id": str,
        "points": int, "cell_type": str,
    }  # fmt: skip
    for notebook in both():
        marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert len(marked) == 3 * len(tasks.of_chapter("shade"))
        for cell in marked:
            marks = cell.metadata.nbgrader
            assert all(type(value) is types[key] for key, value in marks.items())
            assert marks.schema_version == 3
            assert marks.grade_id.replace("-", "").replace("_", "").isalnum()
            assert ("points" in marks) == marks.grade
            assert marks.get("cell_type", cell.cell_type) == cell.cell_type
        assert sum(cell.metadata.nbgrader.get("points", 0) for cell in marked) == sum(
            task.points for task in tasks.of_chapter("shade")
        )
    check = cell_of(both()[1], "shade-penalty-check")
    assert check.source == 'check("shade.penalty", shade_penalty)'
    assert check.metadata.nbgrader.locked and check.metadata.editable is False
    answer = cell_of(both()[1], "shade-penalty").metadata
    assert not answer.nbgrader.locked and answer.deletable is False and "editable" not in answer


# --- what a source must not do ---------------------------------------------------------------

TEXT = "# %% [markdown] statement"
CHECK = '# %% check="shade.penalty"\ncheck("shade.penalty", shade_penalty)'
REFUSED = {
    "no solution": (lambda s: s.replace(BEGIN, "").replace(END, ""), "has no solution between"),
    "no end": (lambda s: s.replace(END, ""), f"the marker '{BEGIN}' has no partner"),
    "no begin": (lambda s: s.replace(BEGIN, ""), f"the marker '{END}' has no partner"),
    "twice": (lambda s: s.replace(BEGIN, f"{BEGIN}\n    {BEGIN}"), "has no partner"),
    "marker in a text": (lambda s: s + f"\n# %% [markdown]\n# {BEGIN}\n", "stands outside a task cell"),
    "unknown task": (lambda s: s.replace(' task="shade.penalty"', ' task="shade.x"'), "no task 'shade.x'"),
    "no check": (lambda s: s.replace(CHECK, ""), "the task shade.penalty has no check cell"),
    "other check": (lambda s: s.replace(CHECK, CHECK + "\nx = 1"), "and nothing else"),
    "no text": (lambda s: s.replace(' statement="shade.penalty"', ""), "has no statement cell"),
    "wrong order": (lambda s: s.replace(CHECK, "").replace(TEXT, f"{CHECK}\n\n{TEXT}"), "come as"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_a_source_that_breaks_a_rule_is_refused_in_one_sentence(fault):
    change, sentence = REFUSED[fault]
    assert change(SOURCE) != SOURCE
    with pytest.raises(BadSource, match=sentence) as refused:
        convert(change(SOURCE), "01_shade", PROJECT)
    assert "\n" not in str(refused.value)


def test_the_refusal_names_the_file(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "solutions" / "01_shade.py").write_text(SOURCE.replace(BEGIN, ""))
    with pytest.raises(BadSource, match=r"^solutions/01_shade\.py: "):
        list(outputs(tmp_path))


def test_a_stub_stands_where_the_solution_stood():
    source = f"def f(x):\n    y = 1\n    {BEGIN}\n    y = 2\n    {END}\n    return y\n\n{BEGIN}\ng = f\n{END}"
    assert without_solution(source, "a.b") == (
        "def f(x):\n    y = 1\n    # Write your answer here, in place of the next line.\n"
        '    raise NotImplementedError("a.b")\n    return y\n\n'
        '# Write your answer here, in place of the next line.\nraise NotImplementedError("a.b")'
    )


# --- a student's work ------------------------------------------------------------------------


def test_a_students_edited_notebook_is_never_overwritten(tmp_path):
    path = tmp_path / "01_shade.ipynb"
    old, new = (
        convert(SOURCE, "01_shade", PROJECT)[1],
        convert(SOURCE + "\n# %%\n1\n", "01_shade", PROJECT)[1],
    )
    assert write_safely(path, old) == path
    work = json.loads(path.read_text())
    work["cells"][5]["source"] = "def shade_penalty(h, mu):\n    return h.mean(0)  # mine"
    path.write_text(json.dumps(work))
    before = path.read_bytes()
    beside = write_safely(path, new)
    assert beside.name == "01_shade.new.ipynb" and beside.read_text() == new
    assert path.read_bytes() == before


def test_a_notebook_that_was_only_run_is_brought_up_to_date(tmp_path):
    path = tmp_path / "01_shade.ipynb"
    old, new = (
        convert(SOURCE, "01_shade", PROJECT)[1],
        convert(SOURCE + "\n# %%\n1\n", "01_shade", PROJECT)[1],
    )
    write_safely(path, old)
    ran = json.loads(path.read_text())
    ran["cells"][3]["execution_count"] = 7
    path.write_text(json.dumps(ran))
    assert write_safely(path, new) == path
    assert path.read_text() == new
