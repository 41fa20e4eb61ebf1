"""saliency.difficult: which pairs of an image and a class are hard to point at.

Rebuffi 2020, Chapter 8, supplement A: the class covers less than a quarter of the image, and is not alone.
"""

import torch
from torch import Tensor

from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.saliency.wrong_difficult import MISCONCEPTIONS


def oracle(masks: Tensor, classes: Tensor) -> Tensor:
    """Pair by pair, pixel by pixel."""
    found = []
    for image, k in zip(masks.tolist(), classes.tolist()):
        pixels = sum(len(row) for row in image[k])
        area = sum(inside for row in image[k] for inside in row)
        company = any(any(any(row) for row in mask) for other, mask in enumerate(image) if other != k)
        found.append(area < 0.25 * pixels and company)
    return torch.tensor(found)


def drawn(height: int, width: int, areas: str, asked: str):
    """Masks of known area; they overlap as chance has it, and their pixels lie in no box.

    Args:
        height, width: of the images.
        areas: for each image the number of pixels of each class, such as "3 0 20, 7 7 7".
        asked: the class of each pair, a digit each.
    """

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        images = []
        for each in areas.split(","):
            for area in each.split():
                mask = torch.zeros(height * width, dtype=torch.bool)
                mask[torch.randperm(height * width, generator=generator)[: int(area)]] = True
                images.append(mask)
        masks = torch.stack(images).reshape(len(asked), -1, height, width)
        return {"masks": masks, "classes": torch.tensor([int(k) for k in asked])}

    return make


TASK = Task(
    id="saliency.difficult",
    title="Which images are difficult?",
    difficulty=1,
    minutes=10,
    points=1,
    function="difficult",
    takes={"masks": "(B, K, H, W)", "classes": "(B,)"},
    gives={"result": "(B,)"},
    hints=(
        "Two questions for each pair, and both answers must be yes. "
        "For which of them do you look at the mask of the own class, and for which at the others?",
        "small   = pixels of masks[b, classes[b]] < H · W / 4\n"
        "company = some class other than classes[b] has a pixel in image b\n"
        "result  = small and company",
        "area    <- the number of pixels of each mask                # (B, K)\n"
        "own     <- of each row of area the entry of its class       # (B,)\n"
        "present <- how many entries of each row are above 0         # (B,)\n"
        "return own < H · W / 4 and, element by element, present >= 2",
    ),
    oracle=oracle,
    cases=(
        Case("6 pairs of 3 classes", drawn(4, 6, "3 0 9, 2 0 0, 4 15 1, 11 2 5, 0 0 13, 1 5 14", "001221")),
        Case("objects of exactly a quarter", drawn(4, 8, "8 3, 8 0, 7 2, 9 1, 3 8", "00001")),
        Case(
            "large objects beside small ones", drawn(5, 5, "20 2 0, 20 2 0, 3 21 1, 20 21 0, 24 0 1", "01012")
        ),
        Case(
            "small objects that cover much together",
            drawn(6, 4, "5 5 5 5, 5 4 5 0, 0 5 0 5, 5 0 0 0", "0230"),
        ),
        Case("4 pairs of 4 classes", drawn(3, 4, "2 0 2 1, 2 0 9 0, 2 2 2 2, 0 0 1 7", "0023")),
        Case("1 pair of 2 classes", drawn(2, 7, "1 1", "1")),
    ),
    large=Case("200 pairs of 4 classes", drawn(12, 10, ", ".join(["20 0 40 0, 50 9 0 1"] * 100), "01" * 100)),
    misconceptions=MISCONCEPTIONS,
)
