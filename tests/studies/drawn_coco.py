"""A tiny COCO 2014, drawn, and a stand-in for pycocotools, which the course does not need to have."""

import json
import types
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 60, 90
CATEGORIES = (7, 3, 50)  # ids have gaps, and the file does not sort them

# Id of a photograph -> objects: (category, (left, top, width, height) of a rectangle).
PHOTOGRAPHS = {
    9: [(3, (10, 20, 30, 40)), (50, (0, 0, 6, 8)), (3, (50, 80, 10, 10))],
    4: [(7, (5, 5, 40, 60))],
    6: [],
}


def draw(root: Path) -> Path:
    """Write ``coco/{train2014,val2014,annotations}`` below a folder, and return the folder."""
    (root / "coco" / "annotations").mkdir(parents=True)
    random = np.random.default_rng(0)
    for split in ("train2014", "val2014"):
        folder = root / "coco" / split
        folder.mkdir()
        notes = []
        for number, objects in PHOTOGRAPHS.items():
            pixels = random.integers(90, 130, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            for category, (left, top, width, height) in objects:
                pixels[top : top + height, left : left + width] = 5 * category
                notes.append(note(len(notes) + 1, number, category, left, top, width, height))
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
        images = [
            {"id": number, "file_name": f"{number}.jpg", "width": WIDTH, "height": HEIGHT}
            for number in PHOTOGRAPHS
        ]
        categories = [{"id": category, "name": f"kind {category}"} for category in CATEGORIES]
        written = {"images": images, "categories": categories, "annotations": notes}
        path = root / "coco" / "annotations" / f"instances_{split}.json"
        path.write_text(json.dumps(written))
    return root


def note(number: int, image: int, category: int, left: int, top: int, width: int, height: int) -> dict:
    right, bottom = left + width, top + height
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
        "area": width * height,
        "bbox": [left, top, width, height],
        "iscrowd": 0,
    }


class COCO:
    """What the course uses of ``pycocotools.coco.COCO``; outlines are rectangles."""

    def __init__(self, path: str):
        held = json.loads(Path(path).read_text())
        print("loading annotations into memory...")
        self.imgs = {image["id"]: image for image in held["images"]}
        self.categories = [category["id"] for category in held["categories"]]
        self.notes = {note["id"]: note for note in held["annotations"]}
        self.of_image = defaultdict(list)
        for each in held["annotations"]:
            self.of_image[each["image_id"]].append(each["id"])

    def getCatIds(self) -> list[int]:
        return self.categories

    def getAnnIds(self, image: int) -> list[int]:
        return self.of_image[image]

    def loadAnns(self, numbers: list[int]) -> list[dict]:
        return [self.notes[number] for number in numbers]

    def loadImgs(self, numbers: list[int]) -> list[dict]:
        return [self.imgs[number] for number in numbers]

    def annToMask(self, note: dict) -> np.ndarray:
        about = self.imgs[note["image_id"]]
        mask = np.zeros((about["height"], about["width"]), np.uint8)
        left, top, width, height = note["bbox"]
        mask[top : top + height, left : left + width] = 1
        return mask


def pycocotools() -> dict[str, types.ModuleType]:
    """The modules that stand in for the package, by name."""
    package, module = types.ModuleType("pycocotools"), types.ModuleType("pycocotools.coco")
    module.COCO = COCO
    package.coco = module
    return {"pycocotools": package, "pycocotools.coco": module}
