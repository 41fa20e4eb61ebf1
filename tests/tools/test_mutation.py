"""The small changes that mutants are made of, and the survey of every grader with them."""

import ast
import json

import pytest

from course_lib.grading import tasks
from tools.mutation.operators import mutants
from tools.mutation.references import learners_lines, references
from tools.mutation.survey import RESULTS, known_equivalents, rate, survey

TASKS = [task.id for chapter in tasks.chapters() for task in tasks.of_chapter(chapter)]


def texts(code, lines=None):
    return {mutant.code for mutant in mutants(code, lines)}


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("a + b", {"a - b", "a", "b"}),
        ("a - b", {"a + b", "b - a", "a", "b"}),
        ("a ** b", {"a * b", "b ** a", "a", "b"}),
        ("2 * a", {"2 / a", "2", "a", "3 * a", "-2 * a"}),
        ("def f(a, b):\n    return a", {"def f(a, b):\n    return b", "def f(a, b):\n    pass"}),
        ("-a", {"a"}),
        ("a < b", {"a <= b", "a > b"}),
        ("a and b", {"a or b", "a", "b"}),
        ("x.mean(0)", {"x.sum(0)", "x.mean()", "x.mean(1)", "0", "x"}),
        ("torch.log(x)", {"torch.log2(x)", "torch.log()", "x"}),
        ("f(a, b)", {"f(b, a)", "f(a)", "f(b)", "a"}),
        ("f(a, keepdim=True)", {"f(a)", "f(a, keepdim=False)", "f(keepdim=True)", "a"}),
        ("x[1:]", {"x", "x[:]", "x[2:]", "x[-1:]"}),
        ("(a, b)", {"(b, a)"}),
        ("a if c else b", {"a", "b"}),
        ("a += b", {"a -= b", "pass"}),
        ("with a:\n    b = 1", {"b = 1", "with a:\n    pass", "with a:\n    b = 2", "with a:\n    b = -1"}),
    ],
)
def test_every_small_change_is_made(code, wanted):
    whole = {"pass"} - wanted  # each of these is a statement, which may go as a whole
    assert texts(code) - whole == {ast.unparse(ast.parse(text)) for text in wanted}


def test_only_the_learners_lines_change():
    code = "def f(a):\n    ### BEGIN SOLUTION\n    b = a + 1\n    ### END SOLUTION\n    return b * 2"
    lines = learners_lines(code)
    assert lines == {3}
    made = texts(code, set(lines))
    assert made and all("return b * 2" in text for text in made)
    assert ast.unparse(ast.parse(code)) not in made


def test_a_change_is_told_with_its_line_and_each_by_a_name_of_its_own():
    told = [mutant.change for mutant in mutants("c = 1 + 1")]
    assert "`1 + 1` → `1 - 1` in `c = 1 + 1`" in told
    assert len(set(told)) == len(told)


def test_the_record_is_of_these_tasks_and_no_grader_lets_a_wrong_mutant_pass():
    recorded = {}
    for chapter in tasks.chapters():
        recorded |= json.loads((RESULTS / f"{chapter}.json").read_text(encoding="utf-8"))
    assert list(recorded) == TASKS
    assert all(entry["survivors"] == [] and rate(entry) >= 0.95 for entry in recorded.values())
    listed = {task_id: dict(reasons) for task_id, reasons in known_equivalents().items()}
    assert listed == {task_id: e["equivalent"] for task_id, e in recorded.items() if e["equivalent"]}
    assert all(len(why) > 20 for reasons in listed.values() for why in reasons.values())


def whatever_the_chip(entry):
    """A survey without what differs between processors: a number that runs away is infinite or only wrong."""
    refused = dict(entry["refused"])
    refused["value"] = refused.get("value", 0) + refused.pop("finite", 0)
    return {**entry, "refused": refused}


@pytest.mark.slow
@pytest.mark.parametrize("chapter", tasks.chapters())
def test_the_survey_gives_what_is_recorded(chapter):
    recorded = json.loads((RESULTS / f"{chapter}.json").read_text(encoding="utf-8"))
    for reference in references(chapter):
        found = whatever_the_chip(survey(reference))
        assert found == whatever_the_chip(recorded[reference.task.id]), reference.task.id
