"""A small net with a branch, for the checks of the virtual identity: what follows the branch is a sum."""

import torch
from torch import Generator, Tensor, nn

from course_lib.grading.draws import normal
from course_lib.grading.tasks.saliency import tiny_nets

RESIDUAL = "a residual net"
MAPS = 3


class ResidualNet(nn.Module):
    """Layers ``image`` (it gives the image on), ``conv1``, ``relu1``, ``branch``, ``relu2``, ``head``."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Identity()
        self.conv1 = nn.Conv2d(tiny_nets.IMAGE, MAPS, 3, padding=1)
        self.relu1 = nn.ReLU()  # not in place: the sum needs what the branch begins with
        self.branch = nn.Sequential(nn.Conv2d(MAPS, MAPS, 3, padding=1), nn.Tanh())
        self.relu2 = nn.ReLU(inplace=True)
        self.head = nn.Linear(MAPS, tiny_nets.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 2, H, W) to logits (B, 3)."""
        x = self.relu1(self.conv1(self.image(x)))
        return self.head(self.relu2(x + self.branch(x)).mean((2, 3)))


def draw(net: str, generator: Generator) -> dict[str, Tensor]:
    """Weights (P,) and statistics (Q,) of a net, this one or one of ``tiny_nets``."""
    if net != RESIDUAL:
        return tiny_nets.draw(net, generator)
    with torch.random.fork_rng(devices=[]):
        many = sum(each.numel() for each in ResidualNet().parameters())
    return {"weights": 0.1 + 0.5 * normal(generator, many), "statistics": normal(generator, 0)}


def build(net: str, weights: Tensor, statistics: Tensor) -> nn.Module:
    """The net with these numbers."""
    if net != RESIDUAL:
        return tiny_nets.build(net, weights, statistics)
    with torch.random.fork_rng(devices=[]):
        model = ResidualNet().to(weights)
    tiny_nets.fill(model.parameters(), weights)
    return model
