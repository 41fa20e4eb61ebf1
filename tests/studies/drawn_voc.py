"""A tiny PASCAL VOC 2007, drawn: photographs of coloured boxes, with annotations in its layout."""

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 100, 75

# Number -> objects: (name, (xmin, ymin, xmax, ymax) that count from 1, whether it is hard to see).
TRAINVAL = {
    1: [("dog", (11, 6, 60, 70), False)],
    2: [("dog", (31, 16, 90, 60), False), ("dog", (1, 1, 10, 10), True)],
    3: [("cat", (21, 11, 70, 65), False)],
    4: [("cat", (1, 1, 50, 75), False)],
    5: [("cat", (1, 1, 40, 40), False), ("person", (51, 21, 100, 75), False)],
    6: [("dog", (41, 31, 90, 70), False), ("chair", (1, 1, 20, 20), True)],
}
TEST = {
    7: [("dog", (11, 6, 90, 70), False), ("cat", (3, 2, 7, 4), False), ("cat", (95, 71, 100, 75), True)],
    8: [("person", (41, 11, 60, 30), False), ("chair", (1, 51, 20, 75), True)],
    9: [("chair", (1, 1, 20, 20), True)],
    10: [("cat", (21, 21, 40, 40), False)],
    11: [("dog", (61, 41, 80, 60), False), ("person", (1, 1, 70, 60), False)],
    12: [("dog", (1, 1, 30, 30), False)],
}
COLOURS = {"dog": (200, 60, 60), "cat": (60, 180, 60), "person": (60, 60, 210), "chair": (200, 200, 40)}


def draw(root: Path) -> Path:
    """Write ``VOCdevkit/VOC2007`` below a folder, with trainval and test, and return the folder."""
    base = root / "VOCdevkit" / "VOC2007"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (base / name).mkdir(parents=True)
    random = np.random.default_rng(0)
    for split, photographs in (("trainval", TRAINVAL), ("test", TEST)):
        names = [f"{number:06}" for number in photographs]
        (base / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name, objects in zip(names, photographs.values(), strict=True):
            pixels = random.integers(90, 130, (HEIGHT, WIDTH, 3))
            for kind, (left, top, right, bottom), _ in objects:
                pixels[top - 1 : bottom, left - 1 : right] = COLOURS[kind]
            Image.fromarray(pixels.astype(np.uint8)).save(base / "JPEGImages" / f"{name}.jpg")
            (base / "Annotations" / f"{name}.xml").write_text(annotation(objects))
    return root


def annotation(objects: list) -> str:
    """What VOC writes of a photograph, as far as anyone reads it; people have parts with own boxes."""
    return (
        f"<annotation><size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        + "".join(
            f"<object><name>{kind}</name><pose>Left</pose><difficult>{int(hard)}</difficult>"
            f"<bndbox>{corners(box)}</bndbox>"
            + (f"<part><name>head</name><bndbox>{corners((1, 1, 2, 2))}</bndbox></part>" * (kind == "person"))
            + "</object>"
            for kind, box, hard in objects
        )
        + "</annotation>"
    )


def corners(box: tuple[int, int, int, int]) -> str:
    ends = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    return "".join(f"<{end}>{value}</{end}>" for end, value in ends)
