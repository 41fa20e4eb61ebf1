"""Random inputs for cases: float64 on the CPU, from a generator of their own."""

import torch
from torch import Generator, Tensor


def normal(generator: Generator, *shape: int) -> Tensor:
    """Standard normal numbers of a shape."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def uniform(generator: Generator, *shape: int) -> Tensor:
    """Numbers between 0 and 1 of a shape."""
    return torch.rand(shape, generator=generator, dtype=torch.float64)
