"""RISE: what a net says about an image behind random masks (Petsiuk et al. 2018)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.methods.saliency.capture import Score, checked
from course_lib.methods.saliency.masking import blended, degraded, scored
from course_lib.methods.stability import in_full
from course_lib.training.modes import evaluation_mode


def rise(
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    n_masks: int = 1000,
    *,
    cells: int = 7,
    p: float = 0.5,
    score: str | Score = "probability",
    fill: str | float | Tensor = "zero",
    seed: int = 0,
    generator: torch.Generator | None = None,
    batch_size: int = 64,
) -> Tensor:
    """Mean of random masks, weighted by the score of the image behind each: Σ_n score(x ⊙ m_n) m_n / (N p).

    As E[m] = p at every pixel, that estimates the expected score of an image of which the pixel is visible.
    A score that does not depend on the mask gives a constant map, up to the luck of the draw; this noise
    falls as 1/√N. An image costs N forward passes; the source takes 4000 masks for VGG16 and 8000 for
    ResNet50 at 224x224 pixels, where the mask's cells have 32 pixels. At 48x48 they have 7.

    Args:
        model: maps images to logits. It is in evaluation mode meanwhile, and afterwards as found.
        x: images (B, C, H, W), normalised as the model wants them.
        y: (B,) int64, the class that is to be explained for each image; a number means this class for all.
        n_masks: N. All images of a batch are seen behind the same masks.
        cells: cells along each side of a coarse mask, before it is enlarged and shifted.
        p: probability that a cell is visible.
        score: the softmax "probability", as in the source, or the "logit"; or a function of outputs and y.
            Logits may be negative, and have a mean far from 0, which adds a multiple of the masks' mean.
        fill: what stands where a mask is 0, see `degraded`; "zero" is the source's product x ⊙ m.
        seed: of the masks, where no generator is given; the global random state is not touched.
        generator: of the masks, on any device; where it is given, ``seed`` has no meaning.
        batch_size: images in one pass, all of them versions of the same image.

    Returns:
        (B, 1, H, W), in float32 or float64; larger is more important.

    Raises:
        ValueError: x, y or a number is impossible.
    """
    x, y = checked(x, y)
    if n_masks < 1:
        raise ValueError(f"n_masks is {n_masks}, possible are whole numbers from 1.")
    generator = torch.Generator().manual_seed(seed) if generator is None else generator
    drawn = _draws(n_masks, x.shape[2:], cells, p, generator)
    hidden, total = degraded(x, fill), 0
    with torch.no_grad(), evaluation_mode(model):
        for some in zip(*(each.split(batch_size) for each in drawn)):
            masks = _enlarged(*(each.to(x.device) for each in some), x.shape[2:], in_full(x).dtype)
            n = len(masks)
            given = torch.stack(
                [
                    scored(model(blended(x[i], hidden[i], masks.to(x))), y[i].expand(n), score)
                    for i in range(len(x))
                ]
            )
            total = total + given @ masks.flatten(1).to(given)
    return (total / (n_masks * p)).view(-1, 1, *x.shape[2:])


def random_masks(
    n: int,
    size: tuple[int, int],
    cells: int = 7,
    p: float = 0.5,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Smooth random masks (n, 1, H, W) in [0, 1], on the device of the generator.

    A grid of s x s cells, each 1 with probability p, is enlarged bilinearly to one cell more than the image
    needs, and a piece of the image's size is cut out at random, so that the cells' borders lie anywhere.

    Args:
        n: how many.
        size: (H, W) in pixels.
        cells: s.
        p: probability that a cell is 1, and so the expected value of each pixel.
        generator: None takes torch's own.
        dtype: of the masks.

    Raises:
        ValueError: a number is impossible.
    """
    return _enlarged(*_draws(n, size, cells, p, generator), size, dtype)


def _draws(
    n: int, size: tuple[int, int], cells: int, p: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """All that is random: grids (n, 1, s, s) bool, and by how many pixels each is shifted, (n, 2)."""
    if not 1 <= cells <= min(size):
        raise ValueError(
            f"cells is {cells}, possible are 1 to {min(size)} for images of {size[0]}x{size[1]}."
        )
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}, possible are probabilities above 0, up to 1.")
    device = "cpu" if generator is None else generator.device
    grids = torch.rand(n, 1, cells, cells, generator=generator, device=device) < p
    shifts = [
        torch.randint(math.ceil(side / cells), (n,), generator=generator, device=device) for side in size
    ]
    return grids, torch.stack(shifts, 1)


def _enlarged(grids: Tensor, shifts: Tensor, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    cells, device = grids.shape[-1], grids.device
    enlarged = F.interpolate(
        grids.to(dtype),
        size=[(cells + 1) * math.ceil(side / cells) for side in size],
        mode="bilinear",
        align_corners=False,
    )
    rows, columns = (
        shifts[:, axis, None] + torch.arange(side, device=device) for axis, side in enumerate(size)
    )
    which = torch.arange(len(grids), device=device)[:, None, None]
    return enlarged[which, 0, rows[:, :, None], columns[:, None, :]][:, None]
