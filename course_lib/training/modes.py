"""Training and evaluation mode, and back to what they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[nn.Module]:
    """The model in evaluation mode; afterwards each of its modules has the mode that it had."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def training_mode(model: nn.Module) -> Iterator[nn.Module]:
    """The model in training mode; afterwards each of its modules has the mode that it had.

    A model that is already in training mode stays as it is: parts of it that somebody put in evaluation mode
    on purpose (frozen batch norms, say) keep that mode.
    """
    before = [(module, module.training) for module in model.modules()]
    if not model.training:
        model.train()
    try:
        yield model
    finally:
        for module, training in before:
            module.training = training
