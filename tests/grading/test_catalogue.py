"""Every task of the course: the stub is not attempted, the reference and other right answers pass, and each
catalogued wrong answer is told its own mistake and no other's.

The file of tests of a task, ``tests/grading/CHAPTER/test_NAME.py``, gives ``RIGHT``, right answers written
independently, and ``CAUSES_OF``, the causes of wrong answers that do not show as a wrong value.
"""

import doctest
import importlib

import pytest

from course_lib.grading import tasks
from course_lib.grading.outcome import NOT_ATTEMPTED, NOT_YET
from tests.grading.trying import verdict
from tools.exercise_notebooks import without_solution
from tools.mutation.references import references

REFERENCES = {r.task.id: r for chapter in tasks.chapters() for r in references(chapter)}
ALL = [task for chapter in tasks.chapters() for task in tasks.of_chapter(chapter)]
BESIDE = {
    task.id: importlib.import_module("tests.grading.{}.test_{}".format(*task.id.split("."))) for task in ALL
}
RIGHT = [(task, answer) for task in ALL for answer in BESIDE[task.id].RIGHT]
WRONG = [(task, entry) for task in ALL for entry in task.misconceptions]


def test_every_task_has_its_reference():
    assert list(REFERENCES) == [task.id for task in ALL]


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_the_reference_passes_and_borrows_nothing(task):
    outcome = verdict(task, REFERENCES[task.id].answer(), watch=True)
    assert outcome.says == "" and outcome.points == task.points


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_there_are_three_right_answers_besides_the_reference(task):
    assert len(set(BESIDE[task.id].RIGHT)) >= 3


@pytest.mark.parametrize(
    ("task", "answer"), RIGHT, ids=[f"{t.id}-{getattr(a, '__name__', 'object')}" for t, a in RIGHT]
)
def test_right_answers_pass_however_they_are_written(task, answer):
    outcome = verdict(task, answer)
    assert outcome.says == "" and outcome.points == task.points


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_the_stub_is_not_attempted(task):
    reference = REFERENCES[task.id]
    stub = reference.answer(without_solution(reference.code, task.id))
    assert verdict(task, stub, watch=True).state == NOT_ATTEMPTED


@pytest.mark.parametrize(("task", "entry"), WRONG, ids=[f"{t.id}-{e.name}" for t, e in WRONG])
def test_a_wrong_answer_is_told_its_own_mistake(task, entry):
    outcome = verdict(task, entry.wrong)
    assert outcome.state == NOT_YET and outcome.points == 0
    assert outcome.cause == getattr(BESIDE[task.id], "CAUSES_OF", {}).get(entry.name, "value")
    assert (outcome.misconception, outcome.advice) == (entry.name, entry.message)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_the_catalogue_is_large_and_no_two_entries_say_the_same(task):
    for what in ("name", "message"):
        said = [getattr(entry, what) for entry in task.misconceptions]
        assert len(said) == len(set(said)) >= 8
    assert all(30 <= len(entry.message) <= 320 for entry in task.misconceptions)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_hints_escalate_and_give_no_code_away(task):
    direction, formula, steps = task.hints
    assert "=" not in direction.replace("==", "") and "\n" in steps
    assert len(direction) < 400 and len(formula) > 20
    assert "return torch." not in steps and f"def {task.function}" not in steps


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_the_example_in_the_text_is_what_the_reference_gives(task):
    reference = REFERENCES[task.id]
    space = reference.namespace()
    found = doctest.DocTestFinder(recurse=False).find(space[task.function], task.function, globs=space)
    tried = [doctest.DocTestRunner(verbose=False).run(test) for test in found]
    assert sum(each.attempted for each in tried) > 0
    assert sum(each.failed for each in tried) == 0
