"""saliency.meta_step: a copy of the model that has taken one step (Rebuffi 2020, §4.4 of Chapter 8).

The thesis writes ε for the inner step of Eq. 4 and derives a step of 2ε for the copy; its "learning rate
ε = 0.001" leaves open which of the two is meant.  Here ε is that of Eq. 4.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.grading.calling import is_blank
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.left_as_found import TRACES, Snapshot, in_use
from course_lib.grading.tasks.saliency.nudged_weights import images_to_step_on, stepped
from course_lib.grading.tasks.saliency.tiny_nets import TinyNet, build, flat, running
from course_lib.grading.tasks.saliency.wrong_steps import MISCONCEPTIONS

AVERAGE, SMOOTH = "a net with global average pooling", "a smooth net"


def oracle(
    net: str,
    weights: Tensor,
    statistics: Tensor,
    x: Tensor,
    y: Tensor,
    frozen: str,
    eps: float,
    sign: int = 1,
) -> tuple[Tensor, ...]:
    """θ - sign · 2ε ∇ℓ(θ), weight by weight; everything else as it was."""
    after = stepped(net, weights, statistics, x, y, eps, sign)
    return after, after, statistics, *[x.new_zeros(())] * (2 + len(TRACES))


# --- the scenario ----------------------------------------------------------------------------


def use(
    answer: Callable,
    net: str,
    weights: Tensor,
    statistics: Tensor,
    x: Tensor,
    y: Tensor,
    frozen: str,
    eps: float,
    sign: int | None = None,
) -> Any:
    """Ask for the copy of a model in the midst of training; then the model trains on, the copy must not."""
    if is_blank(answer):
        return NotImplemented
    model = in_use(build(net, weights, statistics))
    model.requires_grad_(frozen == "no")
    before = Snapshot(model)
    made = answer(model, x, y, eps) if sign is None else answer(model, x, y, eps, sign)
    copy = checked(made, model)
    traces = before.traces(x)
    after, kept = flat(copy.parameters(), x), flat(running(copy), x)
    hanging = sum(each.grad_fn is not None for each in copy.parameters())
    flags = sum(each.requires_grad != (frozen == "no") for each in copy.parameters())
    with torch.no_grad():
        for each in (*model.parameters(), *running(model)):
            each.mul_(2).add_(1)
    later = flat(copy.parameters(), x)
    return after, later, kept, *(torch.tensor(float(n)).to(x) for n in (hanging, flags)), *traces


def checked(made: Any, model: nn.Module) -> nn.Module:
    if not isinstance(made, nn.Module):
        kind = "None" if made is None else f"a {type(made).__name__}"
        raise Unfit(f"meta_step must return a network (an nn.Module), but it returned {kind}")
    if [p.shape for p in made.parameters()] != [p.shape for p in model.parameters()]:
        raise Unfit("meta_step must return a network of the same build as the model")
    return made


def images(net: str, many: int, *step, **other) -> Callable:
    """Images of the size that a net takes."""
    return images_to_step_on(net, many, (3, 1) if net == SMOOTH else (6, 4), *step, **other)


TASK = Task(
    id="saliency.meta_step",
    title="A model one step ahead",
    difficulty=3,
    minutes=30,
    points=3,
    function="meta_step",
    takes={
        "net": "text",
        "weights": "(P,)",
        "statistics": "(Q,)",
        "x": "(B, C, H, W)",
        "y": "(B,)",
        "frozen": "text",
        "eps": "number",
        "sign": "number = 1",
    },
    gives={
        "copy's weights": "(P,)",
        "copy's weights once the model has trained on": "(P,)",
        "running statistics of the copy": "(Q,)",
        "number of the copy's parameters that hang on a graph": "scalar",
        "number of the copy's parameters with another requires_grad than the model's": "scalar",
        **dict.fromkeys(TRACES, "scalar"),
    },
    written="meta_step(model, x, y, eps, sign=1) -> a copy of the model",
    use=use,
    may_use=(TinyNet.__module__,),
    hints=(
        "Work on a deep copy from the first line on, and the model cannot be harmed. "
        "In which mode must the loss be computed, and how long is the step?",
        "ℓ(θ) = mean over the images of the cross-entropy of the class y, with batch norm as in evaluation\n"
        "θ' = θ - sign · 2ε · ∇ℓ(θ)          for every parameter, frozen or not",
        "copy <- a deep copy of the model\n"
        "copy to evaluation mode\n"
        "flags <- requires_grad of each parameter of the copy;   all of them need a gradient for now\n"
        "loss <- the cross-entropy of the copy's logits of x and y\n"
        "gradients <- of the loss by the copy's parameters\n"
        "without gradient: subtract sign · 2 · eps times the gradient from each parameter\n"
        "flags back",
    ),
    oracle=oracle,
    cases=(
        Case("2 images in a ConvNet with batch norm", images(AVERAGE, 2, 0.05)),
        Case("3 images and a step upwards", images(AVERAGE, 3, 0.03, -1)),
        Case("1 image in a smooth net", images(SMOOTH, 1, 0.2, 1)),
        Case("a step of length 0", images(AVERAGE, 2, 0.0)),
        Case("a model that is frozen", images(AVERAGE, 2, 0.04, 1, "yes")),
        Case("2 images in float32", images(SMOOTH, 2, 0.1), dtype=torch.float32),
    ),
    misconceptions=MISCONCEPTIONS,
)
