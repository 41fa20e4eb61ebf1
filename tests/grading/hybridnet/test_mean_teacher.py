"""The task hybridnet.mean_teacher: any way to write into the teacher passes, slips get their own message."""

import pytest
import torch

from course_lib.grading.tasks.hybridnet.mean_teacher import NETS, SEEN, TASK, build, oracle, use
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


def decay(alpha, step):
    return min(1 - 1 / (step + 1), alpha)


def in_place(teacher, student, alpha, step):
    a = decay(alpha, step)
    with torch.no_grad():
        for mine, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            mine.mul_(a).add_(theirs, alpha=1 - a)


def through_data(teacher, student, alpha, step):
    a = decay(alpha, step)
    for mine, theirs in zip(teacher.parameters(), student.parameters()):
        mine.data = a * mine.data + (1 - a) * theirs.data


def by_name(teacher, student, alpha, step):
    a, theirs = decay(alpha, step), dict(student.named_parameters())
    for name, mine in teacher.named_parameters():
        mine.data.copy_(a * mine + (1 - a) * theirs[name].detach())


@torch.no_grad()
def a_step_towards(teacher, student, alpha=0.97, step=0):
    a = decay(alpha, step)
    for mine, theirs in zip(teacher.parameters(), student.parameters()):
        mine += (1 - a) * (theirs - mine)
    return teacher


def all_at_once(teacher, student, alpha, step):
    mine = [each.data for each in teacher.parameters()]
    theirs = [each.detach() for each in student.parameters()]
    torch._foreach_lerp_(mine, theirs, max(1 / (step + 1), 1 - alpha))


def through_the_state(teacher, student, alpha, step):
    a, state, theirs = decay(alpha, step), teacher.state_dict(), student.state_dict()
    for name, _ in teacher.named_parameters():
        state[name] = a * state[name] + (1 - a) * theirs[name]
    teacher.load_state_dict(state)


@torch.no_grad()
def module_by_module(teacher, student, alpha, step):
    a = decay(alpha, step)
    for ours, others in zip(teacher.modules(), student.modules()):
        for name, mine in list(ours._parameters.items()):
            if mine is not None:
                mine.copy_(torch.lerp(others._parameters[name], mine, a))


@torch.no_grad()
def number_by_number(teacher, student, alpha, step):
    a = decay(alpha, step)
    for mine, theirs in zip(teacher.parameters(), student.parameters()):
        flat, other = mine.view(-1), theirs.reshape(-1)
        for i in range(len(flat)):
            flat[i] = a * flat[i].item() + (1 - a) * other[i].item()


RIGHT = [
    in_place, through_data, by_name, a_step_towards, all_at_once, through_the_state, module_by_module,
    number_by_number,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------


def over_the_state(teacher, student, alpha, step):
    for mine, theirs in zip(teacher.state_dict().values(), student.state_dict().values()):
        a = decay(alpha, step)
        mine.copy_(a * mine + (1 - a) * theirs)


def binds_the_name_anew(teacher, student, alpha, step):
    a = decay(alpha, step)
    for mine, theirs in zip(teacher.parameters(), student.parameters()):
        mine = a * mine + (1 - a) * theirs


def returns_in_the_loop(teacher, student, alpha, step):
    a = decay(alpha, step)
    for mine, theirs in zip(teacher.parameters(), student.parameters()):
        mine.data.mul_(a).add_(theirs.data, alpha=1 - a)
        return


@pytest.mark.parametrize(
    "answer, name",
    [
        (over_the_state, "whole state averaged"),
        (binds_the_name_anew, "nothing happens"),
        (returns_in_the_loop, "first parameter only"),
        (lambda teacher, student, alpha, step: in_place(teacher, student, alpha, 10**12), "no warm-up"),
        (lambda teacher, student, alpha, step: in_place(teacher, student, alpha, step + 1), "one step ahead"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(answer).misconception == name


@pytest.mark.parametrize("body", [lambda *_: None, lambda teacher, student, alpha, step: ...])
def test_an_empty_body_is_not_attempted(body):
    assert verdict(body).state == "not attempted"


def test_what_the_answer_raises_is_told():
    outcome = verdict(lambda teacher, student, alpha, step: teacher.weight.mul_(alpha))
    assert outcome.cause == "unusable" and "has no attribute 'weight'" in outcome.says


# --- the oracle ------------------------------------------------------------------------------

NAMES = list(TASK.gives)


def results(number, **other):
    return dict(zip(NAMES, oracle(**(TASK.cases[number].exact() | other))))


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_sizes_of_the_nets_are_as_declared(number):
    given = TASK.cases[number].exact()
    model = build(given["net"])
    weights, channels = NETS[given["net"]]
    assert sum(each.numel() for each in model.parameters()) == weights == given["teacher"].numel()
    assert sum(each.numel() for each in model.buffers()) == (2 * channels + 1 if channels else 0)


def test_the_first_update_copies_the_student_and_the_second_is_half_and_half():
    given = TASK.cases[1].exact()
    assert given["step"] == 0
    after = results(1)["teacher's weights after each update"]
    assert torch.equal(after[0], given["students"][0])
    assert torch.allclose(after[1], given["students"][:2].mean(0), rtol=1e-12)


def test_within_the_warm_up_the_teacher_is_the_mean_of_all_students():
    after = results(1, alpha=1.0)["teacher's weights after each update"]
    assert torch.allclose(after[-1], TASK.cases[1].exact()["students"].mean(0), rtol=1e-12)


def test_late_in_training_alpha_decides():
    given = TASK.cases[2].exact()
    once = results(2)["teacher's weights after each update"][0]
    assert torch.allclose(once, 0.97 * given["teacher"] + 0.03 * given["students"][0], rtol=1e-12)


def test_an_answer_that_does_nothing_leaves_the_start():
    given = TASK.cases[0].inputs()
    found = dict(zip(NAMES, use(lambda *parts: len(parts), **given)))
    assert torch.equal(found["teacher's weights after each update"][0], given["teacher"])
    assert found["teacher's buffers"].tolist() == [*given["statistics"][0].tolist(), SEEN[0]]
    assert found["student's buffers"].tolist() == [*given["statistics"][1].tolist(), SEEN[1]]
    assert torch.equal(found["student's weights after each update"], given["students"])
