"""Maps brought to the size of the picture, before anything is read off them."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from course_lib.localisation.inputs import check_maps


def to_size(maps: Tensor, size: int | Sequence[int]) -> Tensor:
    """Maps (B, 1, h, w) at another size: bilinear, with ``align_corners=False``.

    The edges of the outer cells, not their centres, meet the picture's edges: a cell of 4 by 4 pixels has its
    value in their middle. A constant map stays constant to the last bit, so that no rank and no normalisation
    takes rounding for structure. Known fault: beside a lower value, zeros and plateaus do not stay exact.

    Args:
        maps: (B, 1, h, w), floating; half precision is raised to float32, since it would make equal values.
        size: (H, W), or one number for both.

    Returns:
        (B, 1, H, W); the same tensor where the size is this one already.

    Raises:
        ValueError: the shape or the size is impossible.
    """
    check_maps(maps)
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"size is {(height, width)}, needed are at least 1 by 1 pixels.")
    maps = maps if maps.element_size() > 2 else maps.float()
    if maps.shape[2:] == (height, width):
        return maps
    low = maps.amin((1, 2, 3), keepdim=True)  # the weights of a pixel add up to 1 but for rounding
    return F.interpolate(maps - low, (height, width), mode="bilinear", align_corners=False) + low
