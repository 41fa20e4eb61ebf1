"""Meaningful perturbation: the smallest smooth blur that hides a class (Fong & Vedaldi 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.methods.saliency.capture import Score, checked
from course_lib.methods.saliency.masking import (
    blended,
    degraded,
    gaussian_blur,
    grid_of,
    scored,
    with_constant_weights,
)


def meaningful_perturbation(
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    *,
    l1: float = 1e-4,
    tv: float = 1e-2,
    tv_power: float = 3.0,
    iterations: int = 300,
    lr: float = 0.1,
    cells: int = 28,
    start: float = 0.5,
    smooth: float = 5 / 224,
    degradation: str | float | Tensor = "blur",
    sigma: float = 10 / 224,
    jitter: int = 0,
    score: str | Score = "probability",
    seed: int = 0,
    batch_size: int = 64,
) -> Tensor:
    """1 - m, of the mask m that wins the deletion game: hide little, in one piece, so that the score falls.

    Minimised over coarse masks m in [0, 1], 1 where the image is kept, is
    ``l1 ‖1 - m‖₁ + tv Σ_u ‖∇m(u)‖^tv_power + score(x behind m)``, by Adam, with m clipped after each step.
    The mask is enlarged bilinearly and smoothed before it is laid over the image. Each iteration costs a
    forward and a backward pass. The numbers are the source's for 224x224 pixels; lengths are fractions of
    the longer side, so that the same numbers serve smaller images.

    Known fault: in half precision the mask has no room for its steps; give float32.

    The source starts from a disc in the middle that is just large enough; here the whole image is hidden by
    half. A mask of ones is no start: where a net is certain, the probability has no gradient.

    Args:
        model: maps images to logits. It is in evaluation mode meanwhile, and afterwards as found.
        x: images (B, C, H, W), normalised as the model wants them.
        y: (B,) int64, the class that is to be explained for each image; a number means this class for all.
        l1: weight of the hidden area, a sum over the coarse mask's cells.
        tv: weight of the total variation of the coarse mask, a sum as well.
        tv_power: its exponent, from 2, where it has a gradient everywhere.
        iterations: steps of Adam.
        lr: their length.
        cells: cells of the coarse mask along the longer side; at most one a pixel.
        start: what all cells are at first.
        smooth: standard deviation of the smoothing of the enlarged mask; 0 leaves it out.
        degradation: what stands where the mask is 0, see `degraded`.
        sigma: of the blur.
        jitter: the image is shifted under its mask by up to so many pixels, anew in each step, so that the
            mask cannot rely on single pixels; the source takes 4 at 224x224.
        score: the softmax "probability", as in the source, or the "logit"; or a function of outputs and y.
        seed: of the jitter, the same shifts for all images; the global random state is not touched.
        batch_size: images in one pass.

    Returns:
        (B, 1, H, W) in [0, 1]; larger is more important.

    Raises:
        ValueError: x, y or a number is impossible.
    """
    x, y = checked(x, y)
    _check(l1, tv, tv_power, iterations, start, cells, smooth, jitter)
    generator = torch.Generator().manual_seed(seed)
    shifts = torch.randint(-jitter, jitter + 1, (iterations, 2), generator=generator).tolist()
    size = x.shape[2:]
    grid = grid_of(size, min(cells, max(size)))

    def enlarged(coarse: Tensor) -> Tensor:
        mask = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        return gaussian_blur(mask, smooth * max(size))

    found = []
    with with_constant_weights(model) as net:
        for images, classes in zip(x.detach().clone().split(batch_size), y.split(batch_size)):
            hidden = degraded(images, degradation, sigma, seed)
            coarse = images.new_full((len(images), 1, *grid), start).requires_grad_()
            optimizer = torch.optim.Adam([coarse], lr)
            for shift in shifts:
                behind = blended(_moved(images, shift), _moved(hidden, shift), enlarged(coarse))
                loss = (
                    scored(net(behind), classes, score).sum()
                    + l1 * (1 - coarse).abs().sum()
                    + tv * total_variation(coarse, tv_power).sum()
                )
                (coarse.grad,) = torch.autograd.grad(loss, coarse)
                optimizer.step()
                with torch.no_grad():
                    coarse.clamp_(0, 1)
            found.append(1 - enlarged(coarse.detach()))
    return torch.cat(found)


def total_variation(mask: Tensor, power: float = 3.0) -> Tensor:
    """Σ_u ‖∇m(u)‖^power of each mask: (B, 1, h, w) to (B,).

    The gradient is that of forward differences; beyond the border the mask goes on as it is.
    """
    down = F.pad(mask[:, :, 1:] - mask[:, :, :-1], (0, 0, 0, 1))
    right = F.pad(mask[..., 1:] - mask[..., :-1], (0, 1))
    return (down.square() + right.square()).pow(power / 2).flatten(1).sum(1)


def _moved(images: Tensor, shift: list[int]) -> Tensor:
    """Images shifted by so many rows and columns; what leaves on one side enters on the other."""
    return images if shift == [0, 0] else images.roll(shift, (2, 3))


def _check(
    l1: float,
    tv: float,
    tv_power: float,
    iterations: int,
    start: float,
    cells: int,
    smooth: float,
    jitter: int,
) -> None:
    for name, value in (("l1", l1), ("tv", tv), ("smooth", smooth), ("jitter", jitter)):
        if not value >= 0:
            raise ValueError(f"{name} is {value}, possible are numbers from 0.")
    for name, value in (("iterations", iterations), ("cells", cells)):
        if value < 1:
            raise ValueError(f"{name} is {value}, possible are whole numbers from 1.")
    if not tv_power >= 2:
        raise ValueError(
            f"tv_power is {tv_power}, possible are numbers from 2: below, flat masks have no gradient."
        )
    if not 0 <= start <= 1:
        raise ValueError(f"start is {start}, possible are numbers from 0 to 1.")
