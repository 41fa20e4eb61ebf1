"""From a torchvision data set to an ``ImageSet``. Each reader takes (dataset, split, options)."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_lib.data.image_set import ImageSet
from course_lib.data.real.packed_sets import image_set


def in_memory(dataset, split: str) -> ImageSet:
    """The sets that torchvision holds in memory, as (N, H, W), (N, H, W, 3) or (N, 3, H, W)."""
    images = np.asarray(dataset.data)
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[1] != 3:
        images = images.transpose(0, 3, 1, 2)
    labels = dataset.targets if hasattr(dataset, "targets") else dataset.labels
    return image_set(images, np.asarray(labels), class_names=getattr(dataset, "classes", None))


def pictures(dataset, split: str, size: int) -> ImageSet:
    """The sets of pictures of any size, squashed to squares."""
    images, labels = [], []
    for picture, label in dataset:
        images.append(np.asarray(picture.convert("RGB").resize((size, size), Image.BILINEAR)))
        labels.append(label)
    class_names = getattr(dataset, "classes", None)
    return image_set(np.stack(images).transpose(0, 3, 1, 2), labels, class_names=class_names)


def omniglot(dataset, split: str, size: int) -> ImageSet:
    """White ink; classes in the order of the names of alphabet and character, from 0 in each split.

    torchvision numbers the characters as the file system happens to list them, so the files are listed here.
    """
    folder = Path(dataset.root, "images_background" if split == "train" else "images_evaluation")
    files = sorted(folder.glob("*/*/*.png"))
    images = []
    for file in files:
        ink = Image.fromarray(255 - np.asarray(Image.open(file).convert("L")))
        images.append(np.asarray(ink if size == 105 else ink.resize((size, size), Image.BOX)))
    _, labels = np.unique([file.parent.relative_to(folder).as_posix() for file in files], return_inverse=True)
    _, alphabet = np.unique([file.parent.parent.name for file in files], return_inverse=True)
    drawer = [int(file.stem.split("_")[1]) - 1 for file in files]
    return image_set(np.stack(images)[:, None], labels, {"alphabet": alphabet, "drawer": np.array(drawer)})


def celeba(dataset, split: str, size: int, n: int | None) -> ImageSet:
    """Faces: the class is the person (identity - 1), the factors are the 40 attributes, 0 or 1."""
    n = len(dataset) if n is None else min(n, len(dataset))
    images = np.empty((n, 3, size, size), np.uint8)
    for i in range(n):  # 178 x 218: the square in the middle holds the face
        face = dataset[i][0].crop((0, 20, 178, 198)).resize((size, size), Image.BILINEAR)
        images[i] = np.asarray(face).transpose(2, 0, 1)
    names = [name for name in dataset.attr_names if name]
    factors = {name: dataset.attr[:n, k].numpy() for k, name in enumerate(names)}
    return image_set(images, dataset.identity[:n, 0].numpy() - 1, factors)


def voc(dataset, split: str, size: int, classes: int = 20) -> ImageSet:
    """Scenes, squashed to squares: ``masks[:, c]`` are the pixels of class c, the label is the largest class.

    Pixels that the annotators left open (the void border) belong to no class.
    """
    n = len(dataset)
    images = np.empty((n, 3, size, size), np.uint8)
    masks = np.empty((n, classes, size, size), bool)
    for i in range(n):
        picture, regions = dataset[i]
        images[i] = np.asarray(picture.resize((size, size), Image.BILINEAR)).transpose(2, 0, 1)
        regions = np.asarray(regions.resize((size, size), Image.NEAREST))
        masks[i] = regions == np.arange(1, classes + 1)[:, None, None]
    found = image_set(images, masks.sum((2, 3)).argmax(1))
    return ImageSet(found.images, found.labels, masks=torch.from_numpy(masks))
