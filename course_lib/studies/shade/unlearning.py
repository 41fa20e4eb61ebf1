"""Fig. A.1, measured: a trained net goes on with the regulariser alone, and forgets."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat

import torch
from torch import Tensor, nn

from course_lib import data
from course_lib.methods.preactivations import pre_activations
from course_lib.nets import SmallConvNet, SmallInception
from course_lib.studies.registry import Cell
from course_lib.studies.shade.shared import regulariser, splits, train
from course_lib.training import accuracy_of, fit


@dataclass(frozen=True)
class Unlearning:
    """What is trained, and how it then forgets.

    Attributes:
        data: the image set; its training split without labels is what the net forgets on.
        after: numbers of steps (or epochs, see ``unit``) after which the net is looked at; 0 is the start.
        unit: what ``after`` counts, ``steps`` or ``epochs``.
        net: ``convnet`` or ``inception``.
        batch_norm: whether the ConvNet has batch norm; the Inception always has.
        width: maps of each convolution of the ConvNet, or factor on those of the Inception.
        size: side of the images, for sets that come in several; None takes the set's own.
        crop: side of a random window, flipped at random, that is shown in training; None shows the image.
        methods: which of ``shade``, ``detached``, ``varentropy``.
        train_steps, train_lr, momentum: of the training before, on the labels; see ``shared.train``.
        batch_size: of the training and of the forgetting.
        lr: of the SGD that forgets.
        warm_up: batches that the averages see before the first step.
        looked_at: test images that the variance is taken over, at most.
    """

    data: str
    after: tuple[int, ...]
    unit: str = "steps"
    net: str = "convnet"
    batch_norm: bool = False
    width: float = 24
    size: int | None = None
    crop: int | None = None
    methods: tuple[str, ...] = ("shade", "detached", "varentropy")
    train_steps: int = 300
    train_lr: float = 1e-3
    momentum: float | None = None
    batch_size: int = 50
    lr: float = 0.01
    warm_up: int = 15
    looked_at: int = 1000


def measure_unlearning(config: Unlearning, seed: int) -> dict[Cell, float]:
    """Accuracy and variance left, both in %, by (quantity, method, unit, after).

    The methods start from one trained net, and share their batches and their learning rate.
    """
    images, test = splits(config.data, config.size)
    mean, std = images.statistics()
    augment = None if config.crop is None else data.Augment(crop=config.crop, flip=True)

    def batches() -> data.Batches:
        return data.Batches(
            images,
            config.batch_size,
            augment=augment,
            seed=seed,
            mean=mean,
            std=std,
            channels_last=True,
        )

    window = data.Augment(crop=config.crop)
    test_batches = data.Batches(test, config.looked_at, augment=window, mean=mean, std=std).evaluation()
    torch.manual_seed(seed)
    trained = make_net(config, test_batches.shape, images.num_classes).to(images.images.device)
    train(
        trained,
        batches(),
        "none",
        weight=0.0,
        steps=config.train_steps,
        lr=config.train_lr,
        momentum=config.momentum,
    )
    values = {}
    for method in config.methods:
        start = None
        for after, model in unlearn(copy.deepcopy(trained), batches(), method, config):
            probe = next(iter(test_batches)).x
            variance = total_variance(model, probe)
            start = variance if start is None else start
            values["accuracy", method, config.unit, after] = 100 * accuracy_of(model, test_batches)
            values["variance", method, config.unit, after] = 100 * variance / start
    return values


def make_net(config: Unlearning, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The net, with fresh weights.

    Raises:
        ValueError: there is no such net.
    """
    if config.net == "convnet":
        return SmallConvNet(shape, classes, width=int(config.width), batch_norm=config.batch_norm)
    if config.net == "inception":
        return SmallInception(shape, classes, width=config.width)
    raise ValueError(f"net is {config.net!r}, possible are convnet, inception.")


def unlearn(
    model: nn.Module, batches: data.Batches, method: str, config: Unlearning
) -> Iterator[tuple[int, nn.Module]]:
    """Go on with the penalty alone; yields (after, model) at each moment of ``config.after``, rising.

    The averages see their first batches before the first step, so that no step pulls towards a start value.
    """
    optimizer = torch.optim.SGD(model.parameters(), config.lr)
    done, steps_of_one = 0, len(batches) if config.unit == "epochs" else 1
    model.train()
    with regulariser(model, method) as penalised:

        def penalty(model: nn.Module, batch: data.Batch, step: object = None) -> Tensor:
            model(batch.x)
            return penalised.penalty()

        moments = sorted(config.after)
        if moments[0] == 0:
            yield moments.pop(0), model
        for batch in islice(chain.from_iterable(repeat(batches)), config.warm_up):
            penalty(model, batch)
        stream = _Stream(batches)
        for after in moments:
            steps = after * steps_of_one - done
            fit(model, stream, penalty, optimizer=optimizer, steps=steps, channels_last=True, progress=False)
            done += steps
            yield after, model


class _Stream:
    """Batches without end, so that a pass goes on where the last look at the net interrupted it."""

    def __init__(self, batches: data.Batches):
        self.endless = chain.from_iterable(repeat(batches))

    def __iter__(self) -> Iterator[data.Batch]:
        return self.endless


def total_variance(model: nn.Module, x: Tensor) -> float:
    """Variance of each unit over images and positions: mean over the units of a layer, sum over the layers.

    Args:
        model: the net, which is looked at in evaluation mode.
        x: images (B, C, H, W).
    """
    layers = pre_activations(model, x).values()
    return sum(float(h.var((0, *range(2, h.ndim)), correction=0).mean()) for h in layers)
