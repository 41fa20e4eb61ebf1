"""Small nets for the tests of masks, their images, and whether a call left everything as it was."""

import random
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


def image_net(seed=0, dtype=torch.float64):
    """A net with batch norm and dropout for images (2, 7, 9) and three classes, in training mode."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Tanh(), nn.Dropout(0.5),
        nn.Flatten(), nn.Linear(4 * 7 * 9, 3),
    ).to(dtype)  # fmt: skip
    net[1].running_mean.uniform_(-0.3, 0.3)
    net[1].running_var.uniform_(0.5, 2)
    return net


def images(n=3, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 0.4 + torch.randn(n, 2, 7, 9, generator=generator, dtype=dtype), torch.arange(n) % 3


def linear_net(weight, bias=0.0):
    """Logits (Σ weight ⊙ x + bias, 0) of images, for a weight (C, H, W)."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(weight.numel(), 2)).to(weight.dtype)
    with torch.no_grad():
        net[1].weight.copy_(torch.stack([weight.flatten(), torch.zeros_like(weight).flatten()]))
        net[1].bias.copy_(torch.tensor([bias, 0.0]))
    return net


class RegionNet(nn.Module):
    """The logit of class 0 is ``gain`` times the mean of a rectangle of the image; that of class 1 is 0."""

    def __init__(self, rows, columns, gain=1.0, offset=0.0):
        super().__init__()
        self.rows, self.columns, self.offset = slice(*rows), slice(*columns), offset
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, x):
        score = self.gain * x[:, :, self.rows, self.columns].mean((1, 2, 3)) + self.offset
        return torch.stack([score, torch.zeros_like(score)], 1)


@contextmanager
def left_as_found(model, *tensors):
    """Modes, weights, buffers, gradients, flags, hooks, inputs and the random state are as before."""
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [p.requires_grad for p in model.parameters()]
    inputs = [tensor.clone() for tensor in tensors]
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    yield
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == flags
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in model.modules())
    for before, tensor in zip(inputs, tensors):
        assert torch.equal(before, tensor) and not tensor.requires_grad and tensor.grad is None
    assert torch.equal(drawn[0], torch.get_rng_state()) and drawn[1] == random.getstate()
    assert (drawn[2] == np.random.get_state()[1]).all()


def passes(model):
    """A list that gets the size of the batch of each forward pass."""
    sizes = []
    model.register_forward_hook(lambda module, inputs, output: sizes.append(len(inputs[0])))
    return sizes
