"""``ImageSet``: pictures, labels, and what is known about how the pictures were made."""

import dataclasses
import hashlib

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class ImageSet:
    """A whole image set in memory.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64, from 0; -1 means that the image has no label.
        factors: generative factors or further annotations by name, each (N,); None where nothing is known.
        masks: (N, M, H, W) bool, the pixels of M things; None where nothing is known.
        class_names: one name per label.
        name, split: where the set comes from.
    """

    images: Tensor
    labels: Tensor
    factors: dict[str, Tensor] | None = None
    masks: Tensor | None = None
    class_names: tuple[str, ...] | None = None
    name: str = ""
    split: str = ""

    def __post_init__(self):
        n = len(self.images)
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(
                f"images must be uint8 (N, C, H, W), given {self.images.dtype} {tuple(self.images.shape)}."
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != (n,):
            raise ValueError(
                f"labels must be int64 ({n},), given {self.labels.dtype} {tuple(self.labels.shape)}."
            )
        for key, values in (self.factors or {}).items():
            if values.shape != (n,):
                raise ValueError(f"factor {key!r} must have shape ({n},), given {tuple(values.shape)}.")
        if self.masks is not None and (
            self.masks.dtype != torch.bool
            or self.masks.ndim != 4
            or (self.masks.shape[0], *self.masks.shape[2:]) != (n, *self.images.shape[2:])
        ):
            raise ValueError(
                f"masks must be bool ({n}, M, {self.images.shape[2]}, {self.images.shape[3]}), "
                f"given {self.masks.dtype} {tuple(self.masks.shape)}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        known = f", factors {', '.join(self.factors)}" if self.factors else ""
        masks = f", {self.masks.shape[1]} masks each" if self.masks is not None else ""
        what = f"{len(self)} images {shape}, {self.num_classes} classes{known}{masks}"
        return f"<ImageSet {self.name}/{self.split}: {what}>"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return tuple(self.images.shape[1:])

    @property
    def num_classes(self) -> int:
        """How many classes there are, those without an image in this split included."""
        if self.class_names is not None:
            return len(self.class_names)
        return int(self.labels.max()) + 1 if len(self) else 0

    def to(self, device: str | torch.device) -> "ImageSet":
        """The same set with every tensor on ``device``."""
        return self._each(lambda tensor: tensor.to(device))

    def subset(self, indices) -> "ImageSet":
        """The images at ``indices``: a tensor, array or list of places, or of booleans (N,)."""
        indices = torch.as_tensor(indices, device=self.images.device)
        if indices.numel() == 0:
            indices = indices.long()
        return self._each(lambda tensor: tensor[indices])

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel, (C,) float32 each, for pixels in [0, 1]."""
        levels = torch.arange(256, dtype=torch.float64)
        means, deviations = [], []
        for channel in range(self.images.shape[1]):
            counts = torch.zeros(256, dtype=torch.float64)
            for part in self.images[:, channel].split(4096):  # bincount widens to int64: keep that small
                counts += torch.bincount(part.flatten(), minlength=256).cpu()
            share = counts / counts.sum()
            mean = (share * levels).sum()
            means.append(mean / 255)
            deviations.append((share * (levels - mean) ** 2).sum().sqrt() / 255)
        device = self.images.device
        return torch.stack(means).float().to(device), torch.stack(deviations).float().to(device)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of images and labels with their shapes: equal sets have equal digests."""
        content = hashlib.sha256()
        for tensor in (self.images, self.labels):
            content.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            content.update(tensor.cpu().contiguous().numpy())
        return content.hexdigest()

    def _each(self, change) -> "ImageSet":
        return dataclasses.replace(
            self,
            images=change(self.images),
            labels=change(self.labels),
            factors=self.factors and {key: change(values) for key, values in self.factors.items()},
            masks=None if self.masks is None else change(self.masks),
        )
