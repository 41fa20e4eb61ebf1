"""A right answer to hybridnet.hybrid_loss in pieces, so that a wrong one can replace one of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


class Batch(NamedTuple):
    x_tilde: Tensor
    x: Tensor
    y: Tensor
    target: Tensor


# --- the terms of a right answer: each takes what the model made, and the batch ---------------


def square(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).square().flatten(1).mean(1)


def cls(out: Any, b: Batch) -> Tensor:
    return cross_entropy(out.logits[b.y >= 0], b.y[b.y >= 0])


def balanced(to_u: Callable, x: Callable = lambda b: b.x) -> Callable:
    """The reconstruction term with another decision (of the errors e_u and e_c) or "
    "another picture to draw."""

    def rec(out: Any, b: Batch) -> Tensor:
        decision = to_u(square(out.x_u, x(b)), square(out.x_c, x(b)))
        for_u, for_c = square(out.x_u + out.x_c.detach(), x(b)), square(out.x_u.detach() + out.x_c, x(b))
        return torch.where(decision, for_u, for_c)

    return rec


rows = balanced(lambda e_u, e_c: e_u >= e_c)


def rec(out: Any, b: Batch) -> Tensor:
    return rows(out, b).mean()


def inter(out: Any, b: Batch) -> Tensor:
    return sum((drawn - seen.detach()).square().mean() for seen, drawn in (*out.taps_c, *out.taps_u))


def stab(out: Any, b: Batch) -> Tensor:
    return (out.logits.softmax(1) - b.target.detach()).square().mean()


def weighted(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    return sum(weights[name] * term for name, term in terms.items())


def loss(given: Callable = lambda b: b.x_tilde, joined: Callable = weighted, **other: Callable) -> Callable:
    """A right answer, or one with other terms, another input of the model, or another sum."""
    pieces = {"cls": cls, "rec": rec, "inter": inter, "stab": stab} | other

    def hybrid_loss(model, x_tilde, x, y, target, weights):
        b = Batch(x_tilde, x, y, target)
        out = model(given(b))
        return joined({name: piece(out, b) for name, piece in pieces.items()}, weights)

    return hybrid_loss
