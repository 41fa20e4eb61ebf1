"""Each regulariser with the strength that a validation split finds for it: what Table 2.2 compares."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from course_lib import data
from course_lib.studies.registry import Cell
from course_lib.studies.shade.shared import labelled_images, make_net, splits, train
from course_lib.training import accuracy_of

METHODS = ("none", "weight_decay", "varentropy", "dropout", "shade", "shade_dropout")
NAMES = {
    "none": "no regulariser",
    "weight_decay": "weight decay",
    "varentropy": "VarEntropy",
    "dropout": "dropout",
    "shade": "SHADE",
    "shade_dropout": "SHADE + dropout",
    "class_variance": "class-conditional variance",
    "accuracy": "accuracy",
    "strength": "strength",
    "convnet": "ConvNet",
    "mlp": "MLP",
    "alexnet": "AlexNet",
    "inception": "Inception",
    "wideresnet": "ResNet",
}


@dataclass(frozen=True)
class Tuned:
    """What is trained, and which strengths are tried.

    Attributes:
        data: the image set.
        nets: which of ``mlp``, ``alexnet``, ``inception``, ``wideresnet``, ``convnet``.
        labels: numbers of labelled images to train on; None takes all that validation leaves.
        methods: which of ``METHODS`` and ``class_variance``.
        weight_decays, dropouts: the strengths tried for these two, and
        penalties: for each penalty on pre-activations.
        validation: labelled images that no net of the search is trained on.
        retrain: whether the net that is tested also trains on them, with the strength then known.
        inception_width: factor on the maps of the small Inception.
        wideresnet: depth and width of the residual net.
        crop: side of a random window, flipped at random, that is shown in training; None shows the image.
        batch_size, steps: of each training; batches are drawn with replacement.
        lr: by net, in the order of ``nets``.
        momentum: of SGD; None trains with Adam, see ``shared.train``.
        cosine: lets the rate of Adam fall along a cosine.
        tested: test images at most.
    """

    data: str
    nets: tuple[str, ...]
    labels: tuple[int | None, ...] = (None,)
    methods: tuple[str, ...] = METHODS
    weight_decays: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2)
    dropouts: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7)
    penalties: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)
    validation: int = 300
    retrain: bool = True
    inception_width: float = 0.25
    wideresnet: tuple[int, int] = (10, 1)
    crop: int | None = None
    batch_size: int = 50
    steps: int = 300
    lr: tuple[float, ...] = (1e-3, 1e-3, 1e-3, 1e-3)
    momentum: float | None = None
    cosine: bool = False
    tested: int | None = None


@dataclass(frozen=True)
class Recipe:
    """A regulariser with its strengths, as the training takes them."""

    penalty: str = "none"
    weight: float = 0.0
    dropout: float = 0.0
    weight_decay: float = 0.0


def recipe(method: str, strengths: Mapping[str, float]) -> Recipe:
    """How a net is trained with a method.

    Args:
        method: one of ``METHODS``, or ``class_variance``.
        strengths: by method; SHADE + dropout takes what was best for each of the two alone.
    """
    if method == "none":
        return Recipe()
    if method == "weight_decay":
        return Recipe(weight_decay=strengths[method])
    if method == "dropout":
        return Recipe(dropout=strengths[method])
    if method == "shade_dropout":
        return Recipe("shade", strengths["shade"], strengths["dropout"])
    return Recipe(method, strengths[method])


def measure_tuned(config: Tuned, seed: int) -> dict[Cell, float]:
    """Test accuracy (%) and chosen strength by (quantity, method, net, labels); 0 labels are all of them.

    For one seed all nets of a kind share their first weights, images and batches. Of equal strengths on
    the validation split the smallest is taken.
    """
    pool, test = splits(config.data)
    if config.tested is not None:
        test = test.subset(torch.arange(len(test))[: config.tested])
    rest, held_out = data.split_off(pool.labels, config.validation, seed)
    held_out, rest = pool.subset(held_out), pool.subset(rest)
    values: dict[Cell, float] = {}
    for n in config.labels:
        seen = rest if n is None else rest.subset(labelled_images(rest.labels, n, seed))
        final = joined(seen, held_out) if config.retrain else seen
        for net in config.nets:
            strengths: dict[str, float] = {}
            for method in config.methods:
                if method not in ("none", "shade_dropout"):
                    strengths[method] = chosen(config, net, method, seen, held_out, seed)
                    values["strength", method, net, n or 0] = strengths[method]
                accuracy = trained_accuracy(config, net, recipe(method, strengths), final, test, seed)
                values["accuracy", method, net, n or 0] = accuracy
    return values


def chosen(
    config: Tuned, net: str, method: str, seen: data.ImageSet, held_out: data.ImageSet, seed: int
) -> float:
    """The strength with the best accuracy on the held-out images after training on the seen ones."""
    tried = {"weight_decay": config.weight_decays, "dropout": config.dropouts}.get(method, config.penalties)
    return max(
        sorted(tried),
        key=lambda strength: trained_accuracy(
            config, net, recipe(method, {method: strength}), seen, held_out, seed
        ),
    )


def trained_accuracy(
    config: Tuned, net: str, how: Recipe, seen: data.ImageSet, asked: data.ImageSet, seed: int
) -> float:
    """Accuracy (%) on the images asked about, after training on the seen ones."""
    mean, std = seen.statistics()
    window = data.Augment(crop=config.crop)
    batches = data.Batches(
        seen,
        config.batch_size,
        augment=data.Augment(crop=config.crop, flip=config.crop is not None),
        replacement=True,
        steps=config.steps,
        seed=seed,
        mean=mean,
        std=std,
        channels_last=True,
    )
    questions = data.Batches(asked, 1024, augment=window, mean=mean, std=std).evaluation()
    torch.manual_seed(seed)
    model: nn.Module = make_net(
        net,
        questions.shape,
        seen.num_classes,
        inception_width=config.inception_width,
        wideresnet=config.wideresnet,
        dropout=how.dropout,
    ).to(seen.images.device)
    train(
        model,
        batches,
        how.penalty,
        weight=how.weight,
        steps=config.steps,
        lr=config.lr[config.nets.index(net)],
        momentum=config.momentum,
        cosine=config.cosine,
        weight_decay=how.weight_decay,
    )
    return 100 * accuracy_of(model, questions)


def joined(a: data.ImageSet, b: data.ImageSet) -> data.ImageSet:
    """The images and labels of both."""
    return data.ImageSet(
        torch.cat([a.images, b.images]),
        torch.cat([a.labels, b.labels]),
        class_names=a.class_names,
        name=a.name,
        split=a.split,
    )
