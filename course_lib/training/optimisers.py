"""The optimiser of a run, and its learning rates while a schedule moves them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


def choose_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer | None, lr: float
) -> torch.optim.Optimizer:
    """The optimiser given, else Adam on the model's trainable parameters.

    Raises:
        ValueError: there is nothing to train, or the optimiser holds no parameter of this model.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError("The model has no parameter that requires a gradient, so there is nothing to train.")
    if optimizer is None:
        return torch.optim.Adam(trainable, lr=lr)
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if held.isdisjoint(map(id, trainable)):
        raise ValueError(
            "The optimizer holds no trainable parameter of this model; was it made for another one?"
        )
    return optimizer


class Rates:
    """The learning rates of an optimiser's groups, multiplied by a schedule.

    Args:
        optimizer: its present rates are those at factor 1.
        schedule: factor as a function of progress; None leaves the rates to the caller.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Callable[[float], float] | None):
        self.optimizer, self.schedule = optimizer, schedule
        self.base = [group["lr"] for group in optimizer.param_groups]

    def set(self, progress: float) -> None:
        """Set the rates for the step that comes at this progress."""
        if self.schedule is not None:
            self._multiply(self.schedule(progress))

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Afterwards the rates are those at factor 1."""
        try:
            yield
        finally:
            if self.schedule is not None:
                self._multiply(1.0)

    def _multiply(self, factor: float) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.base):
            group["lr"] = rate * factor
