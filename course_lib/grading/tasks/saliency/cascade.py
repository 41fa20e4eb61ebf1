"""saliency.cascade: a model loses its weights from the last layer to the first (Rebuffi 2020, §4.5).

The thesis follows Adebayo et al. 2018.  New weights may be any that torch itself would draw, so what is
compared are not the weights but how many of them are new, and in which model.
"""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.grading.calling import is_blank
from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency import known_layers as known
from course_lib.grading.tasks.saliency.left_as_found import TRACES, Snapshot, in_use
from course_lib.grading.tasks.saliency.wrong_cascades import MISCONCEPTIONS

CONVNET, PERCEPTRON = known.NETS
SEED = 77  # of the random numbers that the caller draws between two models


def oracle(net: str, weights: Tensor, seed: int = 0) -> tuple[Tensor, ...]:
    """After n models the last n layers are new, wholly and for good; and nothing else has happened."""
    many = len(known.layers_of(known.made_by(net, weights)))
    order = torch.arange(many - 1, -1, -1, dtype=weights.dtype)
    new = weights.new_zeros(many, many)
    for i in range(many):
        for j in range(many):
            new[i, j] = float(j >= many - 1 - i)
    zero, one = weights.new_zeros(()), weights.new_ones(())
    return order, new, new, zero, zero, zero, one, *[zero] * (4 + len(TRACES))


# --- the scenario ----------------------------------------------------------------------------


def use(answer: Callable, net: str, weights: Tensor, seed: int | None = None) -> Any:
    """Take one model after the other and draw random numbers meanwhile; then compare them all."""
    if is_blank(answer):
        return NotImplemented
    model = in_use(known.made_by(net, weights.cpu()))  # new weights come from the CPU's random numbers
    next(model.parameters()).requires_grad_(False)
    before, original, names = Snapshot(model), copy.deepcopy(model), known.layers_of(model)
    own = () if seed is None else (seed,)
    torch.manual_seed(SEED)
    wanted = torch.rand(2 * len(names)).tolist()
    torch.manual_seed(SEED)
    pairs, drawn = taken(answer(model, *own), original)
    again, _ = taken(answer(model, *own), original)
    other, _ = taken(answer(model, (seed or 0) + 1), original)
    models = [each for _, each in pairs]
    order = [names.index(name) if name in names else -1 for name, _ in pairs]
    new, as_new = torch.zeros(2, len(models), len(names), dtype=torch.float64)
    for i, each in enumerate(models):
        for j, name in enumerate(names):
            new[i, j] = known.share_new(each, original, name)
            if j >= len(names) - 1 - i:
                as_new[i, j] = known.share_as_new(each.get_submodule(name))
    found = (
        known.drawn_again(models, names),
        known.shared(models, model),
        known.differing(models, [each for _, each in again], names),
        known.differing(models, [each for _, each in other], names),
        known.alike(models[-1]) if models else 0,
        sum(a != b for a, b in zip(drawn, wanted)),
        sum(m.training != o.training for each in models for m, o in zip(each.modules(), original.modules())),
        sum(
            p.requires_grad != o.requires_grad
            for each in models
            for p, o in zip(each.parameters(), original.parameters())
        ),
    )
    tables = (torch.tensor(order, dtype=torch.float64), new, as_new)
    counts = (torch.tensor(float(count)) for count in found)
    return *(each.to(weights) for each in (*tables, *counts)), *before.traces(weights)


def taken(models: Any, original: nn.Module) -> tuple[list[tuple[str, nn.Module]], list[float]]:
    """The pairs of a cascade, and the random numbers that a caller draws before, between and after them."""
    try:
        models = iter(models)
    except TypeError:
        kind = "None" if models is None else f"a {type(models).__name__}"
        raise Unfit(f"cascade must give one pair after the other, but it returned {kind}") from None
    most = len(known.layers_of(original)) + 3
    pairs, drawn = [], [torch.rand(()).item()]
    for pair in itertools.islice(models, most):
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise Unfit(f"cascade must give pairs (name, model), but it gives a {type(pair).__name__}")
        name, model = pair
        if not isinstance(name, str) or not isinstance(model, nn.Module):
            kinds = f"a {type(name).__name__} and a {type(model).__name__}"
            raise Unfit(f"cascade must give pairs of a name and a model, but it gives {kinds}")
        if [p.shape for p in model.parameters()] != [p.shape for p in original.parameters()]:
            raise Unfit(f"The model that comes with {name!r} is not of the build of the model that was given")
        pairs.append((name, model))
        drawn.append(torch.rand(()).item())
    return pairs, drawn


def trained(net: str, seed: int | None = None):
    """Weights much larger than new ones, as large as after training."""

    def make(generator: torch.Generator) -> dict[str, Any]:
        weights = 0.3 + 2 * normal(generator, known.numbers_of(net))
        return {"net": net, "weights": weights, **({} if seed is None else {"seed": seed})}

    return make


TASK = Task(
    id="saliency.cascade",
    title="Unlearning, layer by layer",
    difficulty=3,
    minutes=25,
    points=2,
    function="cascade",
    takes={"net": "text", "weights": "(P,)", "seed": "number = 0"},
    gives={
        "layers in the order in which they come, counted from 0 for the first of the model,": "(L,)",
        "share of a layer's numbers that are new, by model and layer,": "(L, L)",
        "share of a layer's numbers that are as in a new layer, by model and layer,": "(L, L)",
        "number of numbers that change again after they were new": "scalar",
        "number of tensors that belong to two models": "scalar",
        "share of the weights that differ in a second run with the same seed": "scalar",
        "share of the weights that differ in a run with another seed": "scalar",
        "number of pairs of layers that got the same weights": "scalar",
        "number of the caller's random numbers that have become others": "scalar",
        "number of modules of the copies in another mode": "scalar",
        "number of parameters of the copies with another requires_grad": "scalar",
        **dict.fromkeys(TRACES, "scalar"),
    },
    written="cascade(model, seed=0) -> pairs (name, copy of the model)",
    use=use,
    may_use=("course_lib.grading.tasks.saliency.tiny_nets",),
    hints=(
        "Which modules are layers that can lose something? Draw all new weights once, before the first model "
        "is handed out, and nobody's random numbers are disturbed in between.",
        "layers 1 … L: the modules with parameters of their own, as named_modules() gives them\n"
        "model n of the cascade: layers 1 … L - n as they were, layers L - n + 1 … L as new,   n = 1 … L\n"
        "new: what layer.reset_parameters() makes of it, with the random numbers of the seed",
        "names <- those of the modules that have parameters of their own\n"
        "fresh <- a deep copy of the model\n"
        "within torch.random.fork_rng(): set the seed; reset the parameters of every layer of fresh\n"
        "current <- a deep copy of the model\n"
        "for each name, from the last to the first:\n"
        "  load the state of this layer of fresh into that of current\n"
        "  yield the name and a deep copy of current",
    ),
    oracle=oracle,
    cases=(
        Case("a ConvNet with batch norm", trained(CONVNET)),
        Case("a perceptron and a seed", trained(PERCEPTRON, 5)),
    ),
    misconceptions=MISCONCEPTIONS,
)
