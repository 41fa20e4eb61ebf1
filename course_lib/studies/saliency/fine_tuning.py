"""Large nets that know ImageNet learn which of several classes are in a photograph.

The source gives no details. The course's: the fully connected layers learn, as its text says, for ten passes;
photographs are squeezed to squares, so that nothing that is there is cut away, and half of them mirrored.
"""

import os
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import runtime
from course_lib.studies.products import make_once
from course_lib.studies.saliency.annotated_sets import CLASSES, annotated
from course_lib.studies.saliency.annotation import LEFT_OPEN, Pictures
from course_lib.studies.saliency.large_nets import DENSE, NAMES, give_classes, with_imagenet_weights
from course_lib.studies.shade.imagenet import Streamed, squeezed
from course_lib.training import fit, milestones, undisturbed

SIDE = 224
FINE_TUNING = {"epochs": 10, "batch_size": 32, "lr": 1e-3, "momentum": 0.9, "weight_decay": 5e-4}
WORKERS = min(8, os.cpu_count() or 1)


def fine_tuned(net: str, data: str, seed: int) -> nn.Module:
    """A net that has learned a set of photographs, made once; on the CPU.

    Args:
        net: ``gap`` or ``fc``.
        data: ``voc2007`` or ``coco2014``.
        seed: of the new layer, of the order of the photographs and of dropout.

    Raises:
        ValueError: there is no such net, or no such set.
        CourseError: the weights or the photographs are not here.
    """
    if data not in CLASSES:
        raise ValueError(f"data is {data!r}, possible are {', '.join(CLASSES)}.")
    model = with_imagenet_weights(net)
    give_classes(model, net, CLASSES[data])
    state = make_once("saliency.fine_tuned", dense_state, net=net, data=data, seed=seed, **FINE_TUNING)
    model.get_submodule(DENSE[net]).load_state_dict(state)
    return model


def dense_state(
    net: str,
    data: str,
    seed: int,
    epochs: int,
    batch_size: int,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> dict[str, Tensor]:
    """The weights of the fully connected layers after they have learned; the rest of the net stays.

    Args:
        net, data, seed: as for `fine_tuned`.
        epochs: passes over the training photographs.
        batch_size: photographs in a step.
        lr, momentum, weight_decay: of SGD; the rate falls to a tenth for the last 30 % of the steps.
    """
    images = annotated(data, "train")
    seen = Pictures(images.paths, images.labels, partial(squeezed, side=SIDE))
    device = runtime.device()
    with undisturbed(device):
        torch.manual_seed(seed)
        model = with_imagenet_weights(net)
        give_classes(model, net, CLASSES[data])
        model = model.to(device).requires_grad_(False)
        learning = model.get_submodule(DENSE[net]).requires_grad_(True)
        model.train().apply(_without_batch_statistics)
        fit(
            model,
            Streamed(seen, batch_size, training=True, seed=seed, workers=WORKERS),
            each_class,
            epochs=epochs,
            optimizer=torch.optim.SGD(
                learning.parameters(), lr, momentum=momentum, weight_decay=weight_decay
            ),
            schedule=partial(milestones, at=(0.7,)),
            title=f"{NAMES[net]} learns {data}",
        )
    return learning.state_dict()


def each_class(model: nn.Module, batch, step) -> Tensor:
    """Binary cross-entropy, summed over the classes that are not left open; batch mean.

    ``batch.y`` is (B, C): 1, 0, or ``LEFT_OPEN``.
    """
    counts = batch.y != LEFT_OPEN
    each = F.binary_cross_entropy_with_logits(model(batch.x), (batch.y == 1).float(), reduction="none")
    return each[counts].sum() / len(batch.x)


def _without_batch_statistics(module: nn.Module) -> None:
    """The layers that normalise stay as ImageNet left them."""
    if isinstance(module, nn.BatchNorm2d):
        module.eval()
