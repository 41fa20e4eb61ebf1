"""Early fusion: how two latents become one before a single decoder draws (Robert 2019, Eq. 3.4)."""

import torch
from torch import Tensor, nn

MERGES = ("add", "cat", "mul", "bilinear")


class Merge(nn.Module):
    """``merge(h_c, h_u)`` by addition, concatenation, element-wise product, or a bilinear map.

    Concatenation is followed by a 1x1 convolution and the bilinear map is taken at each place, so that the
    result has the shape of one latent, whichever way is chosen.

    Args:
        how: ``add``, ``cat``, ``mul`` or ``bilinear``.
        maps: channels of each latent.

    Raises:
        ValueError: there is no such way.
    """

    def __init__(self, how: str, maps: int):
        super().__init__()
        if how not in MERGES:
            raise ValueError(f"how is {how!r}, possible are {', '.join(MERGES)}.")
        self.how = how
        self.map: nn.Module | None = None
        if how == "cat":
            self.map = nn.Conv2d(2 * maps, maps, 1)
        elif how == "bilinear":
            self.map = nn.Bilinear(maps, maps, maps)

    def forward(self, h_c: Tensor, h_u: Tensor) -> Tensor:
        """Two latents (B, C, h, w) to one of the same shape."""
        if self.how == "add":
            return h_c + h_u
        if self.how == "mul":
            return h_c * h_u
        if self.how == "cat":
            return self.map(torch.cat((h_c, h_u), 1))
        return self.map(h_c.movedim(1, 3).contiguous(), h_u.movedim(1, 3).contiguous()).movedim(3, 1)

    def silent(self, h: Tensor) -> Tensor:
        """A latent that says nothing: zeros, or ones where latents are multiplied."""
        return torch.ones_like(h) if self.how in ("mul", "bilinear") else torch.zeros_like(h)
