"""The Jacobian penalty: how much the logits move when the image does (Robert 2019, §2.2.3).

Rifai et al. 2011 penalise the Jacobian of a code, Sokolić et al. 2017 that of a classifier. It is small where
the answer stays when any pixel changes a little, whatever changes.
"""

import torch
from torch import Tensor, nn

from course_lib.training.modes import evaluation_mode


def jacobian_penalty(
    model: nn.Module,
    x: Tensor,
    *,
    projections: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean over samples of ‖J(x)‖²_F, the squares of all ∂logit/∂input, added up.

    The model runs in evaluation mode, in which a sample's logits depend on this sample alone, and is as
    before afterwards. With gradients enabled the result has a graph to the parameters (and to x where it
    requires a gradient), so that it can be trained on.

    Args:
        model: maps x to logits (B, C), each sample on its own.
        x: (B, ...) of floating type.
        projections: None (default) is exact and takes a backward pass for each of the C logits. A number
            takes so many passes, each along one random direction of the logits, drawn for each sample, and
            scaled to be right on average (Hoffman et al. 2019).
        generator: of the random directions, on the device of the logits; None takes torch's own.

    Returns:
        a scalar, in float32, or float64 for float64 input.

    Raises:
        TypeError: x is not of floating type.
        ValueError: the logits are no (B, C) with at least one sample, or projections is below 1.
    """
    if not x.is_floating_point():
        raise TypeError(f"x has type {x.dtype}, needed is a floating type.")
    if projections is not None and projections < 1:
        raise ValueError(f"projections is {projections}, possible are whole numbers from 1, or None.")
    trained = torch.is_grad_enabled()
    with torch.enable_grad(), evaluation_mode(model):
        x = x if x.requires_grad else x.detach().requires_grad_()
        logits = model(x)
        if logits.ndim != 2 or len(logits) != len(x) or logits.numel() == 0:
            raise ValueError(f"The logits have shape {tuple(logits.shape)}, needed is (B, C) for B samples.")
        squares = []
        for direction in _directions(logits, projections, generator):
            (row,) = torch.autograd.grad(logits, x, direction, create_graph=trained, retain_graph=True)
            squares.append((row if row.dtype == torch.float64 else row.float()).square().sum())
    return sum(squares) / len(x)


def _directions(logits: Tensor, projections: int | None, generator: torch.Generator | None):
    """Directions (B, C), over which the squares of the projected Jacobians add up to all of it.

    On the sphere each coordinate of a unit vector has a mean square of 1 / C, and two have no correlation.
    """
    classes = logits.shape[1]
    if projections is None:
        for c in range(classes):
            direction = torch.zeros_like(logits)
            direction[:, c] = 1
            yield direction
        return
    for _ in range(projections):
        noise = torch.randn(logits.shape, generator=generator, device=logits.device)
        yield (nn.functional.normalize(noise, dim=1) * (classes / projections) ** 0.5).to(logits)
