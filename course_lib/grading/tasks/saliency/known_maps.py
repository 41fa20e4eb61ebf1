"""The network and the saliency method that the check of saliency.class_sensitivity hands over.

Both know the images of a case by heart and look up what they answer, so that every correlation is known.
"""

import torch
from torch import Tensor, nn


class KnownNet(nn.Module):
    """Looks the logits of an image up.

    Args:
        x: the images, (N, C, H, W), no two alike.
        logits: (N, K).
    """

    def __init__(self, x: Tensor, logits: Tensor):
        super().__init__()
        self.x, self.logits = x.clone(), logits.clone()

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[self.numbers_of(x)]

    def numbers_of(self, x: Tensor) -> Tensor:
        """Which of the images these are, (B,)."""
        if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[1:] != self.x.shape[1:]:
            given = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
            raise ValueError(f"images are a tensor (B, {', '.join(map(str, self.x.shape[1:]))}), not {given}")
        same = (x.flatten(1)[:, None] == self.x.flatten(1)).all(2)
        if not same.any(1).all():
            raise ValueError("this is none of the images in x")
        return same.int().argmax(1)


class KnownMethod:
    """Looks the map of an image and a class up.

    Args:
        model: the network that it explains.
        maps: (N, K, h, w), of each image for each class.
    """

    def __init__(self, model: KnownNet, maps: Tensor):
        self.model, self.maps = model, maps.clone()

    def __call__(self, model: KnownNet, x: Tensor, y: Tensor) -> Tensor:
        if model is not self.model:
            raise ValueError(f"fn is called as fn(model, x, y), but its model is a {type(model).__name__}")
        numbers = self.model.numbers_of(x)
        if not isinstance(y, Tensor) or y.shape != numbers.shape or y.is_floating_point() or y.is_complex():
            given = (
                f"{y.dtype} of shape {tuple(y.shape)}" if isinstance(y, Tensor) else f"a {type(y).__name__}"
            )
            raise ValueError(
                f"y is a tensor of {len(numbers)} whole numbers, a class for each image, not {given}"
            )
        return self.maps[numbers, y.to(torch.int64)][:, None].clone()
