"""Answers to shade.penalty that several tests need."""

import torch


def right(h, mu):
    q = torch.sigmoid(h)
    return ((1 - q) * (h - mu[0]) ** 2 + q * (h - mu[1]) ** 2).mean(0)


def stub(h, mu):
    """What the student finds."""
    raise NotImplementedError("shade.penalty")
