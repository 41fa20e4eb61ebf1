"""The usual ways to get augmented batches: what `course_lib.data.Batches` is raced and tested against.

All give crop (from reflect-padded images), flip and normalisation, drawn for each image. The last does not:
torchvision's v2 transforms draw once for a whole batch, which is another law.
"""

from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import v2

from course_lib.data.image_set import ImageSet


class Pictures(Dataset):
    """One image at a time, made into what the transform expects, as torchvision's data sets do it."""

    def __init__(self, data: ImageSet, transform: Callable, as_pil: bool):
        self.images, self.labels = data.images, data.labels.tolist()
        if as_pil:
            self.images = data.images.permute(0, 2, 3, 1).contiguous().squeeze(-1).numpy()
        self.transform, self.as_pil = transform, as_pil

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        image = Image.fromarray(self.images[index]) if self.as_pil else self.images[index]
        return self.transform(image), self.labels[index]


class Twice:
    """The transform twice: two views of one image."""

    def __init__(self, transform: Callable):
        self.transform = transform

    def __call__(self, image) -> tuple[Tensor, Tensor]:
        return self.transform(image), self.transform(image)


def pil_transform(crop: int, pad: int, mean: Tensor, std: Tensor, mirror: bool = True) -> Callable:
    """What the tutorials write; ``mirror=False`` pads with black, which is cheaper and another law."""
    padding_mode = "reflect" if mirror else "constant"
    return transforms.Compose(
        [
            transforms.RandomCrop(crop, padding=pad, padding_mode=padding_mode),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(mean.tolist(), std.tolist()),
        ]
    )


def v2_transform(crop: int, pad: int, mean: Tensor, std: Tensor) -> Callable:
    """torchvision's v2 transforms on uint8 tensors."""
    return v2.Compose(
        [
            v2.RandomCrop(crop, padding=pad, padding_mode="reflect"),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean.tolist(), std.tolist()),
        ]
    )


def loader(data: ImageSet, transform: Callable, batch_size: int, as_pil: bool = True) -> DataLoader:
    """A DataLoader in this process: with few cores, workers only take turns with the training."""
    return DataLoader(Pictures(data, transform, as_pil), batch_size, shuffle=True, num_workers=0)


def v2_whole_batches(data: ImageSet, transform: Callable, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """v2 on a batch at a time: one draw of crop and flip for all its images."""
    for index in torch.randperm(len(data)).split(batch_size):
        yield transform(data.images[index]), data.labels[index]
