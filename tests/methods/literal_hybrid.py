"""Equations 3.9 to 3.13 to the letter, one sample after the other, in Python's own float64."""

import math


def squared(one, other, how="sum"):
    """‖one - other‖² of two tensors, or its mean over their entries."""
    squares = [(a - b) ** 2 for a, b in zip(one.flatten().tolist(), other.flatten().tolist(), strict=True)]
    return sum(squares) / (len(squares) if how == "mean" else 1)


def softmax(row):
    powers = [math.exp(value) for value in row]
    return [power / sum(powers) for power in powers]


def cls(logits, y, over="labelled"):
    """Eq. 3.9: only samples with a label count, in the sum and in n_s."""
    losses = [-math.log(softmax(row)[k]) for row, k in zip(logits.tolist(), y.tolist()) if k != -1]
    return sum(losses) / (len(y) if over == "batch" else max(1, len(losses)))


def rec(x, x_hat, pixels="sum"):
    """Eq. 3.10."""
    return sum(squared(a, b, pixels) for a, b in zip(x, x_hat, strict=True)) / len(x)


def inter(pairs, pixels="sum"):
    """Eq. 3.11, summed over what it is asked for."""
    return sum(rec(h, made, pixels) for h, made in pairs)


def goes_to_u(x, x_c, x_u):
    """For each sample, whether the unsupervised branch gets the gradient of Eq. 3.12."""
    return [squared(u, a) >= squared(c, a) for a, c, u in zip(x, x_c, x_u, strict=True)]


def stab(logits, target, classes="sum"):
    """Eq. 3.13, with a target for every sample."""
    total = 0.0
    for row, wanted in zip(logits.tolist(), target.tolist(), strict=True):
        squares = [(p - q) ** 2 for p, q in zip(softmax(row), wanted, strict=True)]
        total += sum(squares) / (len(squares) if classes == "mean" else 1)
    return total / len(logits)
