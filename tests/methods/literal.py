"""The equations to the letter: one unit, one sample at a time, in Python's own float64."""

import math

import torch


def p(z, h):
    """p(Z=z | h), Eq. 2.18."""
    one = 1 / (1 + math.exp(-h))
    return one if z == 1 else 1 - one


class LiteralUnit:
    """One unit of SHADE: Eq. A.8 with the averages of Algorithm A.1."""

    def __init__(self, decay=0.8):
        self.decay = decay
        self.p = [0.5, 0.5]
        self.mu = [-1.0, 1.0]

    def penalty(self, hs):
        return sum(p(z, h) * (h - self.mu[z]) ** 2 for h in hs for z in (0, 1)) / len(hs)

    def update(self, hs):
        for z in (0, 1):
            self.p[z] = self.decay * self.p[z] + (1 - self.decay) * sum(p(z, h) for h in hs) / len(hs)
            mean = sum(p(z, h) / self.p[z] * h for h in hs) / len(hs)
            self.mu[z] = self.decay * self.mu[z] + (1 - self.decay) * mean


class LiteralVarEntropyUnit:
    """One unit of VarEntropy: Eq. 2.22 with a moving average that starts at 0."""

    def __init__(self, decay=0.8):
        self.decay = decay
        self.mean = 0.0

    def penalty(self, hs):
        return sum((h - self.mean) ** 2 for h in hs) / len(hs)

    def update(self, hs):
        self.mean = self.decay * self.mean + (1 - self.decay) * sum(hs) / len(hs)


def columns(h):
    """A tensor (K, D) or (B, D, ...) as D lists of samples."""
    return h.detach().movedim(1, 0).flatten(1).tolist()


def layer_penalty(units, h, reduction="mean", update_first=False, moving=True):
    """One layer's part of the loss by the loop over its units, which moves their averages."""
    total = 0.0
    for unit, hs in zip(units, columns(h), strict=True):
        if moving and update_first:
            unit.update(hs)
        total += unit.penalty(hs) / len(units) if reduction == "mean" else unit.penalty(hs) * len(hs)
        if moving and not update_first:
            unit.update(hs)
    return total


def mu_of(units):
    return torch.tensor([unit.mu for unit in units], dtype=torch.float64).T


def p_of(units):
    return torch.tensor([unit.p for unit in units], dtype=torch.float64).T
