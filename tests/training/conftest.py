"""Small things to train: a net with dropout and batch norm, and batches that shuffle by (seed, epoch)."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn


class ToyBatch(NamedTuple):
    x: Tensor
    y: Tensor
    index: Tensor


class ToyBatches:
    """What the data room promises of its batches, on ``n`` samples of two Gaussian classes."""

    def __init__(self, n=20, batch_size=8, seed=0):
        generator = torch.Generator().manual_seed(99)
        self.y = torch.arange(n) % 2
        self.x = torch.randn(n, 1, 2, 3, generator=generator) + self.y[:, None, None, None]
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    def __len__(self):
        return -(-len(self.y) // self.batch_size)

    def __iter__(self):
        generator = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        self.epoch += 1
        for index in torch.randperm(len(self.y), generator=generator).split(self.batch_size):
            yield ToyBatch(self.x[index], self.y[index], index)

    def state_dict(self):
        return {"epoch": self.epoch}

    def load_state_dict(self, state):
        self.epoch = state["epoch"]

    def evaluation(self):
        return [ToyBatch(self.x, self.y, torch.arange(len(self.y)))]


class Regulariser(nn.Module):
    """Has a moving average of its own, as the methods of the course have."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, logits):
        penalty = (logits - self.mean).square().mean()
        self.mean.lerp_(logits.detach().mean(0), 0.2)
        return penalty


def toy_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(24, 2)
    )


@pytest.fixture
def toy():
    """The three makers by name: ``toy.net()``, ``toy.batches()``, ``toy.regulariser()``."""

    class Toy:
        net = staticmethod(toy_net)
        batches = ToyBatches
        regulariser = Regulariser

    return Toy
