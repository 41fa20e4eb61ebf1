"""Excitation backprop written out: one number at a time, in lists of (where from, weight) pairs.

A layer is a table: for each output, which inputs enter it and with which weights. The rule then needs no
knowledge of strides or padding; the tables are made with plain loops.
"""

import itertools

import torch

from course_lib.methods.saliency.excitation_rules import excitation_rules


def shared_out(p, x, table):
    """p' of each input, for outputs with signals p and the table [[(input, weight), ...] per output]."""
    down = [0.0] * len(x)
    for signal, causes in zip(p, table):
        whole = sum(excitation(w, x[j]) for j, w in causes)
        for j, w in causes:
            if whole > 0:
                down[j] += excitation(w, x[j]) / whole * signal
    return down


def excitation(w, x):
    """w+ x for x >= 0; for an x below 0 what excites is the product of two negative numbers."""
    return max(w * x, 0.0)


def linear_table(weight):
    return [list(enumerate(row)) for row in weight.tolist()]


def conv_table(weight, shape, stride=1, padding=0, dilation=1, groups=1):
    """Of a convolution of (K, h, w), flattened, with weight (K', K / groups, n, m)."""
    _, height, width = shape
    out_channels, inner, n, m = weight.shape
    rows = range(-padding, height + padding - dilation * (n - 1), stride)
    columns = range(-padding, width + padding - dilation * (m - 1), stride)
    table = []
    for o, top, left in itertools.product(range(out_channels), rows, columns):
        first = o // (out_channels // groups) * inner
        causes = []
        for k, i, j in itertools.product(range(inner), range(n), range(m)):
            r, c = top + i * dilation, left + j * dilation
            if 0 <= r < height and 0 <= c < width:
                causes.append((((first + k) * height + r) * width + c, weight[o, k, i, j].item()))
        table.append(causes)
    return table


def average_table(shape, windows):
    """Of an average over windows, [(rows, columns), ...], in each of the K channels."""
    channels, height, width = shape
    return [
        [((k * height + r) * width + c, 1 / (len(rows) * len(columns))) for r in rows for c in columns]
        for k in range(channels)
        for rows, columns in windows
    ]


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def signals(layer, *inputs, p=None, negated=None):
    """The layer's output, the signal p given to it (random, at first), and what it sends to its inputs."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    with excitation_rules(negated):
        y = layer(*(leaf.clone() for leaf in leaves))
    p = draw(*y.shape, seed=8) if p is None else p
    return y.detach(), p, torch.autograd.grad(y, leaves, p)
