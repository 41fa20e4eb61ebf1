"""How much an answer makes at once: a map of rank-one matrices needs none of these matrices."""

import contextlib
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

CHECK = "check (1 is passed) that no tensor is as large as the matrices"
BYTES = 8  # of a float64 number


class LargestTensor(TorchFunctionMode):
    """Notes the largest tensor that functions of torch give back inside.

    Attributes:
        numbers: how many float64 numbers its memory could hold; a view holds what it looks at.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            with contextlib.suppress(NotImplementedError, RuntimeError):  # in torch.vmap it has no memory
                size = each.untyped_storage().nbytes() if isinstance(each, Tensor) else 0
                self.numbers = max(self.numbers, size // BYTES)
        return made


def room(x: Tensor, g: Tensor, kernel_size: int = 1, padding: int = 0) -> int:
    """What an answer may make at once: all patches three times, both tensors, and a few maps besides.

    Args:
        x: (B, K, H, W).
        g: (B, K', h, w).
        kernel_size, padding: of the layer.
    """
    images, channels, height, width = x.shape
    padded = images * channels * (height + 2 * padding) * (width + 2 * padding)
    locations = images * g.shape[2] * g.shape[3]
    return padded + g.numel() + locations * (3 * channels * kernel_size**2 + 8)


def matrices(x: Tensor, g: Tensor, kernel_size: int = 1) -> int:
    """How many numbers the matrices g_u x_uᵀ of all locations hold."""
    return g.numel() * x.shape[1] * kernel_size**2
