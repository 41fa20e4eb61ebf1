"""Occlusion: hide one square of the image at a time and watch the score fall (Zeiler & Fergus 2014)."""

import torch
from torch import Tensor, nn

from course_lib.methods.saliency.capture import Score, checked
from course_lib.methods.saliency.masking import degraded, scored
from course_lib.training.modes import evaluation_mode


def occlusion(
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    size: int | None = None,
    stride: int | None = None,
    *,
    fill: str | float | Tensor = "mean",
    score: str | Score = "probability",
    batch_size: int = 64,
) -> Tensor:
    """The fall of a class score where a grey square hides the image.

    The value of a pixel is the mean, over the squares that cover it, of score(x) - score(x with this square).
    Squares do not protrude over the border, and the last of each row and column touches it, so that each
    pixel is covered. An image costs one forward pass, and one for each square: with the defaults 441 at 48x48
    pixels, 484 at 224x224.

    Args:
        model: maps images to logits. It is in evaluation mode meanwhile, and afterwards as found.
        x: images (B, C, H, W), normalised as the model wants them.
        y: (B,) int64, the class that is to be explained for each image; a number means this class for all.
        size: side of the square in pixels; None is a sixth of the shorter side, about the size of a part.
        stride: pixels from one square to the next, at most ``size``; None is a quarter of ``size``.
        fill: what the square holds, see `degraded`; "mean" is the mean colour of the image.
        score: "probability", as in the source, or "logit"; or a function of the outputs and y.
        batch_size: images in one pass, all of them versions of the same image.

    Returns:
        (B, 1, H, W), in float32 or float64; larger where hiding hurts more, negative where it helps.

    Raises:
        ValueError: x, y or a number is impossible.
    """
    x, y = checked(x, y)
    height, width = x.shape[2:]
    size = max(1, round(min(height, width) / 6)) if size is None else size
    stride = max(1, size // 4) if stride is None else stride
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size is {size}, possible are 1 to {min(height, width)} pixels.")
    if not 1 <= stride <= size:
        raise ValueError(
            f"stride is {stride}, possible are 1 to {size}: else pixels stay between the squares."
        )
    tops, lefts = (_starts(side, size, stride, x.device) for side in (height, width))
    corners = torch.cartesian_prod(tops, lefts)
    with torch.no_grad(), evaluation_mode(model):
        parts = zip(x.split(batch_size), y.split(batch_size))
        whole = torch.cat([scored(model(images), classes, score) for images, classes in parts])
        falls, covering = torch.zeros_like(whole)[:, None].repeat(1, height * width), 0
        hidden = degraded(x, fill)
        for some in corners.split(batch_size):
            squares = _squares(some, size, height, width)
            flat = squares.flatten(1).to(falls)
            covering = covering + flat.sum(0)
            for i in range(len(x)):
                seen = torch.where(squares, hidden[i], x[i])
                falls[i] += (whole[i] - scored(model(seen), y[i].expand(len(seen)), score)) @ flat
    return (falls / covering).view(-1, 1, height, width)


def _starts(side: int, size: int, stride: int, device: torch.device) -> Tensor:
    """Where the squares begin along one axis; the last one ends at the border."""
    last = side - size
    starts = torch.arange(0, last + 1, stride, device=device)
    return starts if starts[-1] == last else torch.cat([starts, starts.new_tensor([last])])


def _squares(corners: Tensor, size: int, height: int, width: int) -> Tensor:
    """(n, 1, H, W) bool: which pixels each of n squares covers."""
    rows, columns = (torch.arange(side, device=corners.device) for side in (height, width))
    top, left = corners[:, :1], corners[:, 1:]
    inside = ((rows >= top) & (rows < top + size))[:, :, None] & (
        (columns >= left) & (columns < left + size)
    )[:, None]
    return inside[:, None]
