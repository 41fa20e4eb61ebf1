"""shade.regularizer: SHADE on the ReLUs of a model, with Algorithm A.1 as its memory (Robert 2019, Eq. 2.21).

An answer is tried in a scenario: two training batches, evaluation, saving, loading, two more batches.  The
oracle takes the same weights and batches through the same layers by itself.
"""

import io

import torch
from torch import Tensor, nn, relu
from torch.nn.functional import conv2d

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.shade.wrong_regularizers import MISCONCEPTIONS

NETS = {  # which of its ReLUs are listed, and the shapes of its weights
    "ConvNet": ((0, 1), [(3, 2, 3, 3), (3,), (3,), (3,), (2, 3, 3, 3), (2,), (2, 12), (2,)]),
    "MLP": ((0, 1), [(5, 4), (5,), (3, 5), (3,), (2, 3), (2,)]),
    "MLP, second ReLU only": ((1,), [(5, 4), (5,), (3, 5), (3,), (2, 3), (2,)]),
}
KEEP, EPS = 0.9, 1e-5  # batch norm's own defaults in torch


# --- the oracle: layer by layer, unit by unit -------------------------------------------------


def entering(net: str, w: list[Tensor], x: Tensor, norm: tuple[Tensor, Tensor]):
    """What enters each listed ReLU, and the outputs; norm: the mean and variance for batch norm."""
    listed, _ = NETS[net]
    if net.startswith("MLP"):
        first = x @ w[0].T + w[1]
        second = relu(first) @ w[2].T + w[3]
        return [(first, second)[i] for i in listed], relu(second) @ w[4].T + w[5]
    mean, var = (each[:, None, None] for each in norm)
    first = w[2][:, None, None] * (convolved(w, x) - mean) / (var + EPS).sqrt() + w[3][:, None, None]
    second = conv2d(relu(first), w[4], w[5])
    return [first, second], relu(second).flatten(1) @ w[6].T + w[7]


def convolved(w: list[Tensor], x: Tensor) -> Tensor:
    return conv2d(x, w[0], w[1], padding=1)


def statistics(net: str, w: list[Tensor], x: Tensor, unbiased: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance over what batch norm gets; an MLP has no batch norm."""
    if net.startswith("MLP"):
        return torch.zeros(1), torch.ones(1)
    before = convolved(w, x).transpose(0, 1).flatten(1)
    return before.mean(1), before.var(1, unbiased=unbiased)


def layer_penalty(h: Tensor, averages: dict[int, dict], moves: bool) -> Tensor:
    """The mean over the units of one layer of Eq. A.8, and then, where the averages move, Algorithm A.1."""
    units = h.unbind(1)
    total = torch.zeros(())
    for d, values in enumerate(units):
        average = averages.setdefault(d, {"mu": [-1.0, 1.0], "p": [0.5, 0.5]})
        for z in (0, 1):
            q = 1 / (1 + torch.exp(-values if z else values))
            total = total + (q * (values - average["mu"][z]) ** 2).mean() / len(units)
            if moves:
                q, known = q.detach(), values.detach()
                average["p"][z] = 0.8 * average["p"][z] + 0.2 * q.mean()
                average["mu"][z] = 0.8 * average["mu"][z] + 0.2 * (q * known / average["p"][z]).mean()
    return total


def oracle(net: str, weights: Tensor, x1: Tensor, x2: Tensor, x3: Tensor) -> tuple[Tensor, ...]:
    """The scenario of `use`, computed without any module or hook."""
    listed, shapes = NETS[net]
    parts = weights.split([torch.Size(shape).numel() for shape in shapes])
    w = [part.reshape(shape).requires_grad_() for part, shape in zip(parts, shapes)]
    start = statistics(net, w, x1)
    memory = [{} for _ in listed]

    def omega(x: Tensor, norm: tuple[Tensor, Tensor], moves: bool) -> tuple[Tensor, Tensor]:
        layers, outputs = entering(net, w, x, norm)
        return sum(layer_penalty(h, kept, moves) for h, kept in zip(layers, memory)), outputs

    mean, var = torch.zeros_like(start[0]), torch.ones_like(start[1])
    fresh = omega(x1, (mean, var), moves=False)[0]
    first, first_outputs = omega(x1, start, moves=True)
    second, outputs = omega(x2, statistics(net, w, x2), moves=True)
    (gradient,) = torch.autograd.grad(outputs.square().mean() + second, w[0])
    for x in (x1, x2):
        new_mean, new_var = statistics(net, w, x, unbiased=True)
        mean, var = KEEP * mean + (1 - KEEP) * new_mean, KEEP * var + (1 - KEEP) * new_var
    third = omega(x3, (mean, var), moves=False)[0]
    again = omega(x1, start, moves=True)[0]
    last = omega(x2, statistics(net, w, x2), moves=True)[0]
    passes = torch.full_like(first, 2)
    return passes, first_outputs, first, second, gradient, third, third, fresh, third, again, last


# --- the scenario -----------------------------------------------------------------------------


def build(net: str, weights: Tensor) -> tuple[nn.Module, list[nn.Module]]:
    """A model with these weights, and those of its ReLUs that are listed."""
    if net == "ConvNet":
        bottom = [nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 3), nn.ReLU()]
        model = nn.Sequential(*bottom, nn.Flatten(), nn.Linear(12, 2))
    else:
        model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    model.to(weights)
    nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    relus = [module for module in model if isinstance(module, nn.ReLU)]
    return model, [relus[i] for i in NETS[net][0]]


def use(answer: type, net: str, weights: Tensor, x1: Tensor, x2: Tensor, x3: Tensor) -> tuple[Tensor, ...]:
    """Train on two batches, evaluate, save, load, and train on."""
    model, layers = build(net, weights)
    first_weights = model[0].weight
    regularizer = attached(answer, model, layers).to(weights)
    model.train()
    regularizer.train()
    passes, penalties, seen = 0, [], []
    for x in (x1, x2):
        model.zero_grad()
        outputs = model(x)
        penalties.append(penalty_of(regularizer))
        seen.append(outputs.detach())
        try:
            (outputs.square().mean() + penalties[-1]).backward()
            passes += 1
        except RuntimeError as error:
            if "second time" not in str(error):
                raise
    gradient = torch.zeros_like(first_weights) if first_weights.grad is None else first_weights.grad.clone()
    model.eval()
    regularizer.eval()
    evaluated = []
    for _ in range(2):
        model(x3)
        evaluated.append(penalty_of(regularizer))
    file = io.BytesIO()
    torch.save(regularizer.state_dict(), file)
    file.seek(0)

    model2, layers = build(net, weights)
    loaded = attached(answer, model2, layers).to(weights)
    model2.eval()
    loaded.eval()
    model2(x1)
    fresh = penalty_of(loaded)
    loaded.load_state_dict(torch.load(file, weights_only=False))
    model2.load_state_dict(model.state_dict(), strict=False)  # an answer may have left something in the model
    model2(x3)
    third = penalty_of(loaded)
    model2.train()
    loaded.train()
    later = []
    for x in (x1, x2):
        model2(x)
        later.append(penalty_of(loaded))
    counted = torch.full_like(weights[0], passes)
    return counted, seen[0], *penalties, gradient, *evaluated, fresh, third, *later


def attached(answer: type, model: nn.Module, layers: list[nn.Module]) -> nn.Module:
    regularizer = answer(model, layers)
    if not isinstance(regularizer, nn.Module):
        raise Unfit(f"{answer.__name__} must be derived from nn.Module, or it has no state_dict")
    return regularizer


def penalty_of(regularizer: nn.Module) -> Tensor:
    penalty = regularizer.penalty()
    if not isinstance(penalty, Tensor):
        kind = type(penalty).__name__
        raise Unfit(f"penalty() must return a scalar tensor, but it returned a {kind}")
    return penalty


def scenario(net: str, *shapes: tuple[int, ...]):
    """Weights and batches with values on both sides of 0, wide enough for the modes to matter."""

    def make(generator: torch.Generator) -> dict:
        count = sum(torch.Size(shape).numel() for shape in NETS[net][1])
        batches = [0.3 + 1.2 * normal(generator, *shape) for shape in shapes]
        weights = 0.2 + 0.8 * normal(generator, count)
        return {"net": net, "weights": weights} | dict(zip(("x1", "x2", "x3"), batches))

    return make


def images(*sizes: int) -> list[tuple[int, ...]]:
    return [(size, 2, 4, 5) for size in sizes]


TASK = Task(
    id="shade.regularizer",
    title="SHADE on the layers of a model",
    difficulty=4,
    minutes=50,
    points=4,
    function="ShadeRegularizer",
    takes={
        "net": "text",
        "weights": "(P,)",
        "x1": "(B, ...)",
        "x2": "(B, ...)",
        "x3": "(B, ...)",
    },
    gives={
        "number of backward passes that worked": "scalar",
        "output of the model for the first batch": "(B, C)",
        "penalty of the first batch": "scalar",
        "penalty of the second batch": "scalar",
        "gradient of the first layer's weights after the second batch": "the shape of the weights",
        "penalty in evaluation mode": "scalar",
        "second penalty in evaluation mode": "scalar",
        "penalty in evaluation mode before any training": "scalar",
        "penalty in evaluation mode after loading": "scalar",
        "penalty of the first batch after loading": "scalar",
        "penalty of the second batch after loading": "scalar",
    },
    written="ShadeRegularizer(model, layers)",
    kind="class",
    use=use,
    tolerance=1e-5,  # whoever keeps the averages in float32 is right too
    hints=(
        "There are three things to do at three moments. "
        "When the class is made: ask each layer to tell you what enters it. "
        "During a forward pass: remember that tensor. "
        "In penalty(): compare it with the averages, and only then move them.",
        "penalty = sum over layers of  mean over units and samples of  "
        "(1 - σ(h)) · (h - μ⁰)² + σ(h) · (h - μ¹)²\n"
        "then, in training mode, without gradient, for z = 0, 1:\n"
        "  p[z]  <- 0.8 · p[z]  + 0.2 · mean of p(z|h)\n"
        "  mu[z] <- 0.8 · mu[z] + 0.2 · mean of p(z|h) · h / p[z]     with the new p[z]",
        "__init__:\n"
        "  for each layer, with its number: register_forward_pre_hook(hook), where\n"
        "    hook(module, inputs) stores inputs[0] under the number\n"
        "penalty:\n"
        "  total <- 0\n"
        "  for each number and its tensor h:\n"
        "    h     <- (B, C, height, width) to (B·height·width, C); (B, C) stays\n"
        "    if there are no averages yet: register_buffer mu (2, C) of -1 and 1, and p (2, C) of 0.5\n"
        "    total <- total + mean of the penalty of h, with mu as it is\n"
        "    if self.training: within torch.no_grad(), move p, then mu\n"
        "  return total",
    ),
    oracle=oracle,
    cases=(
        Case("a small ConvNet with batch norm", scenario("ConvNet", *images(4, 6, 3))),
        Case(
            "an MLP of which only the second ReLU is listed",
            scenario(
                "MLP, second ReLU only", (1, 4), (8, 4), (4, 4)
            ),  # a batch of one sample is a batch too,
        ),
        Case("an MLP in float32", scenario("MLP", (7, 4), (5, 4), (6, 4)), dtype=torch.float32),
    ),
    large=Case("a ConvNet and batches of 12 images", scenario("ConvNet", *images(12, 12, 12))),
    misconceptions=MISCONCEPTIONS,
)
