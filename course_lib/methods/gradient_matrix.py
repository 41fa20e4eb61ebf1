"""Which loss moves which module: the gradient matrix of a net with several losses."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def gradient_matrix(
    losses: Mapping[str, Tensor], parts: Mapping[str, nn.Module]
) -> dict[tuple[str, str], float]:
    """The norm of the gradient that each loss sends to each module.

    Nothing is written into ``.grad``, and the graph is kept, so that a training step can follow.

    Args:
        losses: scalars of one forward pass, by name; one without a gradient reaches nothing.
        parts: modules that the pass went through, by name; None stands for one that the net does not have.

    Returns:
        ‖∂loss/∂parameters‖ by (loss, part); exactly 0 where the loss does not depend on the part.
    """
    present = {
        name: [p for p in part.parameters() if p.requires_grad]
        for name, part in parts.items()
        if part is not None
    }
    flat = [parameter for parameters in present.values() for parameter in parameters]
    matrix = {}
    for loss_name, loss in losses.items():
        if loss.requires_grad and flat:
            slopes = iter(torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True))
        else:
            slopes = iter([None] * len(flat))
        for part, parameters in present.items():
            squares = [g.double().square().sum() for g in (next(slopes) for _ in parameters) if g is not None]
            matrix[loss_name, part] = float(sum(squares)) ** 0.5
    return matrix
