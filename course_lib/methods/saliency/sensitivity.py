"""Does a method's map depend on the class that it explains (Rebuffi 2020, Chapter 8, §4.3)?

For each image, the map of the likeliest class is compared with that of the least likely one, by the rank
correlation of their pixels. Near 0 is good: the least likely class is not in the image. Near 1 the map is
blind to the class; near -1 it is the other one turned over, as voting methods do where two logits oppose.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.localisation import to_size
from course_lib.metrics import spearman
from course_lib.training.modes import evaluation_mode

Method = Callable[[nn.Module, Tensor, Tensor], Tensor | Mapping[str, Tensor]]


class Sensitivity(NamedTuple):
    """Rank correlations between the maps of two classes."""

    mean: float  # over the images where there is one; NaN where there is none
    n_valid: int  # how many these are
    each: Tensor  # (B,) float64, NaN where a map is constant or not finite


def extreme_classes(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest and the least likely class of each sample, among all classes, present or not.

    Args:
        logits: (B, C), or any increasing function of them, such as probabilities; or (B, C, h, w) of a fully
            convolutional net, pooled as ``class_score`` pools them.

    Returns:
        (c_max, c_min), (B,) int64 each; of equal logits the first.

    Raises:
        ValueError: the shape is another, there are fewer than two classes, or the logits contain NaN.
    """
    if logits.ndim not in (2, 4) or logits.shape[1] < 2:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)}, needed is (B, C) or (B, C, h, w) with C at least 2."
        )
    if logits.isnan().any():
        raise ValueError("logits contain NaN, so no class is the likeliest.")
    if logits.ndim == 4:
        logits = logits.flatten(2).logsumexp(2)
    return logits.argmax(1), logits.argmin(1)


def class_sensitivity(
    fn: Method,
    model: nn.Module,
    x: Tensor,
    size: int | tuple[int, int] | None = None,
    *,
    batch_size: int | None = None,
) -> Sensitivity | dict[str, Sensitivity]:
    """The mean rank correlation between the maps of the likeliest and of the least likely class.

    The classes are those of the model as it stands, in evaluation mode; its modes are as before afterwards.
    Images without a correlation are left out of the mean, not counted as 0.

    Args:
        fn: (model, x, y) to maps (B, 1, h, w), larger is more, or to a dict of them by layer name.
        model: maps images to logits (B, C), or (B, C, h, w).
        x: images (B, channels, H, W).
        size: (H, W) where the maps are ranked, or one number for both; None: that of the images.
        batch_size: images at a time; all by default.

    Returns:
        `Sensitivity`, or a dict of them if ``fn`` gives a dict.

    Raises:
        ValueError: no images, impossible logits, or maps of another number or shape.
    """
    if x.ndim != 4 or len(x) == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)}, needed are images (B, channels, H, W), at least one."
        )
    size = x.shape[2:] if size is None else size
    correlations: dict[str, list[Tensor]] = {}
    for batch in x.split(batch_size or len(x)):
        with torch.no_grad(), evaluation_mode(model):
            classes = extreme_classes(model(batch))
        of_max, of_min = (fn(model, batch, c) for c in classes)
        by_name = isinstance(of_max, Mapping)
        pairs = {name: (of_max[name], of_min[name]) for name in of_max} if by_name else {"": (of_max, of_min)}
        for name, pair in pairs.items():
            large = [to_size(maps, size) for maps in pair]
            for maps in large:
                if len(maps) != len(batch):
                    raise ValueError(
                        f"fn gives {len(maps)} maps for {len(batch)} images, needed is one for each."
                    )
            correlations.setdefault(name, []).append(spearman(*large))
    found = {name: _summary(torch.cat(parts)) for name, parts in correlations.items()}
    return found if by_name else found[""]


def _summary(each: Tensor) -> Sensitivity:
    valid = each[each.isfinite()]
    return Sensitivity(valid.mean().item(), len(valid), each)
