"""What the loop reads: batches with images ``x`` and labels ``y``, from whatever can be iterated."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Pair(NamedTuple):
    """A batch made of a plain ``(x, y)``."""

    x: Tensor  # (B, C, H, W)
    y: Tensor  # (B,)


def read(batches: Iterable, device: torch.device) -> Iterator[Any]:
    """One pass over the batches, each with ``.x`` and ``.y``.

    Args:
        batches: yields objects with ``.x`` and ``.y``, or plain pairs ``(x, y)``, which are moved to the
            device.
        device: where the model is.

    Raises:
        TypeError: what comes is neither of the two.
        ValueError: a batch is on another device, or there is no batch at all.
    """
    found = False
    for batch in batches:
        found = True
        if not hasattr(batch, "x"):
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise TypeError(
                    f"A batch is a {type(batch).__name__}, needed is one with .x and .y, or (x, y)."
                )
            batch = Pair(*(torch.as_tensor(part).to(device) for part in batch))
        if batch.x.device != device:
            raise ValueError(
                f"The batches are on {batch.x.device} and the model is on {device}; move one of them."
            )
        yield batch
    if not found:
        raise ValueError("batches gave no batch: they are empty, or can be iterated only once.")


def whole(batches: Iterable) -> Iterable:
    """The batches as one evaluates on them: in order and un-augmented where they can be had so."""
    return batches.evaluation() if hasattr(batches, "evaluation") else batches


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter is (the CPU if it has none)."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device
