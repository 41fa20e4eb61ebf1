"""A tiny ImageNet, drawn: folders of JPEGs in its layout, of a few classes that differ in colour."""

from pathlib import Path

import numpy as np
from PIL import Image

WNIDS = ("n01440764", "n02084071", "n04146614")
COLOURS = ((200, 60, 60), (60, 180, 60), (60, 60, 210))


def draw(root: Path, each: int = 4, size: tuple[int, int] = (80, 64)) -> Path:
    """Write ``imagenet/{train,val}/<wnid>/*.JPEG`` below a folder, ``each`` images a class, and return it.

    The left half of an image is darker than its right half, so that a mirrored one is recognised.
    """
    random = np.random.default_rng(0)
    width, height = size
    for split in ("train", "val"):
        for wnid, colour in zip(WNIDS, COLOURS, strict=True):
            folder = root / "imagenet" / split / wnid
            folder.mkdir(parents=True)
            for number in range(each):
                pixels = np.array(colour) + random.integers(-20, 20, (height, width, 1))
                pixels[:, : width // 2] -= 30
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.JPEG")
    return root
