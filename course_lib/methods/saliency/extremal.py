"""Extremal perturbation: the smooth mask of a given area that changes a score most (Fong et al. 2019).

Meaningful perturbation weighs the area against the score, and the result depends on the weight. Here the
area is given, and the score is all that is left to be optimised.
"""

from collections.abc import Sequence

import torch
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

VARIANTS = ("preserve", "delete", "dual")
POINTING_AREAS = (0.025, 0.05, 0.1, 0.2)  # whose masks the source adds up for the pointing game
FLOOR = 0.05  # the smallest value of a cell: the power mean has no gradient at 0


def extremal_perturbation(
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    area: float | Sequence[float] = 0.1,
    *,
    variant: str = "preserve",
    iterations: int = 800,
    lr: float = 0.01,
    momentum: float = 0.9,
    weight: float = 300.0,
    growth: float = 1.0035,
    cells: int = 32,
    reach: float = 21 / 224,
    sharpness: float = 20.0,
    degradation: str | float | Tensor = "blur",
    sigma: float = 20 / 224,
    smooth: float | None = None,
    score: str | Score = "logit",
    batch_size: int = 64,
) -> Tensor:
    """The smooth mask m of a given area behind which a score is largest, or which hides it best.

    Maximised is ``score - λ R(m)``, by gradient ascent with momentum. R compares the sorted values of m with
    those of a binary mask of the wanted area, the mean of (sorted m - (0, …, 0, 1, …, 1))², so that it asks
    for the area and for a mask of zeros and ones at once; λ grows in each iteration. The first step follows
    the score alone: as long as all values are equal, to sort them means nothing.

    Three things are simpler than in the source. Its smooth maximum is a power mean here, see `smooth_mask`.
    It blurs a pixel more the smaller m is; here the image and one blurred version of it are blended. And its
    default numbers belong to 224x224 pixels: lengths are fractions of the longer side here.
    The authors' code also begins with a mask of ones (here all cells are 0.5), mirrors the image in every
    second iteration (not here), and damps the momentum, so that its steps are a tenth as long for the same
    ``lr``.

    Known fault: in half precision the mask has no room for its steps; give float32.

    Each iteration costs a forward and a backward pass for each image and area, two for "dual".

    Args:
        model: maps images to logits. It is in evaluation mode meanwhile, and afterwards as found.
        x: images (B, C, H, W), normalised as the model wants them.
        y: (B,) int64, the class that is to be explained for each image; a number means this class for all.
        area: the mask's share of the image, above 0 and below 1; or several, whose masks are added up, as
            the source does for the pointing game with 0.025, 0.05, 0.1 and 0.2 (``POINTING_AREAS``); its code
            has 0.018, 0.025, 0.05 and 0.1 for COCO.
        variant: "preserve" shows only what m marks and maximises the score; "delete" hides what m marks and
            minimises it; "dual" maximises the difference.
        iterations, lr, momentum: of the ascent.
        weight, growth: λ at first, and the factor by which it grows in each iteration.
        cells: cells of the coarse mask along the longer side; at most one a pixel.
        reach: standard deviation of the bump that one cell makes.
        sharpness: exponent of the power mean: 1 is Gaussian smoothing, large is the maximum.
        degradation: what stands where the image is hidden, see `degraded`.
        sigma: of the blur.
        smooth: standard deviation of a final smoothing of the map, as a fraction of the shorter side. None
            is 0.09 for several areas, as in the source's pointing game, where the sum of masks would have a
            plateau of largest values; and 0 for one, so that the mask itself comes out.
        score: the "logit" or the softmax "probability"; or a function of outputs and y.
        batch_size: masks in one pass.

    Returns:
        (B, 1, H, W); larger is more important; from 0 to the number of areas.

    Raises:
        ValueError: x, y, the variant or a number is impossible.
    """
    x, y = checked(x, y)
    areas = [area] if isinstance(area, float | int) else [float(a) for a in area]
    _check(areas, variant, iterations, weight, growth, cells, reach, sharpness)
    smooth = (0.09 if len(areas) > 1 else 0.0) if smooth is None else smooth
    size, n = x.shape[2:], len(areas)
    grid = grid_of(size, min(cells, max(size)))
    found = []
    with with_constant_weights(model) as net:
        x = x.detach().clone()
        hidden = degraded(x, degradation, sigma)
        bumps = [_bumps(*sides, reach * max(size), sharpness).to(x) for sides in zip(size, grid)]
        jobs = torch.arange(len(x) * n, device=x.device)  # every image with every area
        for some in jobs.split(batch_size):
            images, behind, classes = x[some // n], hidden[some // n], y[some // n]
            wanted = _templates([areas[job % n] for job in some.tolist()], x[:1, 0].numel()).to(x)
            coarse = x.new_full((len(some), 1, *grid), 0.5).requires_grad_()
            optimizer = torch.optim.SGD([coarse], lr, momentum, maximize=True)
            for iteration in range(iterations):
                mask = _enlarged(coarse, *bumps, sharpness)
                energy = _reward(net, images, behind, mask, classes, variant, score).sum()
                if iteration > 0:
                    energy = energy - weight * growth**iteration * area_penalty(mask, wanted).sum()
                (coarse.grad,) = torch.autograd.grad(energy, coarse)
                optimizer.step()
                with torch.no_grad():
                    coarse.clamp_(FLOOR, 1)
            found.append(_enlarged(coarse.detach(), *bumps, sharpness).clamp(0, 1))
    maps = torch.cat(found).view(len(x), n, *size).sum(1, keepdim=True)
    return gaussian_blur(maps, smooth * min(size))


def smooth_mask(coarse: Tensor, size: tuple[int, int], reach: float, sharpness: float = 20.0) -> Tensor:
    """A mask in which every cell makes a Gaussian bump, and where bumps meet, the higher one counts.

    m(u) = (Σ_v w_uv c_v^s)^(1/s), with w_uv proportional to k(u - v)^s, k the Gaussian of standard deviation
    ``reach``, and Σ_v w_uv = 1. For large s that is max_v k(u - v) c_v, up to a factor near 1: unlike a
    convolution, it reaches 1 wherever a cell does. As k is a product, one axis is done after the other.

    Args:
        coarse: (B, 1, h, w), values from ``FLOOR`` to 1, which become 0 to 1.
        size: (H, W) of the mask, in pixels.
        reach: in pixels.
        sharpness: s, from 1.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    bumps = [_bumps(*sides, reach, sharpness).to(coarse) for sides in zip(size, coarse.shape[2:])]
    return _enlarged(coarse, *bumps, sharpness).clamp(0, 1)


def _enlarged(coarse: Tensor, rows: Tensor, columns: Tensor, sharpness: float) -> Tensor:
    """Without clamping: a value that is rounded to more than 1 would have no gradient."""
    return ((rows @ coarse.pow(sharpness) @ columns.T).pow(1 / sharpness) - FLOOR) / (1 - FLOOR)


def area_penalty(mask: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of the sorted mask from a binary one: (B, 1, H, W) and (B, HW) to (B,)."""
    return (mask.flatten(1).sort(1).values - wanted).square().mean(1)


def _templates(areas: Sequence[float], pixels: int) -> Tensor:
    """(B, HW): zeros, then as many ones as the area has pixels."""
    ones = torch.tensor([[max(1, round(area * pixels))] for area in areas])
    return (torch.arange(pixels) >= pixels - ones).double()


def _bumps(side: int, cells: int, reach: float, sharpness: float) -> Tensor:
    """(side, cells): what each cell counts for each pixel, along one axis; each row adds up to 1."""
    pixels = torch.arange(side, dtype=torch.float64) + 0.5
    centres = (torch.arange(cells, dtype=torch.float64) + 0.5) * side / cells
    return (-0.5 * sharpness * ((pixels[:, None] - centres) / reach).square()).softmax(1)


def _reward(
    net: nn.Module, x: Tensor, hidden: Tensor, mask: Tensor, y: Tensor, variant: str, score: str | Score
) -> Tensor:
    """What the mask is to make large, (B,)."""
    total = 0
    if variant != "delete":
        total = total + scored(net(blended(x, hidden, mask)), y, score)
    if variant != "preserve":
        total = total - scored(net(blended(x, hidden, 1 - mask)), y, score)
    return total


def _check(
    areas: Sequence[float],
    variant: str,
    iterations: int,
    weight: float,
    growth: float,
    cells: int,
    reach: float,
    sharpness: float,
) -> None:
    if not areas or not all(0 < area < 1 for area in areas):
        raise ValueError(f"area is {areas}, possible are shares of the image above 0 and below 1.")
    if variant not in VARIANTS:
        raise ValueError(f"variant is {variant!r}, possible are {', '.join(VARIANTS)}.")
    for name, value in (("iterations", iterations), ("cells", cells)):
        if value < 1:
            raise ValueError(f"{name} is {value}, possible are whole numbers from 1.")
    for name, value in (("weight", weight), ("growth", growth), ("reach", reach)):
        if not value > 0:
            raise ValueError(f"{name} is {value}, possible are numbers above 0.")
    if not sharpness >= 1:
        raise ValueError(f"sharpness is {sharpness}, possible are numbers from 1.")
