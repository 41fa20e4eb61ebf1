"""What the studies of this chapter share: images, labelled subsets, nets, regularisers, the training."""

import torch
from torch import Tensor, nn

from course_lib import data, nets, runtime
from course_lib.methods.shade import Shade
from course_lib.methods.variance import ClassVariance, VarEntropy
from course_lib.training import cross_entropy, exponential, fit, schedules


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


def make_net(
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    *,
    inception_width: float = 1.0,
    wideresnet: tuple[int, int] = (16, 4),
    dropout: float = 0.0,
) -> nn.Module:
    """A net of `course_lib.nets` by its name, with fresh weights.

    Args:
        name: one of ``nets.names()``.
        shape, classes: of the images, and the number of logits.
        inception_width: factor on the maps of the small Inception.
        wideresnet: depth and width of the residual net.
        dropout: probability to drop a feature, at the places that the net has for it.
    """
    options = {"in_shape": shape, "num_classes": classes, "dropout": dropout}
    if name == "inception":
        options["width"] = inception_width
    if name == "wideresnet":
        options["depth"], options["width"] = wideresnet
    return nets.build(name, **options)


def regulariser(model: nn.Module, method: str) -> Shade | VarEntropy | ClassVariance:
    """The method on every tensor that enters a ReLU, its averages moved before the penalty is computed.

    Raises:
        ValueError: there is no such method.
    """
    if method in ("shade", "detached"):
        return Shade(model, detach_p=method == "detached", update_first=True)
    if method == "varentropy":
        return VarEntropy(model, decay=0, update_first=True)  # the mean of the batch itself
    if method == "class_variance":
        return ClassVariance(model)
    raise ValueError(f"method is {method!r}, possible are none, shade, detached, varentropy, class_variance.")


def train(
    model: nn.Module,
    batches: data.Batches,
    method: str,
    *,
    weight: float,
    steps: int,
    lr: float,
    momentum: float | None = None,
    cosine: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """Minimise the cross-entropy plus ``weight`` times the penalty of the method.

    Args:
        model: the net, trained in place.
        batches: of labelled images.
        method: ``none``, ``shade``, ``detached`` (SHADE that holds σ constant), ``varentropy``, or
            ``class_variance``, the oracle that knows the labels.
        weight: of the penalty.
        steps, lr: of Adam; or,
        momentum: where it is given, of SGD whose rate falls as in Zhang et al. 2017: 100 times by 5 %.
        cosine: lets the rate of Adam fall to zero along half a cosine; otherwise it stays.
        weight_decay: λ of ½ λ ‖w‖², over the weights of all layers; biases and the scales of norms are free.
    """
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.ndim <= 1]},
    ]
    how = {"steps": steps, "channels_last": True, "progress": False}
    if momentum is None:
        how["optimizer"] = torch.optim.Adam(groups, lr)  # adds λ w to the gradient, as a term in the loss
        how["schedule"] = schedules.cosine if cosine else None
    else:
        how["optimizer"] = torch.optim.SGD(groups, lr, momentum=momentum)
        how["schedule"] = _falling
    if method == "none":
        fit(model, batches, cross_entropy, **how)
        return
    with regulariser(model, method) as penalised:
        labelled = isinstance(penalised, ClassVariance)

        def loss(model, batch, step):
            task = cross_entropy(model, batch, step)
            return task + weight * (penalised.penalty(batch.y) if labelled else penalised.penalty())

        fit(model, batches, loss, stateful={method: penalised}, **how)


def _falling(progress: float) -> float:
    return exponential(progress, 0.95, epochs=100)
