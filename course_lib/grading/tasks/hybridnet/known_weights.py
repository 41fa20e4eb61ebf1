"""Weights that a check puts into the layers of an answer, so that its numbers can be told in advance.

Nobody needs to know how an answer calls its layers: they are found by running it once and noting which of
them work, in which order.
"""

import zlib
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from course_lib.grading.draws import normal, uniform

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
LAYERS = (*CONVOLUTIONS, nn.BatchNorm2d, nn.Linear)


def drawn(key: str, shape: tuple[int, ...], spread: float = 1.0, middle: float = 0.0) -> Tensor:
    """Normal numbers that depend on the key and the shape alone."""
    return middle + spread * normal(torch.Generator().manual_seed(zlib.crc32(key.encode())), *shape)


@cache
def weights(key: str, shape: tuple[int, ...]) -> Tensor:
    """Of a convolution or a dense layer."""
    inputs = max(1, torch.Size(shape[1:]).numel())
    return drawn(key, shape, 1.3 / inputs**0.5)


@cache
def biases(key: str, size: int) -> Tensor:
    """Of a convolution or a dense layer."""
    return drawn(f"{key} bias", (size,), 0.3, 0.1)


@cache
def norm(key: str, maps: int) -> dict[str, Tensor]:
    """Scale, shift, mean and variance of a batch norm."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{key} variance".encode()))
    return {
        "weight": drawn(f"{key} scale", (maps,), 0.2, 1.0),
        "bias": drawn(f"{key} shift", (maps,), 0.3),
        "running_mean": drawn(f"{key} mean", (maps,), 0.3),
        "running_var": 0.5 + uniform(generator, maps),
    }


def in_order(model: nn.Module, run: Callable[[], object]) -> list[nn.Module]:
    """The layers that work during ``run``, each once, the first to work first."""
    seen: dict[nn.Module, None] = {}
    handles = [
        module.register_forward_hook(lambda module, *_: seen.setdefault(module))
        for module in model.modules()
        if isinstance(module, LAYERS)
    ]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return list(seen)


@torch.no_grad()
def put(layer: nn.Module, key: str, biased: bool = True) -> None:
    """Give a layer the weights of a key; without ``biased`` its bias is 0 (but not that of a batch norm)."""
    if isinstance(layer, nn.BatchNorm2d):
        for name, values in norm(key, layer.num_features).items():
            if getattr(layer, name) is not None:
                getattr(layer, name).copy_(values)
        return
    layer.weight.copy_(weights(key, tuple(layer.weight.shape)))
    if layer.bias is not None:
        layer.bias.copy_(biases(key, len(layer.bias)) if biased else torch.zeros_like(layer.bias))
