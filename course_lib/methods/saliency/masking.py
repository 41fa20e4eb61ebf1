"""What methods that hide parts of an image share: what stands in the hidden place, and what is scored.

A mask m is 1 where the image is kept and 0 where it is hidden: m ⊙ x + (1 - m) ⊙ hidden.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.methods.saliency.capture import Score, class_score
from course_lib.methods.stability import in_full
from course_lib.training.modes import evaluation_mode

SCORES = ("probability", "logit")
DEGRADATIONS = ("blur", "mean", "zero", "noise")


def degraded(x: Tensor, how: str | float | Tensor = "blur", sigma: float = 10 / 224, seed: int = 0) -> Tensor:
    """What stands where an image is hidden: images without what the net is to find in them.

    Args:
        x: images (B, C, H, W).
        how: ``blur``; ``mean``, the image's own mean colour, a grey that does not depend on how the images
            are normalised; ``zero``, which is the mean colour of the whole set for images that are normalised
            by it, and black for others; ``noise`` around the image's mean colour with its deviation in each
            channel, the same pattern for all images of a batch; a number, or a tensor that broadcasts to x.
        sigma: of the blur, as a fraction of the longer side.
        seed: of the noise; the global random state is not touched.

    Returns:
        like x.

    Raises:
        ValueError: there is no such degradation, or the blur is no blur.
    """
    if isinstance(how, Tensor):
        return how.to(x).expand_as(x)
    if not isinstance(how, str):
        return torch.full_like(x, how)
    if how not in DEGRADATIONS:
        raise ValueError(f"The degradation is {how!r}, possible are {', '.join(DEGRADATIONS)}, or a colour.")
    if how == "blur":
        if not sigma > 0:
            raise ValueError(f"sigma is {sigma}, possible are fractions of the longer side above 0.")
        return gaussian_blur(x, sigma * max(x.shape[-2:]))
    if how == "zero":
        return torch.zeros_like(x)
    mean = x.mean((2, 3), keepdim=True)
    if how == "mean":
        return mean.expand_as(x)
    generator = torch.Generator().manual_seed(seed)
    pattern = torch.randn(x.shape[1:], generator=generator, dtype=torch.float64).to(x)
    return mean + x.std((2, 3), keepdim=True, unbiased=False) * pattern


def blended(x: Tensor, hidden: Tensor, keep: Tensor) -> Tensor:
    """m ⊙ x + (1 - m) ⊙ hidden, for a mask (B, 1, H, W) that is 1 where the image is kept."""
    return hidden + keep * (x - hidden)


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Convolution of each channel of (B, C, H, W) with a Gaussian of ``sigma`` pixels; borders are repeated.

    The kernel ends at three sigmas; with ``sigma`` 0 nothing changes.
    """
    radius = math.ceil(3 * sigma)
    if radius == 0:
        return x
    at = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = (-0.5 * (at / sigma).square()).exp()
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)
    for axis in (2, 3):
        pad = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
        weight = kernel.transpose(2, 3) if axis == 2 else kernel
        x = F.conv2d(F.pad(x, pad, mode="replicate"), weight, groups=x.shape[1])
    return x


def grid_of(size: tuple[int, int], cells: int) -> tuple[int, int]:
    """Rows and columns of a coarse mask of about square cells, ``cells`` of them along the longer side."""
    longer = max(size)
    return tuple(max(1, round(cells * side / longer)) for side in size)


def scored(outputs: Tensor, y: Tensor, score: str | Score) -> Tensor:
    """What a class gets, (B,): its softmax ``probability``, or its ``logit``, in float32 or float64.

    Fully convolutional logits (B, C, h, w) are pooled first, log Σ exp over the positions.

    Raises:
        ValueError: there is no such score, or a class does not exist.
    """
    if callable(score):
        return score(outputs, y)
    if score not in SCORES:
        raise ValueError(f"score is {score!r}, possible are {', '.join(SCORES)}, or a function.")
    chosen = class_score(in_full(outputs), y)
    if score == "logit":
        return chosen
    pooled = in_full(outputs) if outputs.ndim == 2 else in_full(outputs).flatten(2).logsumexp(2)
    return (chosen - pooled.logsumexp(1)).exp()


@contextmanager
def with_constant_weights(model: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """The model as a function of its input alone, in evaluation mode, with gradients enabled.

    Its parameters are out of the graph, so that a backward pass computes nothing for them.
    """
    with torch.inference_mode(False), torch.enable_grad(), evaluation_mode(model):
        constants = {name: parameter.detach() for name, parameter in model.named_parameters()}
        yield lambda x: torch.func.functional_call(model, constants, (x,))
