"""The model that the check of hybridnet.branch_report hands over: two branches that are known by heart."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

EPS = 1e-5  # batch norm's own in torch


class KnownBranches(nn.Module):
    """Each branch mixes the channels of the image and normalises them; it answers as a HybridNet does.

    Args:
        weights: (2, C, C), of branch c and branch u.
        statistics: (2, C, 4): mean, variance, scale and shift of their batch norms.
    """

    def __init__(self, weights: Tensor, statistics: Tensor):
        super().__init__()
        self.c, self.u = (branch(*each) for each in zip(weights, statistics))
        self.frozen = nn.Identity()  # stays in evaluation mode, as a part that is not trained would

    def forward(self, x: Tensor) -> SimpleNamespace:
        x_c, x_u = self.c(x), self.frozen(self.u(x))
        return SimpleNamespace(x_c=x_c, x_u=x_u, x_hat=x_c + x_u)


@torch.no_grad()
def branch(weights: Tensor, statistics: Tensor) -> nn.Sequential:
    channels = len(weights)
    conv, norm = nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels, eps=EPS)
    made = nn.Sequential(conv, norm).to(weights)
    conv.weight.copy_(weights[:, :, None, None])
    for tensor, values in zip((norm.running_mean, norm.running_var, norm.weight, norm.bias), statistics.T):
        tensor.copy_(values)
    return made
