"""Fig. 2.5, measured: what a penalty on a small representation does between the classes and within them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib import data
from course_lib.methods.shade import Shade
from course_lib.methods.variance import ClassVariance, VarEntropy
from course_lib.nets import SmallConvNet
from course_lib.studies.registry import Cell
from course_lib.studies.shade.information import drawn
from course_lib.training import accuracy_of, cross_entropy, fit
from course_lib.training.modes import evaluation_mode

METHODS = ("varentropy", "shade", "class")


@dataclass(frozen=True)
class Representation:
    """What is trained, and on what its representation is looked at.

    Attributes:
        data: the image set.
        size: side of the images, for sets that come in several; None takes the set's own.
        learned, looked_at: training and test images, for sets that are drawn; others give what they have.
        width: maps of each convolution.
        units: sizes of the representation.
        methods: which of ``varentropy``, ``shade``, ``class``; the plain net is always there.
        weights: of the penalty, beside the cross-entropy.
        steps, batch_size, lr: of Adam.
    """

    data: str
    size: int | None = None
    learned: int | None = None
    looked_at: int | None = None
    width: int = 12
    units: tuple[int, ...] = (2, 16)
    methods: tuple[str, ...] = METHODS
    weights: tuple[float, ...] = (0.01, 0.1, 1.0)
    steps: int = 400
    batch_size: int = 50
    lr: float = 2e-3


def measure_representation(config: Representation, seed: int) -> dict[Cell, float]:
    """By (quantity, units, method, weight), all in %; the nets share their first weights and batches.

    ``total``, ``between`` and ``within`` are variances of the test images' representations, in % of those of
    the plain net; ``share`` is between over total, and ``accuracy`` that on the test images. The plain net is
    the method ``none`` with weight 0.
    """
    images, test = _splits(config)
    mean, std = images.statistics()
    looks = data.Batches(test, 1024, mean=mean, std=std)
    values: dict[Cell, float] = {}
    for units in config.units:
        plain = {}
        for net in (("none", 0.0), *((m, weight) for m in config.methods for weight in config.weights)):
            model = trained_net(images, units, *net, config, seed)
            between, within = spread(represent(model, looks), test.labels)
            found = {"total": between + within, "between": between, "within": within}
            plain = plain or found
            for quantity, variance in found.items():
                values[quantity, units, *net] = 100 * variance / plain[quantity]
            values["share", units, *net] = 100 * between / found["total"]
            values["accuracy", units, *net] = 100 * accuracy_of(model, looks)
    return values


def representations(
    config: Representation, seed: int, method: str = "none", weight: float = 0.1, units: int = 2
) -> tuple[Tensor, Tensor]:
    """The test images as one of the measured nets represents them, for a picture.

    Args:
        config: the configuration of a scale.
        seed: as in the measurement, of first weights and batches.
        method: ``none``, ``varentropy``, ``shade`` or ``class``.
        weight: of the penalty; ``none`` has none.
        units: size of the representation.

    Returns:
        representations (N, units) and labels (N,), on the CPU.

    Raises:
        ValueError: there is no such method.
    """
    images, test = _splits(config)
    mean, std = images.statistics()
    model = trained_net(images, units, method, weight, config, seed)
    return represent(model, data.Batches(test, 1024, mean=mean, std=std)).cpu(), test.labels.cpu()


def trained_net(
    images: data.ImageSet, units: int, method: str, weight: float, config: Representation, seed: int
) -> SmallConvNet:
    """A net whose features are a linear layer of so many units, trained with a penalty on them.

    Raises:
        ValueError: there is no such method.
    """
    torch.manual_seed(seed)
    model = SmallConvNet(images.shape, images.num_classes, width=config.width)
    model.body.add_module("representation", nn.Linear(model.head.in_features, units))
    model.head = nn.Linear(units, images.num_classes)
    model = model.to(images.images.device)
    mean, std = images.statistics()
    batches = data.Batches(images, config.batch_size, seed=seed, mean=mean, std=std, channels_last=True)
    how = {"lr": config.lr, "steps": config.steps, "channels_last": True, "progress": False}
    if method == "none":
        fit(model, batches, cross_entropy, **how)
    elif method == "class":
        with ClassVariance(model, "head") as spread_out:
            fit(model, batches, _penalised(lambda batch: weight * spread_out.penalty(batch.y)), **how)
    else:
        with _moving(model, method) as moving:
            loss = _penalised(lambda batch: weight * moving.penalty())
            fit(model, batches, loss, stateful={method: moving}, **how)
    return model


def _moving(model: nn.Module, method: str) -> Shade | VarEntropy:
    if method == "shade":
        return Shade(model, "head", update_first=True)
    if method == "varentropy":
        return VarEntropy(model, "head", decay=0, update_first=True)  # the mean of the batch itself
    raise ValueError(f"method is {method!r}, possible are none, {', '.join(METHODS)}.")


def _penalised(penalty):
    return lambda model, batch, step: cross_entropy(model, batch, step) + penalty(batch)


@torch.no_grad()
def represent(model: SmallConvNet, batches: data.Batches) -> Tensor:
    """What enters the head, (N, units), in evaluation mode and in the order of the set."""
    with evaluation_mode(model):
        return torch.cat([model.features(batch.x) for batch in batches.evaluation()])


def spread(h: Tensor, y: Tensor) -> tuple[float, float]:
    """The variance of h (N, D) between the classes y (N,) and within them, summed over units.

    Together they are the variance: Var(H) = Var(E(H | Y)) + E(Var(H | Y)).
    """
    h = h.double()
    between = within = 0.0
    for label in y.unique():
        members = h[y == label]
        part = len(members) / len(h)
        between += part * float((members.mean(0) - h.mean(0)).square().sum())
        within += part * float(members.var(0, correction=0).sum())
    return between, within


def _splits(config: Representation) -> tuple[data.ImageSet, data.ImageSet]:
    return (
        drawn(config.data, "train", config.size, config.learned),
        drawn(config.data, "test", config.size, config.looked_at),
    )
