"""Changing colours: brightness, contrast and saturation, each with its own factor for every image.

The definitions are those of torchvision's ColorJitter: mix the image with black, with its mean grey, or with
its grey version, and cut off what leaves the range. A factor of 1 changes nothing, 0 leaves only the other.
"""

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # how bright red, green and blue look (ITU-R BT.601)


def grey(x: Tensor) -> Tensor:
    """The luminance (B, 1, H, W) of images (B, C, H, W) with three channels or one."""
    if x.shape[1] == 1:
        return x
    if x.shape[1] != 3:
        raise ValueError(f"colour needs images of 1 or 3 channels, given {x.shape[1]}.")
    red, green, blue = x.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def brightness(x: Tensor, factor: Tensor, top: float = 1.0) -> Tensor:
    """Scale each image (B, C, H, W), whose values go from 0 to ``top``, by its factor (B,)."""
    return (x * factor.view(-1, 1, 1, 1)).clamp(0, top)


def contrast(x: Tensor, factor: Tensor, top: float = 1.0) -> Tensor:
    """Scale the distance of each pixel to the image's mean luminance by the image's factor (B,)."""
    return torch.lerp(grey(x).mean(dim=(2, 3), keepdim=True), x, factor.view(-1, 1, 1, 1)).clamp(0, top)


def saturation(x: Tensor, factor: Tensor, top: float = 1.0) -> Tensor:
    """Scale the distance of each pixel to its own luminance by the image's factor (B,)."""
    return torch.lerp(grey(x), x, factor.view(-1, 1, 1, 1)).clamp(0, top)
