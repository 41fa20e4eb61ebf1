"""Wrong answers to hybridnet.mean_teacher: other decays, other tensors, other things done besides."""

import copy

import torch

from course_lib.grading.task import Misconception


def decay(alpha, step):
    return min(1 - 1 / (step + 1), alpha)


def pairs(teacher, student):
    return zip(teacher.parameters(), student.parameters())


@torch.no_grad()
def mix(tensors, a, b=None):
    """mine <- a mine + b theirs; b is 1 - a unless given."""
    for mine, theirs in tensors:
        mine.copy_(a * mine + (1 - a if b is None else b) * theirs)


def update(teacher, student, alpha, step):
    mix(pairs(teacher, student), decay(alpha, step))


def with_decay(of):
    """The right answer with another decay, as a function of alpha and step."""
    return lambda teacher, student, alpha, step: mix(pairs(teacher, student), of(alpha, step))


def besides(extra):
    """The right answer, and something more done to both."""

    def answer(teacher, student, alpha, step):
        update(teacher, student, alpha, step)
        extra(teacher, student, decay(alpha, step))

    return answer


def averages_buffers(teacher, student, a):
    both = zip(teacher.buffers(), student.buffers())
    mix([pair for pair in both if pair[0].is_floating_point()], a)


def averages_the_count_too(teacher, student, a):
    mix(list(zip(teacher.buffers(), student.buffers())), a)


def shares_tensors(teacher, student, alpha, step):
    for mine, theirs in pairs(teacher, student):
        mine.data = theirs.data


def copies(teacher, student, alpha, step):
    teacher.load_state_dict(student.state_dict())


def works_on_a_copy(teacher, student, alpha, step):
    teacher = copy.deepcopy(teacher)
    update(teacher, student, alpha, step)
    return teacher


def shares_at_first(teacher, student, alpha, step):
    """The first update is a copy, and is taken to be the same tensor."""
    if decay(alpha, step) == 0:
        shares_tensors(teacher, student, alpha, step)
    else:
        update(teacher, student, alpha, step)


def with_gradient(teacher, student, alpha, step):
    a = decay(alpha, step)
    for mine, theirs in pairs(teacher, student):
        mine.mul_(a).add_((1 - a) * theirs)


def corrected(teacher, student, alpha, step):
    update(teacher, student, alpha, step)
    for mine in teacher.parameters():
        mine.data /= 1 - alpha ** (step + 1)


def large_only(teacher, student, alpha, step):
    mix([pair for pair in pairs(teacher, student) if pair[0].dim() > 1], decay(alpha, step))


def first_only(teacher, student, alpha, step):
    mix(list(pairs(teacher, student))[:1], decay(alpha, step))


MISCONCEPTIONS = (
    Misconception(
        "a and 1 - a exchanged",
        with_decay(lambda alpha, step: 1 - decay(alpha, step)),
        "The teacher keeps 1 - a of itself and takes a of the student. "
        "It is slow: it keeps a, which is near 1, and takes 1 - a.",
    ),
    Misconception(
        "no warm-up",
        with_decay(lambda alpha, step: alpha),
        "The decay is α from the first step on, so the random first weights stay for long. "
        "Take the smaller of α and 1 - 1/(t + 1).",
    ),
    Misconception(
        "the larger of the two",
        with_decay(lambda alpha, step: max(1 - 1 / (step + 1), alpha)),
        "You take the larger of α and 1 - 1/(t + 1). Take the smaller: α is what the decay must not exceed.",
    ),
    Misconception(
        "no limit",
        with_decay(lambda alpha, step: 1 - 1 / (step + 1)),
        "The decay is 1 - 1/(t + 1) for ever, a plain mean over all steps. "
        "Keep it at α or below, or the teacher stands still in the end.",
    ),
    Misconception(
        "step counted from 1",
        with_decay(lambda alpha, step: min(1 - 1 / max(step, 1), alpha)),
        "The decay is 1 - 1/t, that of the step before. step counts from 0, so the divisor is t + 1.",
    ),
    Misconception(
        "one step ahead",
        with_decay(lambda alpha, step: min(1 - 1 / (step + 2), alpha)),
        "The decay is that of the next step, so the first update is half and half. "
        "step is the number to put into 1 - 1/(t + 1): the first update copies the student.",
    ),
    Misconception(
        "another warm-up",
        with_decay(lambda alpha, step: min((1 + step) / (10 + step), alpha)),
        "The warm-up is (1 + t)/(10 + t), which is in use elsewhere. Here it is 1 - 1/(t + 1).",
    ),
    Misconception(
        "student updated",
        lambda teacher, student, alpha, step: update(student, teacher, alpha, step),
        "The average is written into the student. The student trains by its gradient alone; "
        "write into the teacher.",
    ),
    Misconception(
        "student updated too",
        besides(lambda teacher, student, a: mix(pairs(student, teacher), 0.0)),
        "The teacher is right, but its weights are copied back into the student. Leave the student alone.",
    ),
    Misconception(
        "copied",
        copies,
        "The teacher becomes a copy of the student, buffers and all. It moves only a little: by 1 - a.",
    ),
    Misconception(
        "weights copied",
        lambda teacher, student, alpha, step: mix(pairs(teacher, student), 0.0),
        "The teacher's weights become those of the student. It moves only a little: by 1 - a.",
    ),
    Misconception(
        "shared tensors",
        shares_tensors,
        "The teacher now holds the student's own tensors, so it is the student. "
        "Write numbers into its tensors instead: copy_, mul_, add_.",
    ),
    Misconception(
        "shared at the first step",
        shares_at_first,
        "At the first step the teacher is given the student's own tensors, and from then on moves with them. "
        "Copy the numbers, also where a is 0.",
    ),
    Misconception(
        "nothing happens",
        works_on_a_copy,
        "The teacher that was given stays as it is. Write into its parameters in place; "
        "a new network, or a name that is bound anew, does not reach the caller.",
    ),
    Misconception(
        "student added",
        lambda teacher, student, alpha, step: mix(pairs(teacher, student), 1.0, 1 - decay(alpha, step)),
        "1 - a of the student is added, but the teacher keeps all of itself, and its weights grow. "
        "Multiply it with a first.",
    ),
    Misconception(
        "corrected as well",
        corrected,
        "The weights are divided by 1 - αᵗ as in Temporal Ensembling. "
        "The warm-up does that already: the first update copies the student.",
    ),
    Misconception(
        "no vectors",
        large_only,
        "Biases and the weights of batch norm stay. They are parameters too: move all of them.",
    ),
    Misconception(
        "first parameter only",
        first_only,
        "Only the first parameter moves. Look where your loop ends.",
    ),
    Misconception(
        "buffers averaged",
        besides(averages_buffers),
        "The statistics of batch norm are averaged too. The teacher runs in training mode and gathers its "
        "own, so move its parameters only.",
    ),
    Misconception(
        "whole state averaged",
        besides(averages_the_count_too),
        "Everything in state_dict is averaged, even the number of batches that batch norm has counted. "
        "Go through parameters() instead.",
    ),
    Misconception(
        "buffers copied",
        besides(lambda teacher, student, a: mix(list(zip(teacher.buffers(), student.buffers())), 0.0)),
        "The statistics of batch norm are copied from the student. "
        "The teacher runs in training mode and gathers its own, so leave its buffers alone.",
    ),
    Misconception(
        "with gradient",
        with_gradient,
        "The teacher's parameters now hang on the student's for autograd, and on all steps before. "
        "Compute under torch.no_grad().",
    ),
    Misconception(
        "teacher learns",
        besides(lambda teacher, student, a: teacher.requires_grad_()),
        "The teacher's parameters are set to need a gradient. It learns from the student only.",
    ),
    Misconception(
        "student frozen",
        besides(lambda teacher, student, a: student.requires_grad_(False)),
        "The student's parameters no longer need a gradient, so it cannot learn. "
        "Use torch.no_grad() or .detach() for the sum alone.",
    ),
    Misconception(
        "teacher in evaluation mode",
        besides(lambda teacher, student, a: teacher.eval()),
        "The teacher is set to evaluation mode. Whoever calls you decides on its mode; leave it as it is.",
    ),
)
