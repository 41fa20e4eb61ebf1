"""Wrong answers to saliency.meta_saliency, and what to tell whoever gives one."""

import copy

import torch

from course_lib.grading.mode_pieces import as_it_is
from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.step_pieces import (
    of_the_likeliest,
    of_the_logit,
    of_the_sum,
    stepping,
)

right_step = stepping()


def explaining(step=right_step, made=lambda maps, base: torch.cat(maps), after=lambda model: None):
    """An answer that steps for each image; each argument is one thing to get wrong."""

    def answer(fn, model, x, y, eps, sign=1):
        maps, base = [], fn(model, x, y)
        for image, label in zip(x.split(1), y.split(1)):
            maps.append(fn(step(model, image, label, eps, sign), image, label))
        after(model)
        return made(maps, base)

    return answer


def jointly(step):
    return lambda fn, model, x, y, eps, sign=1: fn(step(model, x, y, eps, sign), x, y)


def one_step_on_the_other(fn, model, x, y, eps, sign=1):
    maps = []
    for image, label in zip(x.split(1), y.split(1)):
        model = right_step(model, image, label, eps, sign)
        maps.append(fn(model, image, label))
    return torch.cat(maps)


@torch.no_grad()
def moves(model, stepped):
    for p, q in zip(model.parameters(), stepped.parameters()):
        p.copy_(q)


def moved_for_good(fn, model, x, y, eps, sign=1):
    """Each step is taken by the model itself, after the one before."""
    maps = []
    for image, label in zip(x.split(1), y.split(1)):
        moves(model, right_step(model, image, label, eps, sign))
        maps.append(fn(model, image, label))
    return torch.cat(maps)


def last_step_left(fn, model, x, y, eps, sign=1):
    """Between two images the weights are put back, but not after the last one."""
    start, maps = copy.deepcopy(model), []
    for image, label in zip(x.split(1), y.split(1)):
        moves(model, right_step(start, image, label, eps, sign))
        maps.append(fn(model, image, label))
    return torch.cat(maps)


def models_averaged(fn, model, x, y, eps, sign=1):
    stepped = [right_step(model, x[b : b + 1], y[b : b + 1], eps, sign) for b in range(len(x))]
    return torch.stack([fn(each, x, y) for each in stepped]).mean(0)


MISCONCEPTIONS = (
    Misconception(
        "one step for the batch",
        jointly(right_step),
        "All images share one step, so what is shown for one depends on the others. "
        "Step for each image alone, always from the model that was given.",
    ),
    Misconception(
        "one step for the batch, summed",
        jointly(stepping(loss=of_the_sum)),
        "All images share one step, along the sum of their losses. "
        "Step for each image alone, always from the model that was given.",
    ),
    Misconception(
        "one step on the other",
        one_step_on_the_other,
        "Each step begins where the one before has ended. Every image begins at the model that was given.",
    ),
    Misconception(
        "half a step",
        explaining(stepping(length=lambda eps, sign: sign * eps)),
        "The step has the length ε. It is 2ε.",
    ),
    Misconception(
        "uphill",
        explaining(stepping(length=lambda eps, sign: -2 * sign * eps)),
        "The step goes up the loss. With sign = 1 it goes down, towards the class.",
    ),
    Misconception(
        "sign ignored",
        explaining(stepping(length=lambda eps, sign: 2 * eps)),
        "sign makes no difference. Hand it on to the step.",
    ),
    Misconception(
        "no step",
        lambda fn, model, x, y, eps, sign=1: fn(model, x, y),
        "You explain the model as it is. Explain the one that has taken the step.",
    ),
    Misconception(
        "old activations",
        explaining(stepping(which=lambda name, p: name.startswith("head"))),
        "Activations are those of θ, and only what is behind them has stepped, so gradients are those of θ'. "
        "Both must come from θ': step with all parameters.",
    ),
    Misconception(
        "old gradients",
        explaining(stepping(which=lambda name, p: not name.startswith("head"))),
        "The classifier has not stepped, so gradients are partly those of θ and activations those of θ'. "
        "Both must come from θ': step with all parameters.",
    ),
    Misconception(
        "training mode",
        explaining(stepping(mode=as_it_is)),
        "The step is taken in training mode, where batch norm uses the one image and its statistics move. "
        "Take it in evaluation mode.",
    ),
    Misconception(
        "step along the logit",
        explaining(stepping(loss=of_the_logit)),
        "The step follows the logit of the class. The inner loss is the cross-entropy.",
    ),
    Misconception(
        "class that the net chooses",
        explaining(stepping(loss=of_the_likeliest)),
        "The step goes towards the class that the net prefers. It goes towards the one that is asked for, y.",
    ),
    Misconception(
        "moved for good",
        moved_for_good,
        "The model itself takes the steps, one on top of the other, and keeps them. Step with a copy.",
    ),
    Misconception(
        "last step left",
        last_step_left,
        "The maps are right, but the model keeps its last step. Put its weights back, or step with a copy.",
    ),
    Misconception(
        "models averaged",
        models_averaged,
        "Every image is explained by the models of all images, and the maps are averaged. "
        "Each has a model of its own.",
    ),
    Misconception(
        "difference to the map without a step",
        explaining(made=lambda maps, base: torch.cat(maps) - base),
        "You return how the map changes. Return the map of the model that has stepped.",
    ),
    Misconception(
        "last image only",
        explaining(made=lambda maps, base: maps[-1]),
        "There is one map, that of the last image. Collect the maps of all.",
    ),
    Misconception(
        "stacked",
        explaining(made=lambda maps, base: torch.stack(maps)),
        "The maps have an axis too many: each is a batch of one already. Join them with torch.cat.",
    ),
    Misconception(
        "model left in evaluation mode",
        explaining(after=lambda model: model.eval()),
        "The model stays in evaluation mode, and the next training step would go wrong without a sound.",
    ),
)
