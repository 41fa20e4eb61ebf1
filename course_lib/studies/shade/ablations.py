"""Ablations: what each choice inside SHADE is worth, on the smallest setting where SHADE helps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from course_lib import data
from course_lib.methods.shade import Shade
from course_lib.methods.shade_variants import ShadeVariant
from course_lib.methods.variance import ClassVariance, VarEntropy
from course_lib.nets import SmallConvNet
from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.shared import labelled_images, splits
from course_lib.training import accuracy_of, cross_entropy, fit

ours = partial(Shade, update_first=True)  # the default of this chapter's studies
variant = partial(ShadeVariant, update_first=True)

PENALTIES: dict[str, Callable | None] = {
    "none": None,
    "shade": ours,
    "detached": partial(ours, detach_p=True),
    "late": partial(Shade, update_first=False),
    "exact": partial(ours, decay=0.0),
    "decay_0.5": partial(ours, decay=0.5),
    "decay_0.99": partial(ours, decay=0.99),
    "self-normalised": partial(variant, variant="self-normalised"),
    "hard": partial(variant, variant="hard"),
    "log": partial(variant, variant="log"),
    "first": partial(ours, layers="body.relu1"),
    "last": partial(ours, layers="body.relu3"),
    "location": partial(ours, statistics="location"),
    "logits": partial(ours, include_logits=True),
    "oracle": ClassVariance,
    "varentropy": partial(VarEntropy, decay=0.0, update_first=True),
    "norm": None,
    "norm_after": ours,
    "norm_before": partial(ours, layers=("body.norm1", "body.norm2", "body.norm3")),
}
WITH_NORM = ("norm", "norm_after", "norm_before")  # nets with batch norm between convolution and ReLU
CHOSEN = "chosen"


@dataclass(frozen=True)
class Ablations:
    """What is trained: each variant with each weight.

    Attributes:
        data: the image set; labelled and validation images are taken from its training split.
        variants: which of ``PENALTIES``.
        weights: of the regulariser, beside the cross-entropy; the grid to choose from.
        labels: number of labelled images.
        validation: number of further images, with labels, that choose the weight.
        size: side of the images, for sets that come in several; None takes the set's own.
        width: maps of each convolution.
        steps, batch_size, lr: of Adam, on batches drawn with replacement.
    """

    data: str
    variants: tuple[str, ...] = tuple(PENALTIES)
    weights: tuple[float, ...] = (0.03, 0.1, 0.3)
    labels: int = 100
    validation: int = 200
    size: int | None = None
    width: int = 24
    steps: int = 300
    batch_size: int = 50
    lr: float = 1e-3


def measure_ablations(config: Ablations, seed: int) -> dict[Cell, float]:
    """Test accuracy (%) by (variant, weight), and with the weight that validation images choose.

    Variants share their first weights, labels and batches. A net without penalty has only the last cell.
    """
    pool, test = splits(config.data, config.size)
    mean, std = pool.statistics()
    labelled, held_out = chosen_images(pool, config, seed)
    validation, tests = (
        data.Batches(images, 1024, mean=mean, std=std) for images in (pool.subset(held_out), test)
    )
    batches = partial(
        data.Batches,
        pool.subset(labelled),
        config.batch_size,
        replacement=True,
        steps=config.steps,
        seed=seed,
        mean=mean,
        std=std,
        channels_last=True,
    )
    values = {}
    for name in config.variants:
        found = {}  # weight -> (validation accuracy, test accuracy)
        for weight in config.weights if PENALTIES[name] else (0.0,):
            torch.manual_seed(seed)
            model = SmallConvNet(
                pool.shape, pool.num_classes, width=config.width, batch_norm=name in WITH_NORM
            )
            train(model.to(pool.images.device), batches(), name, weight, config)
            found[weight] = accuracy_of(model, validation), 100 * accuracy_of(model, tests)
        if PENALTIES[name]:
            values |= {(name, weight): accuracy for weight, (_, accuracy) in found.items()}
        values[name, CHOSEN] = found[best(found)][1]
    return values


def chosen_images(pool: data.ImageSet, config: Ablations, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of the labelled images, and of the validation images among the others."""
    labelled = labelled_images(pool.labels, config.labels, seed)
    free = torch.ones(len(pool), dtype=torch.bool, device=labelled.device)
    free[labelled] = False
    others = free.nonzero().squeeze(1)
    return labelled, others[labelled_images(pool.labels[others], config.validation, seed)]


def best(found: Mapping[float, tuple[float, float]]) -> float:
    """The weight with the highest validation accuracy, the first in a row of equals."""
    return max(found, key=lambda weight: found[weight][0])


def train(model: SmallConvNet, batches: data.Batches, name: str, weight: float, config: Ablations) -> None:
    """Minimise the cross-entropy plus ``weight`` times the penalty of the variant, in place."""
    how = {"lr": config.lr, "steps": config.steps, "channels_last": True, "progress": False}
    attach = PENALTIES[name]
    if attach is None:
        fit(model, batches, cross_entropy, **how)
        return
    with attach(model) as penalised:
        needs = (lambda batch: (batch.y,)) if name == "oracle" else (lambda batch: ())

        def loss(model, batch, step):
            return cross_entropy(model, batch, step) + weight * penalised.penalty(*needs(batch))

        fit(model, batches, loss, stateful={name: penalised}, **how)


def difference(at: Mapping[Cell, float], one: str, other: str) -> float:
    """Points of accuracy between two variants, each with its chosen weight."""
    return at[one, CHOSEN] - at[other, CHOSEN]


def better(text: str, one: str, other: str) -> Claim:
    return Claim(text, lambda at: difference(at, one, other), above=0)


def alike(text: str, one: str, other: str) -> Claim:
    """A claim that a choice does not matter: two points either way are what so few images can tell."""
    return Claim(text, lambda at: difference(at, one, other), above=-2, below=2)


CLAIMS = (
    better("SHADE on all layers beats no penalty.", "shade", "none"),
    better("SHADE beats VarEntropy.", "shade", "varentropy"),
    better("Holding σ constant costs accuracy.", "shade", "detached"),
    better("A hard mode, 1 where h > 0, costs accuracy.", "shade", "hard"),
    alike(
        "To move the means after the loss, as in the source, changes less than two points.", "late", "shade"
    ),
    alike("The exact means of the batch change less than two points.", "exact", "shade"),
    alike("A decay of 0.5 changes less than two points.", "decay_0.5", "shade"),
    alike("A decay of 0.99 changes less than two points.", "decay_0.99", "shade"),
    alike("Self-normalised means change less than two points.", "self-normalised", "shade"),
    alike("To keep the logarithm changes less than two points.", "log", "shade"),
    better("All layers together beat the first one alone.", "shade", "first"),
    better("All layers together beat the last one alone.", "shade", "last"),
    alike("Means per location change less than two points.", "location", "shade"),
    alike("The logits as one more layer change less than two points.", "logits", "shade"),
    alike("With the labels in the place of Z less than two points change.", "oracle", "shade"),
    better("After a batch norm SHADE still beats no penalty.", "norm_after", "norm"),
    Claim(
        "After a batch norm SHADE gains less than half of what it gains without.",
        lambda at: difference(at, "norm_after", "norm") - difference(at, "shade", "none") / 2,
        below=0,
    ),
    alike("Before a batch norm the penalty changes less than two points.", "norm_before", "norm"),
)

SETTING = (
    "The source compares none of these. "
    "The weight of each variant is chosen among 0.03, 0.1 and 0.3 on validation images that are neither test "
    "images nor the labelled ones; where two are equal, the smaller is taken. "
)

ABLATIONS = Study(
    id="shade.ablations",
    title="What each choice inside SHADE is worth",
    source="Robert 2019, Eq. 2.21 and Algorithm A.1; the course's own ablations",
    claim=(
        "The derivation says which choices matter: the gradient through σ, all layers, the tensor after the "
        "norm; and which are details: how and when the means are averaged."
    ),
    axes=("variant", "weight"),
    unit="test accuracy (%)",
    names={
        "none": "no penalty",
        "shade": "SHADE",
        "detached": "σ held constant",
        "late": "means moved after the loss",
        "exact": "means of the batch itself",
        "decay_0.5": "decay 0.5",
        "decay_0.99": "decay 0.99",
        "self-normalised": "self-normalised means",
        "hard": "hard mode",
        "log": "logarithm kept",
        "first": "first layer only",
        "last": "last layer only",
        "location": "means per location",
        "logits": "logits too",
        "oracle": "labels for Z",
        "varentropy": "VarEntropy",
        "norm": "batch norm, no penalty",
        "norm_after": "batch norm, SHADE after it",
        "norm_before": "batch norm, SHADE before it",
        CHOSEN: "chosen on validation images",
    },
    paper={},
    configs={
        "smoke": Ablations("digits_m", weights=(0.1, 0.3), width=4, steps=2),
        "cpu": Ablations("digits_m"),
        "gpu": Ablations("mnist_m", validation=1000, size=32, width=64, steps=2000, batch_size=128),
    },
    protocol={
        "smoke": "Only a few steps are taken, so the numbers mean nothing.",
        "cpu": SETTING + "There are 200 of these images. "
        "The images are Digits-M, 16×16 digits on coloured noise, with 100 labels. "
        "The net is the small ConvNet with 24 maps a layer, and takes 300 steps of Adam. "
        "Where nothing else is said, means are per channel with a decay of 0.8, and move before the loss.",
        "gpu": SETTING + "There are 1000 of these images. "
        "The images are MNIST-M at 32×32 with 100 labels, and the net is the one that the source's Fig. 3.7 "
        "draws, which takes 2000 steps of 128 images.",
    },
    measure=measure_ablations,
    claims=CLAIMS,
    shown=(
        *((name, CHOSEN) for name in PENALTIES),
        *((name, weight) for name in ("shade", "log") for weight in Ablations.weights),
    ),
)
