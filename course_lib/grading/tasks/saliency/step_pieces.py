"""A right answer to saliency.meta_step in pieces, and the pieces that are wrong."""

import contextlib
import copy

import torch
from torch.nn import functional as F

from course_lib.grading.mode_pieces import evaluating


def cross_entropy(logits, y):
    return F.cross_entropy(logits, y)


def downhill(model, gradients, length):
    """The weights after the step."""
    return [p - length * g for p, g in zip(model.parameters(), gradients)]


@contextlib.contextmanager
def all_learning(model):
    flags = [p.requires_grad for p in model.parameters()]
    model.requires_grad_()
    yield
    for p, flag in zip(model.parameters(), flags):
        p.requires_grad_(flag)


def stepping(
    length=lambda eps, sign: 2 * sign * eps, loss=cross_entropy, mode=evaluating, learning=all_learning,
    start=copy.deepcopy, rule=downhill, which=lambda name, p: True, times=1,
    after=lambda model, stepped: None, returned=lambda model, stepped: stepped,
):  # fmt: skip
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(model, x, y, eps, sign=1):
        stepped = start(model)
        for _ in range(times):
            moving = [which(name, p) for name, p in stepped.named_parameters()]
            with mode(stepped), learning(stepped):
                value = loss(stepped(x), y)
                gradients = torch.autograd.grad(value, list(stepped.parameters()), allow_unused=True)
                new = rule(stepped, gradients, length(eps, sign))
                with torch.no_grad():
                    for p, moves, numbers in zip(stepped.parameters(), moving, new):
                        p.copy_(numbers if moves else p)
        after(model, stepped)
        return returned(model, stepped)

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def of_the_sum(logits, y):
    return F.cross_entropy(logits, y, reduction="sum")


def of_the_logit(logits, y):
    return -logits.gather(1, y[:, None]).mean()


def of_the_likeliest(logits, y):
    return F.cross_entropy(logits, logits.argmax(1))


def of_unit_length(model, gradients, length):
    norm = sum(g.square().sum() for g in gradients).sqrt()
    return [p - length * g / norm for p, g in zip(model.parameters(), gradients)]


# The first step of three optimisers of torch, by hand: importing them takes seconds, and a check is quick.


def with_weight_decay(model, gradients, length):
    """SGD(weight_decay=5e-4, maximize=sign < 0)."""
    pull = 5e-4 * abs(length)
    return [p - length * g - pull * p for p, g in zip(model.parameters(), gradients)]


def with_nesterov(model, gradients, length):
    """SGD(momentum=0.9, nesterov=True)."""
    return [p - length * 1.9 * g for p, g in zip(model.parameters(), gradients)]


def with_adam(model, gradients, length):
    """Adam(): both of its averages, corrected, are g and g² after one step."""
    return [p - length * g / (g.abs() + 1e-8) for p, g in zip(model.parameters(), gradients)]


def backward_on_the_model(model, x, y, eps, sign=1):
    """The gradients of the model itself, with whatever stood in .grad before."""
    with evaluating(model), all_learning(model):
        F.cross_entropy(model(x), y).backward()
    return moved_by_grad(model, 2 * sign * eps)


def wiped_and_backward_on_the_model(model, x, y, eps, sign=1):
    model.zero_grad()
    return backward_on_the_model(model, x, y, eps, sign)


@torch.no_grad()
def moved_by_grad(model, length):
    stepped = copy.deepcopy(model)
    for p, q in zip(stepped.parameters(), model.parameters()):
        p -= length * q.grad
    return stepped


def in_training_on_the_model(model, x, y, eps, sign=1):
    """The loss is that of the model as it is, so its batch norms are moved."""
    with all_learning(model):
        gradients = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    stepped = copy.deepcopy(model)
    with torch.no_grad():
        for p, g in zip(stepped.parameters(), gradients):
            p -= 2 * sign * eps * g
    return stepped


@torch.no_grad()
def moves_the_model_too(model, stepped):
    for p, q in zip(model.parameters(), stepped.parameters()):
        p.copy_(q)


@torch.no_grad()
def exchanged(model, stepped):
    """The model keeps the step, and the copy is what the model was."""
    for p, q in zip(model.parameters(), stepped.parameters()):
        kept = p.clone()
        p.copy_(q)
        q.copy_(kept)


def shares_tensors(model, stepped):
    for p, q in zip(model.parameters(), stepped.parameters()):
        with torch.no_grad():
            p.copy_(q)
        q.data = p.data
