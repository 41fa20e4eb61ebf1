"""Tensors as plain data: what was seen of a result, when two are the same, and where they differ most."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

MOST = 100_000  # numbers of one tensor that are kept; a larger one has a wrong shape anyway

# What rounding may do to a right answer, relative to its size.
PRECISION = {"float64": 1e-8, "float32": 1e-4}


@dataclass(frozen=True)
class Value:
    """A tensor by its shape, type, device ("cpu", "cuda") and numbers; numbers is None where it holds none
    that can be compared, or too many."""

    shape: tuple[int, ...]
    dtype: str
    device: str
    numbers: tuple[float, ...] | None

    def tensor(self) -> Tensor:
        """The numbers as a float64 tensor of this shape, on the CPU."""
        return torch.tensor(self.numbers, dtype=torch.float64, device="cpu").reshape(self.shape)


def value_of(tensor: Tensor) -> Value:
    """Record a tensor."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    numbers = None
    if tensor.numel() <= MOST and not tensor.is_complex() and not tensor.is_meta:
        numbers = tuple(tensor.detach().to("cpu", torch.float64).flatten().tolist())
    return Value(tuple(tensor.shape), dtype, tensor.device.type, numbers)


def allowed(expected: Tensor, relative: float) -> Tensor:
    """How far a number may be from the expected one, element by element."""
    size = expected.abs()
    return relative * (size + size.mean()) + 1e-12


def worst(expected: Value, got: Value, relative: float) -> tuple[tuple[int, ...], float, float, int] | None:
    """Where two values of the same shape differ most.

    Args:
        expected, got: the values.
        relative: how far a number may be from the expected one, relative to its size.

    Returns:
        The index, the number expected there, the number got, and how many numbers differ;
        None where all agree.
    """
    if not expected.numbers:
        return None
    e = expected.tensor()
    g = torch.full_like(e, math.nan) if got.numbers is None else got.tensor()
    excess = ((g - e).abs() / allowed(e, relative)).nan_to_num(nan=math.inf)
    if not (excess > 1).any():
        return None
    at = int(excess.argmax())
    return (
        index_of(at, expected.shape),
        e.flatten()[at].item(),
        g.flatten()[at].item(),
        int((excess > 1).sum()),
    )


def index_of(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the number that stands at a place of the flattened tensor."""
    return tuple(int(i) for i in np.unravel_index(place, shape))


def same(one: Value | None, other: Value | None, relative: float = 0.0) -> bool:
    """Whether two recorded values agree, up to rounding or more; two NaNs in one place agree."""
    if one is None or other is None:
        return one is other
    if one.shape != other.shape:
        return False
    if one.numbers is None or other.numbers is None:
        return one.numbers is other.numbers
    a, b = one.tensor(), other.tensor()
    if not a.isfinite().equal(b.isfinite()):
        return False
    finite = a.isfinite()
    if not a[~finite].nan_to_num(nan=0.5).equal(b[~finite].nan_to_num(nan=0.5)):
        return False
    if not finite.any():
        return True
    rounding = PRECISION["float64" if {one.dtype, other.dtype} == {"float64"} else "float32"]
    relative = max(relative, rounding)
    return bool(((a - b).abs()[finite] <= allowed(a[finite], relative)).all())
