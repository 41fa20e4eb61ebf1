"""A dropout that the checks put in the place of torch's, so that training can be told in advance."""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)


def dropped(x: Tensor, p: float = 0.5) -> Tensor:
    """Three of five places stay, divided by 1 - p, and it is no matter of chance which."""
    kept = torch.arange(x.numel(), device=x.device).mul(7).remainder(5).lt(3).reshape(x.shape)
    return x * kept / (1 - p)


class KnownDropout(TorchFunctionMode):
    """In its context every dropout is ``dropped``.

    Attributes:
        seen: the probability and the shape of each that was called; whole maps have the probability -1.
    """

    def __init__(self):
        super().__init__()
        self.seen: list[tuple[float, tuple[int, ...]]] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function not in DROPOUTS:
            return function(*args, **(kwargs or {}))
        x, p, training = arguments(*args, **(kwargs or {}))
        if not training or not p:
            return x
        self.seen.append((p if function is F.dropout else -1.0, tuple(x.shape)))
        return dropped(x, p)


def arguments(input, p=0.5, training=True, inplace=False) -> tuple[Tensor, float, bool]:
    """What torch's dropouts are given."""
    return input, p, training
