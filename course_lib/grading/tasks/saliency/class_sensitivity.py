"""saliency.class_sensitivity: do the maps of two classes differ?  (Rebuffi 2020, Chapter 8, §4.3.)"""

import math
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.known_maps import KnownMethod, KnownNet
from course_lib.grading.tasks.saliency.nan_apart import as_tensor, is_missing, nan_apart
from course_lib.grading.tasks.saliency.spearman import rank_correlation
from course_lib.grading.tasks.saliency.wrong_class_sensitivity import MISCONCEPTIONS


def oracle(x: Tensor, logits: Tensor, maps: Tensor) -> tuple[Tensor, ...]:
    """Image by image: the most and the least likely class, the correlation of their two maps."""
    total, valid = 0.0, 0
    for scores, of_classes in zip(logits.tolist(), maps):
        most = max(range(len(scores)), key=lambda k: scores[k])
        least = min(range(len(scores)), key=lambda k: scores[k])
        rho = rank_correlation(of_classes[most].flatten().tolist(), of_classes[least].flatten().tolist())
        if not math.isnan(rho):
            total, valid = total + rho, valid + 1
    mean = torch.tensor(total / valid if valid else math.nan, dtype=torch.float64)
    return torch.tensor(float(valid), dtype=torch.float64), *nan_apart(mean)


def use(answer: Any, x: Tensor, logits: Tensor, maps: Tensor) -> Any:
    """Ask how sensitive a method is whose maps are known, on a network whose logits are known."""
    model = KnownNet(x, logits).eval()
    result = answer(KnownMethod(model, maps), model, x)
    if is_missing(result):
        return result
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Unfit("The result must be a tuple of two, mean and n_valid")
    mean, valid = (as_tensor(name, each, x) for name, each in zip(("mean", "n_valid"), result))
    return valid if valid.is_floating_point() else valid.double(), *nan_apart(mean)


# --- inputs ----------------------------------------------------------------------------------


def explained(
    images: int, classes: int, height: int, width: int, *, constant: str = "", clipped: float = 0.0
):
    """Logits of both signs, and maps that share something within an image and something within a class.

    constant: for each image which of its two maps is flat: "+" that of its most likely class, "-" that of the
        least likely one, "=" both, "." none.
    clipped: above 0, that part of the places is below a ReLU and 0.
    """

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        logits = 0.4 + 2 * normal(generator, images, classes)
        of_image = normal(generator, images, 1, height, width)
        of_class = normal(generator, 1, classes, height, width)
        share = 1.6 * uniform(generator, images, 1, 1, 1) - 0.3
        maps = share * of_image + 0.5 * of_class + 0.5 * normal(generator, images, classes, height, width)
        maps = 0.4 * maps + 0.3 * maps**3
        if clipped:
            edge = maps.flatten(2).quantile(clipped, dim=2)[..., None, None]
            maps = (maps - edge).clamp(min=0)
        for k, kind in enumerate(constant):
            if kind in "+=":
                maps[k, logits[k].argmax()] = 0.0
            if kind in "-=":
                maps[k, logits[k].argmin()] = 0.25
        return {"x": normal(generator, images, 2, 3, 4), "logits": logits, "maps": maps}

    return make


TASK = Task(
    id="saliency.class_sensitivity",
    title="Does the map care which class is explained?",
    difficulty=3,
    minutes=25,
    points=3,
    function="class_sensitivity",
    takes={"x": "(N, C, H, W)", "logits": "(N, K)", "maps": "(N, K, h, w)"},
    gives={
        "number of valid images": "scalar",
        "number of NaNs in the mean": "scalar",
        "mean": "scalar",
    },
    written="class_sensitivity(fn, model, x: (N, C, H, W)) -> mean, n_valid",
    use=use,
    may_use=("course_lib.grading.tasks.saliency.known_maps", "course_lib.metrics"),
    hints=(
        "Each image has two classes of its own, and so two maps. "
        "Compare these two, image by image, before you take any mean. "
        "What is to be done with an image of which one map is flat?",
        "c_max[i] = the class with the largest logit of image i,   c_min[i] = with the smallest\n"
        "rho[i]   = Spearman( fn(model, x[i], c_max[i]), fn(model, x[i], c_min[i]) )\n"
        "mean     = mean of rho[i] over the images for which it is a number;   n_valid = how many these are",
        "logits <- the model on x                                  # (N, K)\n"
        "most, least <- where each row of logits is largest, smallest   # (N,), (N,)\n"
        "rho    <- spearman of fn(model, x, most) and fn(model, x, least)   # (N,)\n"
        "kept   <- those of rho that are not NaN\n"
        "return the mean of kept, and how many there are",
    ),
    oracle=oracle,
    tolerance=1e-5,  # ranks may be held in float32
    cases=(
        Case("6 images and 4 classes", explained(6, 4, 4, 5)),
        Case("5 images, of which two have a flat map", explained(5, 3, 3, 5, constant="..+.-")),
        Case("4 images of 4 classes", explained(4, 4, 4, 4, constant="...=")),
        Case("7 images whose maps are mostly 0", explained(7, 5, 4, 6, clipped=0.7, constant=".=..+..")),
        Case("2 images that both have a flat map", explained(2, 3, 3, 4, constant="+=")),
        Case("1 image and 2 classes", explained(1, 2, 2, 5)),
        Case("5 images in float32", explained(5, 6, 5, 4, clipped=0.4), dtype=torch.float32),
    ),
    large=Case("40 images and 10 classes", explained(40, 10, 5, 6)),
    misconceptions=MISCONCEPTIONS,
)
