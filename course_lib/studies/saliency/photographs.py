"""Photographs of the user's (PASCAL VOC, COCO, ImageNet), and the large nets of the source.

The source's setting, for one GPU. ImageNet has one class in an image, and says of some images only where it
is; VOC and COCO have several, which the nets learn here, and say of all where they are.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor
from torchvision.transforms import functional as F

from course_lib import runtime
from course_lib.data.normalise import Normalise
from course_lib.localisation import difficult
from course_lib.runtime import CourseError
from course_lib.studies.saliency.annotated_sets import annotated
from course_lib.studies.saliency.annotation import Annotated, evenly, opened
from course_lib.studies.saliency.fine_tuning import SIDE, fine_tuned
from course_lib.studies.saliency.large_nets import (
    CONVOLUTIONS,
    STAGES,
    fully_convolutional,
    with_imagenet_weights,
)
from course_lib.studies.saliency.parts import Pairs, Subject
from course_lib.studies.saliency.setting import Setting
from course_lib.studies.shade.imagenet import MEAN, STD, image_folder, middle

IMAGENET = "imagenet"
IMAGENET_CLASSES = 1000
IMAGENET_SPLITS = {"train": "train", "test": "val"}


def subject(config: Setting, net: str, seed: int) -> Subject:
    """The net of a seed; all seeds have the same one on ImageNet, where it comes with its weights.

    On VOC and COCO the net is fully convolutional: its logits are (B, C, h, w).

    Raises:
        ValueError: there is no such net, or no such set.
        CourseError: the weights or the photographs are not here.
    """
    if config.data == IMAGENET:
        model = with_imagenet_weights(net)
    else:
        model = fully_convolutional(fine_tuned(net, config.data, seed))
    return Subject(model.to(runtime.device()).eval(), STAGES[net], CONVOLUTIONS[net])


def pairs(config: Setting) -> Iterator[Pairs]:
    """The first ``tested`` test photographs (None: all), each by itself with every class that is in it.

    The nets see it with a shorter side of 224 pixels; its masks have the size of the file. Classes that are
    left open are no pairs, but they count as other classes where it is asked which pairs are difficult.

    Raises:
        ValueError: there is no such set, or it does not say of all images where the class is.
        CourseError: the photographs are not here.
    """
    return _pairs_of(annotated(config.data, "test"), config.tested)


def _pairs_of(images: Annotated, tested: int | None) -> Iterator[Pairs]:
    for i in range(len(images.paths))[:tested]:
        if not (images.labels[i] == 1).any():
            continue
        picture = opened(images.paths[i])
        masks = images.regions(i, (picture.height, picture.width))
        # COCO has outlines so small that no pixel is in them.
        y = (images.labels[i] == 1).logical_and(masks.flatten(1).any(1)).nonzero()[:, 0]
        if len(y) == 0:
            continue
        x = as_seen(F.resize(F.pil_to_tensor(picture), [SIDE], antialias=True)[None])
        y, masks = y.to(x.device), masks.to(x.device)
        hard = difficult(masks.expand(len(y), *masks.shape), y)
        yield Pairs(x.repeat(len(y), 1, 1, 1), y, masks[y], hard)


def labelled(config: Setting, split: str, n: int) -> tuple[Tensor, Tensor]:
    """Photographs of one class, evenly over the classes, their middle of 224x224 pixels; fewer if there are.

    Args:
        config: of VOC and COCO, only photographs with exactly one class are taken.
        split: ``train``, or ``test``, which is the validation split of ImageNet and of COCO.
        n: how many; a thousand take 0.6 GB on the device.

    Raises:
        ValueError: there is no such set or split.
        CourseError: the photographs are not here.
    """
    paths, labels = _of_imagenet(split) if config.data == IMAGENET else _of_one_class(config.data, split)
    chosen = evenly(labels, n)
    look = partial(_middle_of, paths)
    with ThreadPoolExecutor() as threads:  # Pillow decodes without the interpreter's lock
        pixels = torch.stack(list(threads.map(look, chosen.tolist())))
    return as_seen(pixels), labels[chosen].to(runtime.device())


def as_seen(pixels: Tensor) -> Tensor:
    """Pixels (B, 3, h, w) from 0 to 255 as the nets see them, on the device."""
    normalise = Normalise(MEAN, STD, 3, torch.float32, runtime.device())
    return normalise(pixels.to(runtime.device(), torch.float32))


def _middle_of(paths: list, place: int) -> Tensor:
    return middle(opened(paths[place]), SIDE)


def _of_imagenet(split: str) -> tuple[list, Tensor]:
    if split not in IMAGENET_SPLITS:
        raise ValueError(f"split is {split!r}, possible are train and test.")
    folder = image_folder(IMAGENET_SPLITS[split], partial(middle, side=SIDE))
    if len(folder.classes) != IMAGENET_CLASSES:
        raise CourseError(
            f"{folder.root} has {len(folder.classes)} folders of classes where {IMAGENET_CLASSES} belong: "
            "all of them are needed, because their order says which output of a net is which class."
        )
    return [path for path, _ in folder.samples], torch.tensor(folder.targets)


def _of_one_class(data: str, split: str) -> tuple[list, Tensor]:
    images = annotated(data, split)
    alone = images.showing_one()
    if len(alone) == 0:
        raise CourseError(f"No photograph of {data} in the split {split} shows exactly one class.")
    return [images.paths[i] for i in alone.tolist()], images.labels[alone].argmax(1)
