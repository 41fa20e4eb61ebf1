"""How the tests of tasks ask for a verdict."""

from course_lib.grading.judge import judge
from course_lib.grading.observe import observe


def verdict(task, answer, *, watch=False):
    """The verdict on an answer, on the CPU; ``watch`` also refuses what the library computes for it."""
    return judge(task, observe(task, answer, devices=("cpu",), watched=watch))
