"""Who redraws the image? Partial errors, and the share of each branch in the reconstruction."""

from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.methods.hybrid_losses import per_sample


class BranchReport(NamedTuple):
    """Sample by sample, (B,) each; squares are means over the pixels.

    Attributes:
        error_c, error_u: ‖x̂_c - x‖² and ‖x̂_u - x‖².
        error: ‖x̂_c + x̂_u - x‖².
        inner: ⟨x̂_c, x̂_u⟩, negative where one branch takes back what the other draws.
        share_c, share_u: ⟨x̂_b, x̂⟩ / ‖x̂‖², which add up to 1; both ½ where x̂ is 0.
    """

    error_c: Tensor
    error_u: Tensor
    error: Tensor
    inner: Tensor
    share_c: Tensor
    share_u: Tensor


@torch.no_grad()
def branch_report(x: Tensor, x_c: Tensor, x_u: Tensor) -> BranchReport:
    """What each branch contributes to the reconstruction of each image.

    The errors obey ‖x - x̂‖² = ‖x - x̂_c‖² + ‖x - x̂_u‖² - ‖x‖² + 2 ⟨x̂_c, x̂_u⟩.

    Args:
        x: the images, (B, C, H, W).
        x_c, x_u: the partial reconstructions, of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if not x.shape == x_c.shape == x_u.shape:
        raise ValueError(
            f"x, x_c and x_u have shapes {tuple(x.shape)}, {tuple(x_c.shape)} and {tuple(x_u.shape)}, "
            "which must be the same."
        )
    x, x_c, x_u = (t if t.element_size() == 8 else t.float() for t in (x, x_c, x_u))
    x_hat = x_c + x_u
    energy = per_sample(x_hat, "mean")
    share = (x_c * x_hat).flatten(1).mean(1) / torch.where(energy > 0, energy, 1)
    share = torch.where(energy > 0, share, 0.5)
    return BranchReport(
        per_sample(x_c - x, "mean"),
        per_sample(x_u - x, "mean"),
        per_sample(x_hat - x, "mean"),
        (x_c * x_u).flatten(1).mean(1),
        share,
        1 - share,
    )
