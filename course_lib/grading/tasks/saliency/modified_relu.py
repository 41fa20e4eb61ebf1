"""saliency.modified_relu: a ReLU that lets another signal back (Rebuffi 2020, §2.5.1).

The rules are those of Zeiler & Fergus 2014 (deconvnet) and Springenberg et al. 2015 (guided backpropagation).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.calling import is_blank
from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.wrong_relus import MISCONCEPTIONS

# --- the oracle ------------------------------------------------------------------------------


def passed_back(z: float, p: float, rule: str) -> float:
    """The signal that goes back through one ReLU with the input z, when p arrives at its output."""
    if rule == "guided":
        return p if z > 0 and p > 0 else 0.0
    return p if p > 0 else 0.0


def rectified(z: Tensor) -> Tensor:
    return torch.tensor([max(0.0, each) for each in z.flatten().tolist()], dtype=z.dtype).reshape(z.shape)


def back(z: Tensor, p: Tensor, rule: str) -> Tensor:
    pairs = zip(z.flatten().tolist(), p.flatten().tolist())
    return torch.tensor([passed_back(*pair, rule) for pair in pairs], dtype=z.dtype).reshape(z.shape)


def oracle(z: Tensor, later: Tensor, p: Tensor, weights: Tensor, rule: str) -> tuple[Tensor, ...]:
    """Number by number; through two layers, the rule twice with the transposed weights between them."""
    first = rectified(z)
    middle = first @ weights
    through = back(z, back(middle, p @ weights, rule) @ weights.T, rule)
    return first, rectified(later), back(z, p, rule), back(later, -p, rule), through, z.new_zeros(())


# --- the scenario ----------------------------------------------------------------------------


def use(answer: Callable, z: Tensor, later: Tensor, p: Tensor, weights: Tensor, rule: str) -> Any:
    """Two calls before the first signal goes back, then a net of two layers, each with the rule's ReLU."""
    if is_blank(answer):
        return NotImplemented
    leaves = [each.clone().requires_grad_() for each in (z, later, z)]
    inputs = [each.clone() for each in leaves]  # a layer's output, as in a network: no leaf
    first, second = (rectified_by(answer, each, rule) for each in inputs[:2])
    middle = rectified_by(answer, inputs[2], rule) @ weights
    last = rectified_by(answer, middle, rule) @ weights.T
    signals = [
        signal(out, leaf, sent)
        for out, leaf, sent in zip((first, second, last), leaves, (p, -p, p), strict=True)
    ]
    written = sum(not torch.equal(given, kept) for given, kept in zip(inputs, (z, later, z)))
    return first.detach(), second.detach(), *signals, torch.tensor(float(written)).to(z)


def rectified_by(answer: Callable, z: Tensor, rule: str) -> Tensor:
    out = answer(z, rule)
    if not isinstance(out, Tensor):
        raise Unfit(f"modified_relu must return a tensor, but it returned a {type(out).__name__}")
    if out.shape != z.shape:
        raise Unfit(f"modified_relu must keep the shape {tuple(z.shape)}, but it returned {tuple(out.shape)}")
    return out


def signal(out: Tensor, leaf: Tensor, sent: Tensor) -> Tensor:
    """What arrives at the leaf when a signal is sent back from the output."""
    if not out.requires_grad:
        raise Unfit("No signal can go back: what modified_relu returns does not hang on z for autograd")
    (found,) = torch.autograd.grad((out * sent).sum(), leaf, allow_unused=True)
    return torch.zeros_like(leaf) if found is None else found


# --- inputs ----------------------------------------------------------------------------------


def numbers(shape: tuple[int, ...], rule: str, zeros: bool = False):
    """Inputs and signals of either sign, and some exact zeros among the inputs where wanted."""

    def make(generator: torch.Generator) -> dict[str, Any]:
        z, later, p = (0.2 + normal(generator, *shape) for _ in range(3))
        if zeros:
            z.flatten()[::3], later.flatten()[1::3] = 0.0, 0.0
        weights = normal(generator, shape[-1], shape[-1] + 1)
        return {"z": z, "later": later, "p": p, "weights": weights, "rule": rule}

    return make


TASK = Task(
    id="saliency.modified_relu",
    title="Two ReLUs with another way back",
    difficulty=2,
    minutes=20,
    points=2,
    function="modified_relu",
    takes={
        "z": "any shape (…, D)",
        "later": "as z",
        "p": "as z",
        "weights": "(D, D + 1)",
        "rule": "text",
    },
    gives={
        "output": "as z",
        "output of the next call": "as z",
        "signal at z": "as z",
        "signal at the input of the next call": "as z",
        "signal through two layers": "as z",
        "number of inputs that were written into": "scalar",
    },
    written="modified_relu(z, rule) -> as z",
    use=use,
    hints=(
        "The way forward is that of any ReLU. Which numbers decide on the way back: "
        "those that went in, the signal that arrives, or both? And who keeps them until then?",
        "output   max(z, 0)                       for both rules\n"
        "signal   p · 1[z > 0] · 1[p > 0]         guided\n"
        "         p · 1[p > 0]                    deconvnet\n"
        "with p the signal that arrives at the output",
        "class Guided(torch.autograd.Function):\n"
        "  forward, of a context and z:  keep z in the context; give z with its negative numbers set to 0\n"
        "  backward, of the context and p:  take z out again; give p where z > 0 and p > 0, else 0\n"
        "the same for the deconvnet, which need not keep anything\n"
        "apply the one that the rule names",
    ),
    oracle=oracle,
    cases=(
        Case("4 samples of 5 units, guided", numbers((4, 5), "guided")),
        Case("4 samples of 5 units, deconvnet", numbers((4, 5), "deconvnet")),
        Case("2 images of 3 maps, guided", numbers((2, 3, 4, 5), "guided")),
        Case("2 images of 3 maps, deconvnet", numbers((2, 3, 4, 5), "deconvnet")),
        Case("inputs that are exactly 0, guided", numbers((3, 6), "guided", zeros=True)),
        Case("inputs that are exactly 0, deconvnet", numbers((3, 6), "deconvnet", zeros=True)),
        Case("2 samples in float32, guided", numbers((2, 7), "guided"), dtype=torch.float32),
    ),
    misconceptions=MISCONCEPTIONS,
)
