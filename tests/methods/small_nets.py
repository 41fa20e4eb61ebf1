"""Two small nets for the tests of penalties, their batches, and comparing averages."""

import torch
from torch import nn

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def dense_net(dtype=torch.float64):
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 2)).to(dtype)


def conv_net(dtype=torch.float64):
    torch.manual_seed(6)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    ).to(dtype)


def batch_for(net, seed=0, n=7):
    generator = torch.Generator().manual_seed(seed)
    weight = next(net.parameters())
    shape = (n, 4) if weight.ndim == 2 else (n, 2, 6, 6)
    x = 2 * torch.randn(shape, generator=generator, dtype=weight.dtype) + 0.5
    return x, torch.arange(n) % 2


def inputs_of_relus(net, x):
    """What enters each ReLU, by hand."""
    found = []
    for module in net:
        if isinstance(module, nn.ReLU):
            found.append(x)
        x = module(x)
    return [*found, x]


def averages(shade):
    return {name: buffer.clone() for name, buffer in shade.named_buffers()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def batches_for(net, sizes=(7, 3, 5)):
    return [batch_for(net, seed, n) for seed, n in enumerate(sizes)]


def net_with_norms():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.ReLU(),
        nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.ReLU(), nn.Linear(5, 2),
    ).double()  # fmt: skip
