"""COCO 2014 as the user brings it: photographs with the outlines of the objects of eighty classes."""

import io
from contextlib import redirect_stdout
from functools import partial

import torch
from torch import Tensor
from torchvision.datasets import CocoDetection

from course_lib.data.real.folder import data_folder
from course_lib.data.real.packs import DAMAGE
from course_lib.runtime import CourseError
from course_lib.studies.saliency.annotation import Annotated

FOLDERS = {"train": "train2014", "test": "val2014"}  # the labels of its own test split are not public


def annotated(split: str) -> Annotated:
    """The photographs of a split, from ``COURSE_DATA/coco``.

    Classes are numbered from 0 in the order of their ids, which have gaps. Crowds belong to their class.

    Args:
        split: ``train`` for train2014 (82 783 photographs), ``test`` for val2014 (40 504).

    Raises:
        CourseError: they are not there, or pycocotools, which reads the outlines, is not.
    """
    name = FOLDERS[split]
    root = data_folder() / "coco"
    pictures, notes = root / name, root / "annotations" / f"instances_{name}.json"
    if not pictures.is_dir() or not notes.is_file():
        raise CourseError(
            f"COCO 2014 is not in {root}: put its folder {name} and annotations/{notes.name} there, or set "
            "COURSE_DATA to the folder that holds coco."
        )
    try:
        with redirect_stdout(io.StringIO()):  # it prints how far it is
            found = CocoDetection(str(pictures), str(notes))
    except ImportError as problem:
        raise CourseError(
            "The outlines of COCO are read by pycocotools, which is not installed: type "
            "`pip install pycocotools`."
        ) from problem
    except DAMAGE as problem:
        raise CourseError(f"The annotations {notes} cannot be read: bring them again.") from problem
    coco = found.coco
    places = {category: place for place, category in enumerate(sorted(coco.getCatIds()))}
    labels = torch.zeros(len(found), len(places), dtype=torch.int64)
    for i, image in enumerate(found.ids):
        for note in coco.loadAnns(coco.getAnnIds(image)):
            labels[i, places[note["category_id"]]] = 1
    paths = [pictures / about["file_name"] for about in coco.loadImgs(found.ids)]
    return Annotated(paths, labels, partial(regions, found, places))


def regions(found: CocoDetection, places: dict[int, int], i: int, size: tuple[int, int]) -> Tensor:
    """The objects of each class in photograph ``i``, filled in, (C, height, width) bool."""
    masks = torch.zeros(len(places), *size, dtype=torch.bool)
    for note in found.coco.loadAnns(found.coco.getAnnIds(found.ids[i])):
        masks[places[note["category_id"]]] |= torch.from_numpy(found.coco.annToMask(note)).bool()
    return masks
