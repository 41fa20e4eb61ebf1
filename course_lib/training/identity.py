"""Which run is this: its arguments in words, so that the checkpoint of another run is recognised."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import nn

from course_lib.training.averages import Average
from course_lib.training.optimisers import Rates


def in_words(
    model: nn.Module,
    batches: Iterable,
    loss: Callable,
    rates: Rates,
    average: Average | None,
    stateful: Mapping[str, Any] | None,
    **more: object,
) -> dict[str, str]:
    """Everything about a run that decides its result and can be compared.

    What cannot: the values of the data, and what a loss or a schedule closes over. A schedule is compared by
    its values at five points.
    """
    return {
        "model": f"{type(model).__name__} {_digest(model)}",
        "batches": _batches(batches),
        "loss": getattr(loss, "__qualname__", type(loss).__qualname__),
        "optimizer": _optimizer(rates),
        "schedule": str(rates.schedule and [round(rates.schedule(i / 5), 9) for i in range(5)]),
        "average": str(average and (average.decay, average.warm_up, average.buffers)),
        "stateful": ", ".join(sorted(stateful or {})) or "nothing",
        **{name: str(value) for name, value in more.items()},
    }


def _digest(model: nn.Module) -> str:
    """Layers and their settings, names, shapes and dtypes of the tensors; not the values."""
    layout = [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in model.state_dict().items()]
    return hashlib.sha256(f"{model!r}{layout}".encode()).hexdigest()[:8]


def _batches(batches: Iterable) -> str:
    words = [type(batches).__name__]
    if hasattr(batches, "__len__"):
        words.append(f"of length {len(batches)}")
    settings = ("batch_size", "seed", "augment", "views", "shuffle", "replacement", "drop_last")
    words += [f"{name} {getattr(batches, name)}" for name in settings if hasattr(batches, name)]
    return " ".join(words)


def _optimizer(rates: Rates) -> str:
    groups = [
        {**{name: value for name, value in group.items() if name not in ("params", "initial_lr")}, "lr": rate}
        for group, rate in zip(rates.optimizer.param_groups, rates.base)
    ]
    return f"{type(rates.optimizer).__name__} {groups}"
