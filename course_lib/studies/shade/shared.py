"""What the studies of this chapter share: images, labelled subsets, the regulariser by name, the training."""

import torch
from torch import Tensor, nn

from course_lib import data, runtime
from course_lib.methods.shade import Shade
from course_lib.methods.variance import VarEntropy
from course_lib.training import cross_entropy, exponential, fit


def splits(name: str, size: int | None = None) -> tuple[data.ImageSet, data.ImageSet]:
    """Training and test split of a set, on the device; ``size`` counts where the side is a choice."""
    sized = size is not None and "size" in data.describe(name).options
    options = {"size": size} if sized else {}
    train, test = (data.load(name, split, **options).to(runtime.device()) for split in ("train", "test"))
    return train, test


def labelled_images(labels: Tensor, n: int, seed: int) -> Tensor:
    """Places of ``n`` labelled images: as many of each class, or in proportion where a class has too few."""
    _, counts = labels.unique(return_counts=True)
    if n <= len(counts) * int(counts.min()):
        return data.balanced_subset(labels, n, seed)
    return data.split_off(labels, n, seed)[1]


def regulariser(model: nn.Module, method: str) -> Shade | VarEntropy:
    """The method on every tensor that enters a ReLU, its averages moved before the penalty is computed.

    Raises:
        ValueError: there is no such method.
    """
    if method in ("shade", "detached"):
        return Shade(model, detach_p=method == "detached", update_first=True)
    if method == "varentropy":
        return VarEntropy(model, decay=0, update_first=True)  # the mean of the batch itself
    raise ValueError(f"method is {method!r}, possible are none, shade, detached, varentropy.")


def train(
    model: nn.Module,
    batches: data.Batches,
    method: str,
    *,
    weight: float,
    steps: int,
    lr: float,
    momentum: float | None = None,
) -> None:
    """Minimise the cross-entropy plus ``weight`` times the penalty of the method.

    Args:
        model: the net, trained in place.
        batches: of labelled images.
        method: ``none``, ``shade``, ``detached`` (SHADE that holds σ constant) or ``varentropy``.
        weight: of the penalty.
        steps, lr: of Adam; or,
        momentum: where it is given, of SGD whose rate falls as in Zhang et al. 2017: 100 times by 5 %.
    """
    how = {"lr": lr, "steps": steps, "channels_last": True, "progress": False}
    if momentum is not None:
        how["optimizer"] = torch.optim.SGD(model.parameters(), lr, momentum=momentum)
        how["schedule"] = _falling
    if method == "none":
        fit(model, batches, cross_entropy, **how)
        return
    with regulariser(model, method) as penalised:

        def loss(model, batch, step):
            return cross_entropy(model, batch, step) + weight * penalised.penalty()

        fit(model, batches, loss, stateful={method: penalised}, **how)


def _falling(progress: float) -> float:
    return exponential(progress, 0.95, epochs=100)
