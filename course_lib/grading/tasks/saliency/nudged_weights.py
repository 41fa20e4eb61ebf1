"""One step of gradient descent by definition: every weight is nudged, and the loss looked at twice."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from course_lib.grading.draws import normal
from course_lib.grading.tasks.saliency.tiny_nets import build, draw, fill

NUDGE = 1e-6


def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The cross-entropy of the classes y, as the mean over the images."""
    total = 0.0
    for logits, label in zip(model(x.clone()).tolist(), y.tolist()):
        total += math.log(sum(math.exp(z) for z in logits)) - logits[label]
    return total / len(y)


@torch.no_grad()
def slopes(net: str, weights: Tensor, statistics: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """∇ℓ by central differences, in evaluation mode."""
    model = build(net, weights, statistics).eval()
    found = []
    for k in range(len(weights)):
        losses = []
        for way in (1, -1):
            nudged = weights.clone()
            nudged[k] += way * NUDGE
            fill(model.parameters(), nudged)
            losses.append(loss_of(model, x, y))
        found.append((losses[0] - losses[1]) / (2 * NUDGE))
    return torch.tensor(found, dtype=weights.dtype)


def stepped(
    net: str, weights: Tensor, statistics: Tensor, x: Tensor, y: Tensor, eps: float, sign: int
) -> Tensor:
    """θ' = θ - sign · 2ε ∇ℓ(θ)."""
    return weights - sign * 2 * eps * slopes(net, weights, statistics, x, y)


def images_to_step_on(
    net: str, many: int, side: tuple[int, int], eps: float, sign: int | None = None, frozen: str = "no"
) -> Callable[[Generator], dict[str, Any]]:
    """Inputs of a case: images that pull the net in different directions, each with a class of its own."""

    def make(generator: Generator) -> dict[str, Any]:
        return {
            "net": net,
            **draw(net, generator),
            "x": 0.2 + normal(generator, many, 2, *side),
            "y": (2 + torch.arange(many)) % 3,
            "frozen": frozen,
            "eps": eps,
            **({} if sign is None else {"sign": sign}),
        }

    return make
