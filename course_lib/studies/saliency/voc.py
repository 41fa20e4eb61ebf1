"""PASCAL VOC 2007 as the user brings it: photographs with boxes around the objects of twenty classes.

Two things are called difficult there. An object may be marked so, because it is hard to see; a class of which
an image has only such objects is left open. And an image may be in the difficult subset for a class, which is
small there and not alone (``course_lib.localisation.difficult``).
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple
from xml.etree import ElementTree

import torch
from torch import Tensor
from torchvision.datasets import VOCDetection

from course_lib.data.real.class_names import VOC
from course_lib.data.real.folder import data_folder
from course_lib.data.real.packs import DAMAGE
from course_lib.runtime import CourseError
from course_lib.studies.saliency.annotation import LEFT_OPEN, Annotated

CLASSES = tuple(name.replace(" ", "").lower() for name in VOC)  # as the annotations write them
IMAGE_SETS = {"train": "trainval", "test": "test"}


class Thing(NamedTuple):
    """An object in a photograph.

    Attributes:
        label: its class.
        box: (top, left, bottom, right) in pixels, bottom and right outside of it.
        difficult: whether it is marked as hard to see.
    """

    label: int
    box: tuple[int, int, int, int]
    difficult: bool


def annotated(split: str) -> Annotated:
    """The photographs of a split, from ``COURSE_DATA/VOCdevkit/VOC2007``.

    Args:
        split: ``train`` for trainval (5011 photographs), ``test`` (4952).

    Raises:
        CourseError: they are not there, or not whole.
    """
    folder = data_folder()
    try:
        found = VOCDetection(str(folder), year="2007", image_set=IMAGE_SETS[split])
        things = [things_in(path) for path in found.annotations]
        labels = torch.stack([labels_of(each) for each in things])
    except (*DAMAGE, TypeError) as problem:
        raise CourseError(
            f"The split {IMAGE_SETS[split]} of VOC 2007 is not in {folder}, or not all of it: unpack "
            "VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar there, or set COURSE_DATA to the folder "
            "that holds VOCdevkit/VOC2007."
        ) from problem
    return Annotated(found.images, labels, partial(regions, things))


def things_in(path: str) -> list[Thing]:
    """The objects that an annotation names; theirs count pixels from 1, and lie inside their box's ends."""
    found = []
    for node in ElementTree.parse(path).getroot().findall("object"):
        # Some corners are written as fractions.
        left, top, right, bottom = (
            round(float(node.findtext(f"bndbox/{end}"))) for end in ("xmin", "ymin", "xmax", "ymax")
        )
        box = (top - 1, left - 1, bottom, right)
        difficult = node.findtext("difficult", "0").strip() == "1"
        found.append(Thing(CLASSES.index(node.findtext("name").strip()), box, difficult))
    return found


def labels_of(things: Sequence[Thing]) -> Tensor:
    """Which classes are there, (20,): a class is left open if all its objects are hard to see."""
    labels = torch.zeros(len(CLASSES), dtype=torch.int64)
    for thing in sorted(things, key=lambda thing: not thing.difficult):
        labels[thing.label] = LEFT_OPEN if thing.difficult else 1
    return labels


def regions(things: Sequence[Sequence[Thing]], i: int, size: tuple[int, int]) -> Tensor:
    """The boxes of each class in photograph ``i``, filled in, (20, height, width) bool."""
    masks = torch.zeros(len(CLASSES), *size, dtype=torch.bool)
    for label, (top, left, bottom, right), _ in things[i]:
        masks[label, top:bottom, left:right] = True
    return masks
