"""What the tests of progress keep."""

from course_lib.grading import store, tasks
from tests.grading.answers import right

TASK = tasks.get("shade.penalty")


def wrong(h, mu):
    return right(h, mu) * 2


def checked(state="passed", points=2, task=TASK.id):
    store.append("check", task, state=state, points=points, cause=None if state == "passed" else "values")
