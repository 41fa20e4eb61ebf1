"""Virtual adversarial training: stability in the direction in which the prediction changes most.

Miyato et al. 2018 (the thesis names the first version in §2.2.4.3). Symbols: ``p`` the prediction p(y|x), a
constant; ``q`` the prediction p(y|x + r); ``r`` a change of the image of length ``eps``. No label takes part.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_lib.methods.stability import in_full, without_trace


def vat_loss(
    model: nn.Module | Callable[[Tensor], Tensor],
    x: Tensor,
    xi: float = 1e-2,
    eps: float = 1.0,
    iterations: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean over the batch of KL(p(y|x) ‖ p(y|x + r)), r the virtual adversarial change (Miyato et al. 2018).

    The gradient reaches the parameters through the changed images alone: p and r are constants. The model
    keeps its mode; its buffers, such as the running statistics of batch norm, and the gradients of its
    parameters are afterwards as before. A model that drops units does so anew in each of its
    ``iterations + 2`` passes, which adds to the divergence. Autocast is off inside: two predictions that
    hardly differ are compared.

    Args:
        model: maps images to logits (B, C). Where it is a function and no module, nobody looks after buffers.
        x: (B, ...) of floating type.
        xi: length of the step along which the direction is looked for, over all numbers of an image. Miyato
            et al. take 1e-6, which for an image in float32 is lost in its rounding: what comes out is then
            hardly better than a random direction.
        eps: length of the change, the Euclidean norm over all numbers of one image. How much is right depends
            on the size and the normalisation of the images.
        iterations: steps of the power iteration; with 0 the direction is random.
        generator: of the first direction, on the device of x; None takes torch's own.

    Returns:
        a scalar, in float32, or float64 for float64 logits.

    Raises:
        TypeError: x is not of floating type.
        ValueError: the logits are no (B, C), the batch is empty, or a number has an impossible value.
    """
    if not eps >= 0:
        raise ValueError(f"eps is {eps}, possible are lengths from 0.")
    with torch.autocast(x.device.type, enabled=False):
        logits = _logits_of(model)
        p, r = _prediction_and_direction(logits, x, xi, iterations, generator)
        return _divergence(p, logits(x + eps * r)).mean()


def virtual_adversarial_direction(
    model: nn.Module | Callable[[Tensor], Tensor],
    x: Tensor,
    xi: float = 1e-2,
    iterations: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The direction for each image of x in which a small step changes the prediction most, approximately.

    For a small step r the divergence is rᵀHr / 2, and its gradient at ``xi d`` is ``xi H d``: normalised,
    that is a step of the power iteration for the dominant eigenvector of H (Miyato et al. 2018).

    Args:
        model, x, xi, iterations, generator: as in `vat_loss`.

    Returns:
        like x, each image of length 1, without gradient; zeros where the prediction does not depend on the
        image at all. Its sign is arbitrary.
    """
    with torch.autocast(x.device.type, enabled=False):
        return _prediction_and_direction(_logits_of(model), x, xi, iterations, generator)[1]


def _logits_of(model: nn.Module | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return (lambda x: without_trace(model, x)) if isinstance(model, nn.Module) else model


def _prediction_and_direction(
    logits: Callable[[Tensor], Tensor],
    x: Tensor,
    xi: float,
    iterations: int,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Logarithms of p (B, C), and unit directions like x; both constants."""
    if not x.is_floating_point():
        raise TypeError(f"x has type {x.dtype}, needed is a floating type.")
    if not xi > 0:
        raise ValueError(f"xi is {xi}, possible are lengths above 0.")
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}, possible are whole numbers from 0.")
    with torch.no_grad():
        found = logits(x)
    if found.ndim != 2 or len(found) != len(x) or found.numel() == 0:
        raise ValueError(f"The logits have shape {tuple(found.shape)}, needed is (B, C) for B samples.")
    p = in_full(found).log_softmax(1)
    d = _of_length_one(torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype))
    for _ in range(iterations):
        d.requires_grad_()
        with torch.enable_grad():
            total = _divergence(p, logits(x + xi * d)).sum()
        d = _of_length_one(torch.autograd.grad(total, d)[0])
    return p, d


def _divergence(p: Tensor, logits: Tensor) -> Tensor:
    """KL(p ‖ q) of each sample, from logarithms of p and logits of q, both (B, C)."""
    return (p.exp() * (p - in_full(logits).log_softmax(1))).sum(1)


def _of_length_one(d: Tensor) -> Tensor:
    """Each of (B, ...) divided by its Euclidean norm, however small that is; zeros stay."""
    return nn.functional.normalize(d.flatten(1), eps=torch.finfo(d.dtype).tiny).reshape(d.shape)
