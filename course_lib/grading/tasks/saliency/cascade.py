"""saliency.cascade: a model loses its weights from the last layer to the first (Rebuffi 2020, §4.5).

The thesis follows Adebayo et al. 2018.  New weights may be any that torch itself would draw, so what is
compared are not the weights but how many of them are new, and in which model.
"""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from course_lib.grading.calling import is_blank
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.known_layers import NETS, layers_of, made_by, share_as_new, share_new
from course_lib.grading.tasks.saliency.left_as_found import TRACES, Snapshot, in_use, tensors_of
from course_lib.grading.tasks.saliency.wrong_cascades import MISCONCEPTIONS

SEED = 77  # of the random numbers that the caller draws between two models


def oracle(net: str, weights: Tensor, seed: int = 0) -> tuple[Tensor, ...]:
    """After n models the last n layers are new, wholly and for good; and nothing else has happened."""
    many = len(layers_of(NETS[net]()))
    order = torch.arange(many - 1, -1, -1, dtype=weights.dtype)
    new = weights.new_zeros(many, many)
    for i in range(many):
        for j in range(many):
            new[i, j] = float(j >= many - 1 - i)
    zero, one = weights.new_zeros(()), weights.new_ones(())
    return order, new, new, zero, zero, zero, one, zero, zero, zero, zero, *[zero] * len(TRACES)


# --- the scenario ----------------------------------------------------------------------------


def use(answer: Callable, net: str, weights: Tensor, seed: int | None = None) -> Any:
    """Take one model after the other and draw random numbers meanwhile; then compare them all."""
    if is_blank(answer):
        return NotImplemented
    model = in_use(made_by(NETS[net], weights.cpu()))  # random numbers come from the CPU's generator
    next(model.parameters()).requires_grad_(False)
    before, names = Snapshot(model), layers_of(model)
    start, own = Snapshot(model), {} if seed is None else {"seed": seed}
    torch.manual_seed(SEED)
    wanted = torch.rand(len(names) + 4).tolist()
    torch.manual_seed(SEED)
    pairs, drawn = taken(answer(model, *own.values()), model)
    again, _ = taken(answer(model, *own.values()), model)
    other, _ = taken(answer(model, (seed or 0) + 1), model)
    models = [each for _, each in pairs]
    order = [names.index(name) if name in names else -1 for name, _ in pairs]
    tables = torch.zeros(2, len(models), len(names), dtype=torch.float64)
    for i, each in enumerate(models):
        for j, name in enumerate(names):
            tables[0, i, j] = share_new(each, start.model, name)
            if j >= len(names) - 1 - i:
                tables[1, i, j] = share_as_new(each.get_submodule(name))
    counts = (
        drawn_again(models, names),
        shared(models, model),
        differing(models, [each for _, each in again], names),
        differing(models, [each for _, each in other], names),
        alike(models[-1]) if models else 0,
        sum(a != b for a, b in zip(drawn, wanted)),
        sum(m.training != o.training for each in models for m, o in zip(each.modules(), model.modules())),
        sum(
            p.requires_grad != o.requires_grad
            for each in models
            for p, o in zip(each.parameters(), model.parameters())
        ),
    )
    found = (torch.tensor(order), *tables, *(torch.tensor(float(count)) for count in counts))
    return *(each.to(weights) for each in found), *before.traces(weights)
