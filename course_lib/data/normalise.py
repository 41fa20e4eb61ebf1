"""``Normalise``: pixels from 0 to 255 to (pixel / 255 - mean) / std, channel by channel."""

from collections.abc import Sequence

import torch
from torch import Tensor

TOP = 255.0  # the largest pixel value

PerChannel = float | Sequence[float] | Tensor


class Normalise:
    """The affine map of each channel, worked out once.

    Attributes:
        mean, std: (C,) of `dtype`, for pixels in [0, 1].
        dtype: what it computes in: float32, or float64 where that is asked for. (A bfloat16 cannot tell
            neighbouring pixel values apart, so one rounds to it afterwards.)

    Raises:
        ValueError: mean or std does not fit the channels, or std is not above 0.
    """

    def __init__(
        self, mean: PerChannel, std: PerChannel, channels: int, dtype: torch.dtype, device: torch.device
    ):
        self.dtype = torch.promote_types(dtype, torch.float32)
        self.mean = _per_channel("mean", mean, channels).to(device, self.dtype)
        self.std = _per_channel("std", std, channels).to(device, self.dtype)
        if not (self.std > 0).all():
            raise ValueError(f"std is {self.std.tolist()}, possible are numbers above 0.")
        scale, shift = 1 / (TOP * self.std.double()), -self.mean.double() / self.std.double()
        self._scale, self._shift = (values.to(self.dtype).view(-1, 1, 1) for values in (scale, shift))

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise images (B, C, H, W) of `dtype` **in place**, which saves a pass over new memory."""
        return x.mul_(self._scale).add_(self._shift)


def _per_channel(name: str, values: PerChannel, channels: int) -> Tensor:
    values = torch.as_tensor(values, dtype=torch.float64)
    if values.shape not in ((), (1,), (channels,)):
        shape = tuple(values.shape)
        raise ValueError(f"{name} must be one number or one for each of {channels} channels, given {shape}.")
    return values.expand(channels)
