"""Every task of the course: the stub is not attempted, the reference passes, each catalogued wrong answer is
told its own mistake and no other's."""

import pytest

from course_lib.grading import tasks
from course_lib.grading.outcome import NOT_ATTEMPTED, NOT_YET
from tests.grading.trying import verdict
from tools.exercise_notebooks import without_solution
from tools.mutation.references import references

REFERENCES = {r.task.id: r for chapter in tasks.chapters() for r in references(chapter)}
ALL = [task for chapter in tasks.chapters() for task in tasks.of_chapter(chapter)]
WRONG = [(task, entry) for task in ALL for entry in task.misconceptions]


def test_every_task_has_its_reference():
    assert list(REFERENCES) == [task.id for task in ALL]


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_the_reference_passes_and_borrows_nothing(task):
    outcome = verdict(task, REFERENCES[task.id].answer(), watch=True)
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
