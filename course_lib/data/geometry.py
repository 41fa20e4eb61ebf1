"""Moving pictures: windows, flips and rotations, each with its own draw for every image of a batch.

A window is a crop. All windows of all images exist at once as a *view* of the padded images, which costs no
memory: the place of a window is then two more indices, and a batch of different crops is one gather.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def pad(images: Tensor, margin: int) -> Tensor:
    """Surround images (N, C, H, W) by their mirror image, ``margin`` pixels on each side.

    The border pixel is the mirror and is not repeated.

    Raises:
        ValueError: the margin is not smaller than the image.
    """
    if margin == 0:
        return images
    if margin >= min(images.shape[2:]):
        height, width = images.shape[2:]
        raise ValueError(
            f"pad + translate is {margin}, but a {height}x{width} image can mirror at most "
            f"{min(height, width) - 1} pixels."
        )
    return F.pad(images, (margin,) * 4, mode="reflect")


def all_windows(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Every window of ``size`` (h, w) in images (N, C, H, W), as a view (N, C, H-h+1, W-w+1, h, w)."""
    return images.unfold(2, size[0], 1).unfold(3, size[1], 1)


def gather(windows: Tensor, index: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """The window at row dy and column dx of each indexed image.

    Args:
        windows: (N, C, R, S, h, w) from `all_windows`.
        index, dy, dx: (B,) int64 each.

    Returns:
        (B, C, h, w), a copy.
    """
    if windows.shape[2] == windows.shape[3] == 1:  # one window only: whole rows are copied, much faster
        return windows[:, :, 0, 0].index_select(0, index)
    return windows[index, :, dy, dx]


def flip(x: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the chosen images left to right.

    Picking each image from the batch and its mirror image copies whole images; `torch.where` would decide
    again for every pixel, which is several times slower on a CPU.

    Args:
        x: (B, C, H, W).
        chosen: (B,) bool.
    """
    places = torch.arange(len(x), device=x.device) + len(x) * chosen
    return torch.cat([x, x.flip(-1)]).index_select(0, places)


def rotate(x: Tensor, degrees: Tensor) -> Tensor:
    """Turn each image about its centre, bilinearly; what comes in from outside is its mirror image.

    Args:
        x: (B, C, H, W) floating.
        degrees: (B,), counter-clockwise.
    """
    height, width = x.shape[2:]
    angle = torch.deg2rad(degrees.to(x))
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # grid_sample measures both sides from -1 to 1, also where the image is not square.
    aspect = max(height - 1, 1) / max(width - 1, 1)
    towards = torch.stack([cos, -sin * aspect, zero, sin / aspect, cos, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(towards, list(x.shape), align_corners=True)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def centre(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The window of ``size`` (h, w) in the middle of images (N, C, H, W), as a view.

    Where the middle falls between two pixels, it is the upper and the left one.
    """
    top, left = ((whole - part) // 2 for whole, part in zip(images.shape[2:], size))
    return images[:, :, top : top + size[0], left : left + size[1]]
