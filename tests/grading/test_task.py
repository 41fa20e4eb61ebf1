"""What a file of tasks can say: several results, answers that are classes, and its own mistakes."""

import json
from dataclasses import replace

import pytest
import torch

from course_lib.grading import tasks
from course_lib.grading.hand_ins.notebook import grade_id
from course_lib.grading.judge import judge
from course_lib.grading.observation import Observation
from course_lib.grading.observe import observe
from course_lib.grading.task import Case, Misconception, Task, call

ALL = [task for chapter in tasks.chapters() for task in tasks.of_chapter(chapter)]


def pair(generator):
    return {"x": torch.randn(4, generator=generator, dtype=torch.float64)}


EXTREMES = Task(
    id="toy.extremes",
    title="The least and the greatest",
    difficulty=1,
    minutes=1,
    points=1,
    function="extremes",
    takes={"x": "(N,)"},
    gives={"least": "()", "place": "()"},
    hints=("a", "b", "c"),
    oracle=lambda x: (x.min(), x.argmin()),
    cases=(Case("4 numbers", pair),),
    misconceptions=(Misconception("greatest", lambda x: (x.max(), x.argmax()), "This is the greatest."),),
)


def verdict(task, answer):
    return judge(task, observe(task, answer, devices=("cpu",)))


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (lambda x: (x.min(), x.argmin()), None, ""),
        (lambda x: list(x.min(0)), None, ""),
        (lambda x: x.min(), "unusable", "a tuple of 2 tensors (least, place); it returns a Tensor"),
        (lambda x: (x.min(),), "unusable", "it returns 1 things"),
        (lambda x: (x.min(), x.argmin().double()), "dtype", "The result place must hold int64"),
        (lambda x: (x.min(), x.argmin()[None]), "shape", "the result place must have shape ()"),
        (lambda x: (x.min(), x.argmin() + 1), "value", "the result place should be"),
        (lambda x: (x.max(), x.argmax()), "value", "the result least should be"),
    ],
)
def test_several_results(answer, cause, words):
    outcome = verdict(EXTREMES, answer)
    assert outcome.cause == cause
    assert words in outcome.message


def test_misconceptions_of_several_results():
    assert verdict(EXTREMES, lambda x: (x.max(), x.argmax())).advice == "This is the greatest."


def test_an_answer_that_is_a_class():
    """`use` says how an answer makes results: here a running mean, fed twice."""

    def feed_twice(answer, x):
        mean = answer(decay=0.5)
        mean.update(x)
        return mean.update(2 * x)

    task = replace(
        EXTREMES,
        id="toy.mean",
        gives={"mean": "(N,)"},
        oracle=lambda x: 0.5 * (0.5 * x) + 0.5 * 2 * x,
        misconceptions=(),
        kind="class",
        use=feed_twice,
    )

    class Mean:
        def __init__(self, decay):
            self.decay, self.value = decay, 0.0

        def update(self, x):
            self.value = self.decay * self.value + (1 - self.decay) * x
            return self.value

    class Forgets(Mean):
        def update(self, x):
            return (1 - self.decay) * x

    assert verdict(task, Mean).passed
    assert verdict(task, Forgets).cause == "value"
    assert verdict(task, 3).cause == "unusable"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"id": "penalty"}, "id is a chapter, a dot and a name"),
        ({"difficulty": 6}, "difficulty is 6, possible are 1 to 5"),
        ({"hints": ("a", "b")}, "hints are three"),
        ({"cases": ()}, "cases are empty"),
        ({"gradients": ("y",)}, "gradients names a parameter"),
        ({"takes": {"z": "(N,)"}}, "the case '4 numbers' does not make z"),
    ],
)
def test_a_task_that_does_not_fit_together_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(EXTREMES, **change)


# --- every task of the course ----------------------------------------------------------------


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_a_task_has_all_that_a_learner_needs(task):
    assert task.title and task.minutes > 0 and task.points > 0
    assert all(len(text) > 30 for text in task.hints)
    assert len(task.misconceptions) >= 8
    assert len({case.name for case in task.cases}) == len(task.cases)
    types = {str(case.dtype) for case in task.cases}
    inputs = task.cases[0].inputs().values()
    typed = any(isinstance(value, torch.Tensor) and value.is_floating_point() for value in inputs)
    assert types == {"torch.float32", "torch.float64"} or task.use is not call or not typed
    assert grade_id(task.id).replace("-", ".", 1) == task.id


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_inputs_are_the_same_every_time_and_touch_no_global_state(task):
    state = torch.get_rng_state()
    for case in task.cases:
        first, second = case.inputs(), case.inputs()
        assert first.keys() == second.keys()
        for one, other in zip(first.values(), second.values()):
            if isinstance(one, torch.Tensor):
                assert torch.equal(one, other) and (one.data_ptr() != other.data_ptr() or not one.numel())
            else:
                assert one == other
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
def test_an_observation_survives_the_way_through_json(task):
    for answer in (task.oracle, *(entry.wrong for entry in task.misconceptions[:3]), None, lambda: None):
        seen = observe(task, answer, devices=("cpu",), thorough=False)
        back = Observation.from_data(json.loads(json.dumps(seen.to_data())))
        assert repr(back) == repr(seen)  # as text, since an answer may give NaN, which equals nothing


def good_data():
    return observe(EXTREMES, EXTREMES.oracle, devices=("cpu",), watched=False).to_data()


def test_data_that_are_no_observation_are_refused_and_gaps_earn_nothing():
    assert judge(EXTREMES, Observation.from_data(good_data())).passed
    missing = good_data() | {"calls": []}
    assert judge(EXTREMES, Observation.from_data(missing)).cause == "unusable"
    silent = good_data()
    silent["calls"][0]["results"]["least"]["numbers"] = None
    assert judge(EXTREMES, Observation.from_data(silent)).cause == "value"
    short = good_data()
    short["calls"][0]["results"]["least"]["numbers"] = []
    for broken in (short, {}, {"troubles": [], "calls": [{}]}):
        with pytest.raises((KeyError, TypeError, ValueError, RuntimeError)):
            Observation.from_data(broken)
