"""Answers that let the library compute the result earn nothing and are told so; honest ones pass."""

import functools
import inspect
import sys
import threading

import pytest
import torch

import course_lib.methods.shade as library
from course_lib import localisation, metrics
from course_lib.grading import tasks
from course_lib.grading.borrowing import borrowed
from course_lib.grading.tasks.shade import penalty
from course_lib.methods import saliency
from course_lib.nets.mirrored import ConvEncoder
from course_lib.nets.mirrored.shake_shake import ShakeShakeBlock
from tests.grading.answers import right
from tests.grading.trying import verdict

TASK = tasks.get("shade.penalty")


def wrapper(h, mu):
    return library.shade_penalty(h, mu)


def imports_inside(h, mu):
    from course_lib.methods.shade import shade_penalty

    return shade_penalty(h, mu) + 0


def by_way_of_a_module(h, mu):
    unit = library.ShadeUnit(h.shape[1])
    unit.mu = mu
    return unit(h)


def reads_the_oracle(h, mu):
    return tasks.get("shade.penalty").oracle(h, mu)


def runs_our_text(h, mu):
    space = {"torch": torch, "Tensor": torch.Tensor}
    exec(inspect.getsource(penalty.oracle), space)
    return space["oracle"](h, mu)


def in_a_thread(h, mu):
    found = []
    thread = threading.Thread(target=lambda: found.append(library.shade_penalty(h, mu)))
    thread.start()
    thread.join()
    return found[0]


class WithTheLibrarysForward(torch.nn.Module):
    forward = staticmethod(library.shade_penalty)


BORROWERS = [
    library.shade_penalty,
    functools.partial(library.shade_penalty, detach_p=False),
    penalty.oracle,
    wrapper,
    imports_inside,
    by_way_of_a_module,
    reads_the_oracle,
    runs_our_text,
    in_a_thread,
    WithTheLibrarysForward(),
    lambda h, mu: right(h, mu) + 0 * library.shade_penalty(h, mu),
]


@pytest.mark.parametrize("answer", BORROWERS, ids=lambda answer: getattr(answer, "__name__", "other"))
def test_the_librarys_own_version_is_no_answer(answer):
    outcome = verdict(TASK, answer, watch=True)
    assert (outcome.cause, outcome.state, outcome.points) == ("borrowed", "not yet", 0)
    assert "course_lib." in outcome.message and "earns no points" in outcome.message


def test_what_other_rooms_offer_may_be_used():
    from course_lib.runtime import scale

    assert verdict(TASK, lambda h, mu: right(h, mu) * (scale("cpu") == "cpu"), watch=True).passed


def test_text_of_ones_own_that_is_run_is_ones_own():
    space = {}
    exec(inspect.getsource(right), {"torch": torch}, space)
    exec("def power(h, mu):\n    return h + mu", space)
    assert verdict(TASK, space["right"], watch=True).passed


def test_whoever_watched_before_goes_on_watching():
    def mine(frame, event, argument):
        return None

    sys.setprofile(mine)
    try:
        assert verdict(TASK, right, watch=True).passed
        assert sys.getprofile() is mine
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(
    "task, lent", [("hybridnet.shake_shake", ShakeShakeBlock), ("hybridnet.conv_large", ConvEncoder)]
)
def test_the_nets_that_an_exercise_asks_for_are_not_lent_either(task, lent):
    assert borrowed(tasks.get(task), lent) is not None
    assert borrowed(tasks.get(task), type("Own", (lent,), {})) is not None
    assert borrowed(tasks.get(task), torch.nn.Conv2d) is None


@pytest.mark.parametrize(
    "task, lent",
    [
        ("saliency.spearman", metrics.spearman),
        ("saliency.difficult", localisation.difficult),
        ("saliency.normgrad", saliency.normgrad),
    ],
)
def test_what_judges_maps_is_not_lent_where_it_is_asked_for(task, lent):
    def hidden(*given, **named):
        return lent(*given, **named)

    space = dict(vars(sys.modules[lent.__module__]))
    exec(inspect.getsource(lent), space)
    for answer in (lent, hidden, space[lent.__name__]):
        assert verdict(tasks.get(task), answer, watch=True).cause == "borrowed"


def test_other_metrics_may_be_used_and_a_tool_that_is_offered_too():
    assert borrowed(tasks.get("saliency.spearman"), metrics.accuracy) is None
    assert borrowed(tasks.get("saliency.class_sensitivity"), metrics.spearman) is None
