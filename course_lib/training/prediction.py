"""Reading a trained model: logits and accuracy, in evaluation mode and without gradients."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from course_lib import metrics
from course_lib.training import batches as reading
from course_lib.training.modes import evaluation_mode


def predict(model: nn.Module, batches_or_x: Iterable | Tensor, batch_size: int = 1024) -> Tensor:
    """The model's logits, in the order of the data.

    The model is in evaluation mode meanwhile, and as before afterwards.

    Args:
        model: maps (B, C, H, W) to logits (B, num_classes).
        batches_or_x: images (N, C, H, W), or batches. Batches that have an ``evaluation()`` are read through
            it, so in order, un-augmented, and without moving their count of epochs.
        batch_size: most images at once.

    Returns:
        logits (N, num_classes) on the model's device, free of any graph.
    """
    return _logits(model, batches_or_x, batch_size)[0]


def accuracy_of(model: nn.Module, batches: Iterable, batch_size: int = 1024) -> float:
    """The part of the images that the model classifies right, in [0, 1]; read as ``predict`` does."""
    logits, labels = _logits(model, batches, batch_size)
    return metrics.accuracy(labels, logits)


def _logits(model: nn.Module, source: Iterable | Tensor, batch_size: int) -> tuple[Tensor, Tensor | None]:
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, possible are whole numbers from 1.")
    device = reading.device_of(model)
    logits, labels = [], []
    with evaluation_mode(model), torch.inference_mode():
        if isinstance(source, Tensor):
            logits = [model(part) for part in source.to(device).split(batch_size)]
        else:
            for batch in reading.read(reading.whole(source), device):
                logits += [model(part) for part in batch.x.split(batch_size)]
                labels.append(batch.y)
    # Joined outside inference mode, so that the result may take part in later gradient computations.
    return torch.cat(logits), torch.cat(labels) if labels else None
