"""Small models and batches for the tests of what attaches to a model."""

import torch
from torch import nn


def conv_net():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    )


def images(n=6, seed=0):
    return torch.randn(n, 2, 6, 6, generator=torch.Generator().manual_seed(seed))


class Shared(nn.Module):
    """One ReLU module that serves twice, like those of torchvision's residual blocks."""

    def __init__(self, inplace=False):
        super().__init__()
        torch.manual_seed(4)
        self.first, self.second, self.head = nn.Linear(3, 4), nn.Linear(4, 6), nn.Linear(6, 2)
        self.relu = nn.ReLU(inplace)

    def forward(self, x):
        return self.head(self.relu(self.second(self.relu(self.first(x)))))


class Reversed(nn.Module):
    """Defined in one order, used in the other."""

    def __init__(self):
        super().__init__()
        self.late, self.early = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.late(self.early(x) - 1)
