"""The terms of HybridNet's loss (Robert 2019, Eq. 3.8 to 3.12); the stability term is in ``stability``.

Formulas and released code disagree about sums and means. As printed, a squared norm is a sum, over pixels or
over classes, and that is the default here; ``Convention`` names the alternatives.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

REDUCTIONS = ("sum", "mean")


class Convention(NamedTuple):
    """What the formulas leave open, or the released code does otherwise.

    Attributes:
        pixels: a squared norm of pictures or features is a ``sum`` over them, or their ``mean``.
        classes: the same for the squared difference of two predictions.
        labelled_over: the cross-entropy is divided by the ``labelled`` images, or by the whole ``batch``.
        detach_taps: whether intermediate targets are constants: then features cannot shrink to be matched.
    """

    pixels: str = "sum"
    classes: str = "sum"
    labelled_over: str = "labelled"
    detach_taps: bool = False


TEXT = Convention()  # the equations, letter by letter
CODE = Convention("mean", "mean", "batch", detach_taps=True)  # what the authors' program computes
COURSE = Convention("mean", "mean", "labelled", detach_taps=True)  # what the weights of Appendix B fit


def classification_loss(logits: Tensor, y: Tensor, over: str = "labelled") -> Tensor:
    """Cross-entropy of the labelled samples (Eq. 3.9); 0 with its gradient where no sample has a label.

    Computed in float32, or float64 for float64 input.

    Args:
        logits: (B, num_classes).
        y: (B,) int64; -1 marks a sample without a label.
        over: divide by the number of ``labelled`` samples, as Eq. 3.9 does, or of the ``batch``.

    Raises:
        ValueError: ``over`` is neither.
    """
    if over not in ("labelled", "batch"):
        raise ValueError(f"over is {over!r}, possible are labelled, batch.")
    logits = logits if logits.element_size() == 8 else logits.float()
    total = F.cross_entropy(logits, y, ignore_index=-1, reduction="sum")
    n = (y >= 0).sum().clamp(min=1) if over == "labelled" else len(y)
    return total / n


def reconstruction_loss(x: Tensor, x_hat: Tensor, pixels: str = "sum") -> Tensor:
    """Squared error of a reconstruction, mean over the samples (Eq. 3.10).

    Args:
        x: what should be redrawn, (B, ...); it gets no gradient from here only if it needs none.
        x_hat: (B, ...), of the same shape.
        pixels: ``sum`` over the pixels, as Eq. 3.10 does, or their ``mean``.

    Raises:
        ValueError: the shapes differ, or ``pixels`` is neither.
    """
    _check_alike(x=x, x_hat=x_hat)
    return per_sample(x_hat - x, pixels).mean()


def balanced_reconstruction_loss(x: Tensor, x_c: Tensor, x_u: Tensor, pixels: str = "sum") -> Tensor:
    """The same value, with the gradient of each sample for the branch that is worse on it (Eq. 3.12).

    The partial errors ‖x̂_c - x‖² and ‖x̂_u - x‖² decide; where they are equal, x̂_u gets the gradient.

    Args:
        x: the images, (B, C, H, W).
        x_c, x_u: the partial reconstructions, (B, C, H, W).
        pixels: ``sum`` over the pixels or their ``mean``; it does not change who gets the gradient.

    Raises:
        ValueError: the shapes differ, or ``pixels`` is neither.
    """
    _check_alike(x=x, x_c=x_c, x_u=x_u)
    with torch.no_grad():
        u_is_worse = per_sample(x_u - x, pixels) >= per_sample(x_c - x, pixels)  # (B,)
        u_is_worse = u_is_worse.view(-1, *[1] * (x.ndim - 1))
    x_u = torch.where(u_is_worse, x_u, x_u.detach())
    x_c = torch.where(u_is_worse, x_c.detach(), x_c)
    return reconstruction_loss(x, x_c + x_u, pixels)


def intermediate_loss(
    pairs: Sequence[tuple[Tensor, Tensor]], detach: bool = False, pixels: str = "sum"
) -> Tensor:
    """Squared errors of redrawn activations, mean over the samples, summed over the pairs (Eq. 3.11).

    Args:
        pairs: (h, ĥ), activations of an encoder and what its decoder makes in the same place, (B, ...) each.
        detach: whether h is a constant here; the encoder then learns through ĥ alone.
        pixels: ``sum`` over the features, as Eq. 3.11 does, or their ``mean``.

    Raises:
        ValueError: there is no pair, or the shapes in one differ.
    """
    if not pairs:
        raise ValueError("pairs are empty: this net has no intermediate reconstruction.")
    return sum(reconstruction_loss(h.detach() if detach else h, made, pixels) for h, made in pairs)


def per_sample(error: Tensor, pixels: str = "sum") -> Tensor:
    """‖error‖² of each sample: (B, ...) to (B,), as ``sum`` or ``mean`` over all but the first axis.

    Computed in float32, or float64 for float64 input.

    Raises:
        ValueError: ``pixels`` is neither.
    """
    if pixels not in REDUCTIONS:
        raise ValueError(f"pixels is {pixels!r}, possible are {', '.join(REDUCTIONS)}.")
    error = error if error.element_size() == 8 else error.float()
    squares = error.square().flatten(1)
    return squares.sum(1) if pixels == "sum" else squares.mean(1)


def _check_alike(**tensors: Tensor) -> None:
    """Refuse tensors of different shapes, which would be stretched to one another.

    Raises:
        ValueError: they differ.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"{', '.join(shapes)} have the shapes {', '.join(map(str, shapes.values()))}, "
            "which must be the same."
        )
