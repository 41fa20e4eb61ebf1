"""Nets for the tests of excitation backprop, with activations that are never below 0."""

import torch
import torch.nn.functional as F
from torch import nn

LAYERS = ["conv1", "pool1", "block", "pool2"]


class Residual(nn.Module):
    """h + relu(norm(conv(h))): both branches are never below 0."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, h):
        return F.relu(self.norm(self.conv(h))) + h


class Net(nn.Module):
    """With a max pool, an average pool, a residual sum, batch norm and a linear head; dropout as a trap."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.conv1, self.pool1 = nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(2)
        self.block, self.pool2 = Residual(), nn.AvgPool2d(2)
        self.relu, self.dropout = nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.head = nn.Linear(4, 5)
        self.double()
        # A positive centre keeps each denominator above 0.
        self.conv1.weight.data[:, :, 1, 1] = 1.0
        self.block.conv.weight.data[:, :, 1, 1] = 1.0
        self.block.norm.running_mean.uniform_(-0.1, 0.1)
        self.block.norm.weight.data.uniform_(0.5, 2.0)

    def forward(self, x):
        h = self.pool1(self.relu(self.conv1(x)))
        h = self.pool2(self.block(h))
        return self.head(self.dropout(h.mean((2, 3))))


def images(n=3, size=8):
    return (
        torch.rand(n, 2, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.01
    )


CLASSES = torch.tensor([3, 0, 4])


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.body, self.relu, self.head = nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 1)
        self.double()

    def forward(self, x):
        return self.head(self.relu(self.body(x)))


class Deeper(nn.Module):
    """A head of two linear layers with an in-place ReLU between them, as VGG has."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.body, self.pool = nn.Conv2d(2, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1)
        self.fc, self.relu, self.head = nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 5)
        self.double()

    def forward(self, x):
        h = self.pool(F.relu(self.body(x))).flatten(1)
        return self.head(self.relu(self.fc(h)))


class Aside(nn.Module):
    """A net with layers that its class score does not need."""

    def __init__(self):
        super().__init__()
        self.used, self.aside, self.head = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Linear(3, 5)
        self.spare = nn.Linear(3, 5)
        self.double()

    def forward(self, x):
        self.aside(x)
        return self.head(self.used(x).relu().mean((2, 3)))


class Overwritten(nn.Module):
    """A residual sum that overwrites the output of its branch, as in the ResNets of torchvision."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(8)
        self.body, self.branch = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 5)
        self.double()

    def forward(self, x):
        h = F.relu(self.body(x))
        out = self.branch(h)
        out += h
        return self.head(F.relu(out).mean((2, 3)))
