"""What all nets of the course have in common: a body that makes features, and a linear head on them."""

from collections.abc import Sequence
from numbers import Integral

from torch import Tensor, nn


class Backbone(nn.Module):
    """A classifier in two parts, ``head(body(x))``.

    A subclass sets ``body`` (images to features) and ``head`` (the last ``nn.Linear``).
    Each ReLU in the body is a module of its own, never in place, and ``model.modules()`` meets the ReLUs in
    the order of the forward pass: a method can hook the tensor that enters each of them.

    Args:
        in_shape: (channels, height, width) of one image.
        num_classes: number of logits.

    Raises:
        ValueError: the shape is not three whole numbers from 1, or smaller than this net can take.
    """

    body: nn.Module
    head: nn.Linear
    smallest = 1  # least height and width that the pooling leaves something of
    any_size = False  # whether a net built for one height and width also takes others

    def __init__(self, in_shape: Sequence[int], num_classes: int):
        super().__init__()
        self.in_shape = tuple(in_shape)
        at_least_one("num_classes", num_classes)
        if len(self.in_shape) != 3 or any(not isinstance(n, Integral) or n < 1 for n in self.in_shape):
            raise ValueError(
                f"in_shape is {in_shape}, needed are (channels, height, width), whole numbers from 1."
            )
        if min(self.in_shape[1:]) < self.smallest:
            raise ValueError(
                f"in_shape is {self.in_shape}, but {type(self).__name__} needs images of at least "
                f"{self.smallest}x{self.smallest}."
            )

    def features(self, x: Tensor) -> Tensor:
        """The input of ``head``.

        Args:
            x: images (B, C, H, W) of the shape that the net was built for.

        Returns:
            features (B, D), with D = ``head.in_features``.
        """
        fits = x.ndim == 4 and (
            x.shape[1] == self.in_shape[0] if self.any_size else tuple(x.shape[1:]) == self.in_shape
        )
        if not fits:
            wanted = ", ".join(map(str, (self.in_shape[0], "H", "W") if self.any_size else self.in_shape))
            raise ValueError(f"x has shape {tuple(x.shape)}, this {type(self).__name__} takes (B, {wanted}).")
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        return self.head(self.features(x))


def at_least_one(name: str, value: int) -> None:
    """Refuse a count that is no whole number from 1."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}, possible are whole numbers from 1.")
