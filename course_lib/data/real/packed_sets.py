"""From a packed file to an ``ImageSet``: what each set's arrays mean. Readers take (path, split, options)."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_lib.data.image_set import ImageSet
from course_lib.data.labels import split_off
from course_lib.data.real import packs

BSDS_FOLDERS = {"train": "train/", "test": "val/"}  # the official test photos are kept for segmentation


def image_set(images, labels, factors=None, class_names=None) -> ImageSet:
    """An ``ImageSet`` from arrays of any integer type; factors that are whole numbers become int64."""

    def tensor(values):
        values = np.ascontiguousarray(values)
        return torch.from_numpy(values.astype(np.int64) if values.dtype.kind in "iub" else values)

    return ImageSet(
        images=torch.from_numpy(np.ascontiguousarray(images)),
        labels=torch.from_numpy(np.asarray(labels).astype(np.int64)),
        factors={key: tensor(values) for key, values in factors.items()} if factors else None,
        class_names=None if class_names is None else tuple(str(name) for name in class_names),
    )


def arrays(path: Path, split: str) -> ImageSet:
    """``x_SPLIT``, ``y_SPLIT``, and ``classes`` where the file names them."""
    found = packs.read(path, f"x_{split}", f"y_{split}", "classes")
    return image_set(found[f"x_{split}"], found[f"y_{split}"], class_names=found.get("classes"))


def cifar100_subset(path: Path, split: str) -> ImageSet:
    """CIFAR-100's first images of each class; ``index`` is an image's place in the official set."""
    found = packs.read(path, f"x_{split}", f"y_{split}", f"index_{split}", "classes")
    factors = {"index": found[f"index_{split}"]}
    return image_set(found[f"x_{split}"], found[f"y_{split}"], factors, found["classes"])


def gtsrb32(path: Path, split: str) -> ImageSet:
    """Traffic signs with the sign's box ``x0, y0, x1, y1`` in pixels and ``track``, the physical sign."""
    found = packs.read(path, *(f"{key}_{split}" for key in ("x", "y", "roi", "track")))
    factors = {key: found[f"roi_{split}"][:, i] for i, key in enumerate(("x0", "y0", "x1", "y1"))}
    factors["track"] = found[f"track_{split}"]
    return image_set(found[f"x_{split}"], found[f"y_{split}"], factors)


def omniglot(path: Path, split: str, size: int) -> ImageSet:
    """White ink; classes in the order of alphabet and character, from 0 in each split."""
    keys = ("bits", "alphabet", "alphabets", "character_of_alphabet", "drawer", "evaluation")
    found = packs.read(path, *keys)
    rank = np.argsort(np.argsort(found["alphabets"]))[found["alphabet"]]  # alphabets in order of their names
    chosen = np.flatnonzero(found["evaluation"] == (split == "test"))
    character = found["character_of_alphabet"]
    chosen = chosen[np.lexsort((found["drawer"][chosen], character[chosen], rank[chosen]))]
    _, labels = np.unique(rank[chosen] * 1000 + character[chosen], return_inverse=True)
    _, alphabet = np.unique(rank[chosen], return_inverse=True)
    ink = np.unpackbits(found["bits"][chosen], axis=2, count=105) * np.uint8(255)
    if size != 105:
        ink = np.stack([np.asarray(Image.fromarray(i).resize((size, size), Image.BOX)) for i in ink])
    return image_set(ink[:, None], labels, {"alphabet": alphabet, "drawer": found["drawer"][chosen]})


def pacs64(path: Path, split: str, domain: str | None) -> ImageSet:
    """Four visual domains; ``domain`` is a factor (its place among the names), or one of them alone."""
    found = packs.read(path, "x", "y", "domain", "test", "classes", "domains")
    domains = [str(name) for name in found["domains"]]
    chosen = found["test"] == (split == "test")
    if domain is not None:
        chosen &= found["domain"] == domains.index(domain)
    factors = {"domain": found["domain"][chosen]}
    return image_set(found["x"][chosen], found["y"][chosen], factors, found["classes"])


def yaleb(path: Path, split: str) -> ImageSet:
    """Faces; the class is the person, the factors are the light's direction in degrees.

    There is no official split: of each person a random half is the test, always the same.
    """
    found = packs.read(path, "x", "subject", "azimuth", "elevation")
    subject = torch.from_numpy(found["subject"].astype(np.int64))
    train, test = split_off(subject, len(subject) // 2, seed=0)
    chosen = {"train": train, "test": test, "all": torch.arange(len(subject))}[split].numpy()
    factors = {key: found[key][chosen] for key in ("azimuth", "elevation")}
    return image_set(found["x"][chosen], found["subject"][chosen], factors)


def cub20(path: Path, split: str, size: int) -> ImageSet:
    """Birds, squashed to squares, with the bird's box ``x0, y0, x1, y1`` in the pixels of the result."""
    with zipfile.ZipFile(path) as archive:
        rows = csv.DictReader(io.StringIO(archive.read("boxes.csv").decode()))
        boxes = {row["file"]: row for row in rows if row["file"].startswith(f"{split}/")}
    images, found = [], []
    for name, photo in packs.photos(path, f"{split}/"):
        images.append(np.asarray(photo.resize((size, size), Image.BILINEAR)))
        found.append(boxes[name])
    folders = [row["file"].split("/")[1] for row in found]
    species, labels = np.unique(folders, return_inverse=True)
    sides = {"x0": "width", "y0": "height", "x1": "width", "y1": "height"}
    factors = {
        key: np.array([float(row[key]) * size / float(row[side]) for row in found], np.float32)
        for key, side in sides.items()
    }
    names = [folder.split(".", 1)[1].replace("_", " ") for folder in species]
    return image_set(np.stack(images).transpose(0, 3, 1, 2), labels, factors, names)


def bsds300(path: Path, split: str, size: int) -> ImageSet:
    """The square middles of photos, without classes: every label is -1."""
    images = []
    for _, photo in packs.photos(path, BSDS_FOLDERS[split]):
        side = min(photo.size)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        middle = photo.crop((left, top, left + side, top + side))
        images.append(np.asarray(middle.resize((size, size), Image.BILINEAR)))
    return image_set(np.stack(images).transpose(0, 3, 1, 2), np.full(len(images), -1))
