"""The share of a batch that each of several processes takes."""

from typing import Any

import torch
from torch import Tensor


def share(batch: Any, rank: int, world: int) -> Any:
    """The part of a batch that process ``rank`` of ``world`` works on, a batch of the same type.

    Images without a label (``y`` is -1) and those with one are shared out apart, in their order, so that each
    process has its part of both. A batch type with a method ``part(rank, world)`` decides for itself.

    Where all images are of one kind, shares may differ by one image; `course_lib.training.distributed.fit`
    weighs them. With both kinds, a loss has means over each, which no single weight would set right: both
    numbers must be multiples of ``world``.

    Args:
        batch: a named tuple of tensors with a row for each image and of tuples of these, with ``y`` (B,).

    Raises:
        TypeError: a field of the batch is none of these, and it has no ``part``.
        ValueError: the batch cannot be shared out so.
    """
    if hasattr(batch, "part"):
        return batch.part(rank, world)
    n, y = len(batch.x), batch.y
    labelled = y >= 0 if y.ndim == 1 else torch.ones(n, dtype=torch.bool, device=y.device)
    kinds = [rows for rows in (labelled.nonzero().flatten(), (~labelled).nonzero().flatten()) if len(rows)]
    if len(kinds) == 2 and any(len(rows) % world for rows in kinds):
        raise ValueError(
            f"A batch has {len(kinds[0])} labelled and {len(kinds[1])} unlabelled images, which {world} "
            f"processes cannot share equally: both must be multiples of {world}."
        )
    if n < world:
        raise ValueError(f"A batch has {n} images, too few for {world} processes: take larger batches.")
    rows = torch.cat([rows.tensor_split(world)[rank] for rows in kinds])
    return type(batch)(*(_rows(field, rows, n, type(batch)) for field in batch))


def _rows(field: Any, rows: Tensor, n: int, kind: type) -> Any:
    if isinstance(field, tuple):
        return tuple(_rows(part, rows, n, kind) for part in field)
    if not isinstance(field, Tensor) or field.ndim == 0 or len(field) != n:
        raise TypeError(
            f"{kind.__name__} holds something that has no row for each image; "
            "give it a method part(rank, world) that returns a share."
        )
    taken = field[rows]
    channels_last = field.ndim == 4 and field.is_contiguous(memory_format=torch.channels_last)
    return taken.contiguous(memory_format=torch.channels_last) if channels_last else taken
