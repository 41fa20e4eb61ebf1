"""A right answer to saliency.localisation in pieces, and the pieces that are wrong."""

import torch
from scipy import ndimage
from torch import Tensor


def part_of_the_range(maps: Tensor, t: Tensor) -> Tensor:
    """What is kept, (B, H, W)."""
    up = maps - maps.amin((1, 2), keepdim=True)
    return up >= t * up.amax((1, 2), keepdim=True)


def tightest(kept: Tensor) -> Tensor:
    """(B, 4): top, left, bottom, right; all 0 where nothing is kept."""
    ends = []
    for line in (kept.any(2), kept.any(1)):
        first, last = line.int().argmax(1), line.shape[1] - line.flip(1).int().argmax(1)
        ends.append((first, torch.where(line.any(1), last, 0)))
    (top, bottom), (left, right) = ends
    return torch.stack([top, left, bottom, right], dim=1)


def area(box: Tensor) -> Tensor:
    return (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])


def common(a: Tensor, b: Tensor, least: float = 0) -> Tensor:
    """Pixels that two boxes share."""
    height = torch.minimum(a[:, 2], b[:, 2]) - torch.maximum(a[:, 0], b[:, 0])
    width = torch.minimum(a[:, 3], b[:, 3]) - torch.maximum(a[:, 1], b[:, 1])
    return height.clamp(min=least) * width.clamp(min=least)


def over_union(a: Tensor, b: Tensor) -> Tensor:
    both = common(a, b)
    return both / (area(a) + area(b) - both)


def success(iou: Tensor, thresholds: Tensor) -> Tensor:
    return (iou > 0.5).double().mean(1)


def sweeping(
    kept=part_of_the_range,
    box=tightest,
    iou=over_union,
    accuracy=success,
    final=lambda iou, accuracy: (iou, accuracy),
):
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(maps, boxes, thresholds):
        found = [box(kept(maps[:, 0], t)) for t in thresholds]
        table = torch.stack([iou(each, boxes).double() for each in found])
        return final(table, accuracy(table, thresholds))

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def more_than(maps: Tensor, t: Tensor) -> Tensor:
    up = maps - maps.amin((1, 2), keepdim=True)
    return up > t * up.amax((1, 2), keepdim=True)


def range_of_the_batch(maps: Tensor, t: Tensor) -> Tensor:
    return maps - maps.min() >= t * (maps.max() - maps.min())


def normalised(maps: Tensor, t: Tensor) -> Tensor:
    """0 / 0 in a constant map, which is not at least anything."""
    up = maps - maps.amin((1, 2), keepdim=True)
    return up / up.amax((1, 2), keepdim=True) >= t


def quantile(maps: Tensor, t: Tensor) -> Tensor:
    return maps >= maps.flatten(1).quantile(t.to(maps.dtype), dim=1)[:, None, None]


def from_the_top(maps: Tensor, t: Tensor) -> Tensor:
    return part_of_the_range(maps, 1 - t)


def largest_part(kept: Tensor) -> Tensor:
    parts = []
    for one in kept.cpu().numpy():
        labels, count = ndimage.label(one)
        sizes = ndimage.sum_labels(one, labels, range(1, count + 1))
        parts.append(torch.from_numpy(labels == 1 + sizes.argmax()))
    return tightest(torch.stack(parts).to(kept.device))


def inside(kept: Tensor) -> Tensor:
    """The last row and column as they are counted, so that they fall out of the box."""
    return tightest(kept) - torch.tensor([0, 0, 1, 1], device=kept.device)


def with_ones(a: Tensor, b: Tensor) -> Tensor:
    """As if bottom and right lay inside the boxes."""
    one = torch.tensor([0, 0, 1, 1], device=a.device)
    return over_union(a + one, b + one)


def without_taking_apart(a: Tensor, b: Tensor) -> Tensor:
    return common(a, b) / (area(a) + area(b))


def unclamped(a: Tensor, b: Tensor) -> Tensor:
    both = common(a, b, least=-torch.inf)
    return both / (area(a) + area(b) - both)


def of_pixels(maps: Tensor, boxes: Tensor, thresholds: Tensor):
    rows, columns = (
        torch.arange(maps.shape[2], device=maps.device),
        torch.arange(maps.shape[3], device=maps.device),
    )
    top, left, bottom, right = (end[:, None] for end in boxes.T)
    true = ((rows >= top) & (rows < bottom))[:, :, None] & ((columns >= left) & (columns < right))[:, None]
    table = []
    for t in thresholds:
        kept = part_of_the_range(maps[:, 0], t)
        table.append((kept & true).sum((1, 2)).double() / (kept | true).sum((1, 2)))
    return torch.stack(table), success(torch.stack(table), thresholds)
