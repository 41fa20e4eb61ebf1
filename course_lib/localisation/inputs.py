"""What maps and masks must be like to be compared."""

import torch
from torch import Tensor


def check_maps(maps: Tensor, *, finite: bool = False) -> None:
    """Raise ValueError unless the maps are (B, 1, H, W), not empty and, if asked for, finite."""
    if maps.ndim != 4 or maps.shape[1] != 1 or maps.numel() == 0:
        raise ValueError(f"maps have shape {tuple(maps.shape)}, needed is (B, 1, H, W), not empty.")
    if finite and not maps.isfinite().all():
        raise ValueError("maps contain NaN or infinity, needed are finite values.")


def check_bool(masks: Tensor) -> None:
    """Raise TypeError unless the masks are bool."""
    if masks.dtype != torch.bool:
        raise TypeError(f"masks have type {masks.dtype}, needed is torch.bool.")


def regions(masks: Tensor, n: int) -> Tensor:
    """Masks (B, 1, H, W) or (B, H, W) as (B, H, W); ValueError unless there are ``n``."""
    check_bool(masks)
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    if masks.ndim != 3 or len(masks) != n or masks.numel() == 0:
        raise ValueError(f"masks have shape {tuple(masks.shape)}, for {n} maps it is ({n}, 1, H, W).")
    return masks
