"""ImageNet as the user brings it: folders of JPEGs that workers read batch by batch, and files of weights.

Nobody may ship it, and it is too large to lie decoded on the device, so it is read while the net works.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models
from torchvision.datasets import ImageFolder
from torchvision.transforms import functional as F

from course_lib import metrics, runtime
from course_lib.data.normalise import Normalise
from course_lib.data.real.folder import data_folder
from course_lib.runtime import CourseError
from course_lib.training import predict

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what torchvision's weights were trained with
FINAL = {"alexnet": "classifier.6", "vgg16": "classifier.6"}  # the last layer, where it is not ``fc``


def image_folder(
    split: str,
    transform: Callable[[Image.Image], Tensor],
    data: str = "imagenet",
    classes: int | None = None,
    per_class: int | None = None,
) -> ImageFolder:
    """The images of a split, from ``COURSE_DATA/imagenet/<split>/<wnid>/*.JPEG``.

    Args:
        split: ``train`` or ``val``.
        transform: makes uint8 pixels (..., 3, H, W) of an opened image.
        data: name of the folder below ``COURSE_DATA``.
        classes: how many classes are kept, evenly spaced in the order of their names; None keeps all.
        per_class: images of each class at most, the first ones; None takes all.

    Returns:
        the images, with the kept classes' labels from 0; its ``classes`` still names all.

    Raises:
        CourseError: there are no such folders, or fewer classes than are to be kept.
    """
    root = data_folder() / data / split
    try:
        folder = ImageFolder(str(root), transform)
    except OSError as problem:
        raise CourseError(
            f"The images are not in {root}: put a folder for each class there, {data}/{split}/<wnid>/*.JPEG, "
            "or set COURSE_DATA to the folder that holds them."
        ) from problem
    total = len(folder.classes)
    if classes is not None and classes > total:
        raise CourseError(f"{root} has {total} folders of classes, but {classes} classes are asked for.")
    kept: dict[int, list[str]] = {place: [] for place in spread(total, classes)}
    for path, label in folder.samples:
        if label in kept and (per_class is None or len(kept[label]) < per_class):
            kept[label].append(path)
    folder.samples = [(path, new) for new, paths in enumerate(kept.values()) for path in paths]
    folder.imgs, folder.targets = folder.samples, [label for _, label in folder.samples]
    return folder


def spread(total: int, count: int | None) -> list[int]:
    """``count`` of ``total`` places, evenly spaced; None takes all."""
    return np.linspace(0, total - 1, count or total).round().astype(int).tolist()


def squeezed(image: Image.Image, side: int) -> Tensor:
    """An image of any shape scaled to a square, uint8 (3, side, side)."""
    return F.resize(F.pil_to_tensor(image), [side, side], antialias=True)


def middle(image: Image.Image, side: int) -> Tensor:
    """The square in the middle of an image whose shorter side is scaled to 256/224 of it: (3, side, side)."""
    return F.center_crop(_scaled(image, side), [side, side])


def ten_crops(image: Image.Image, side: int) -> Tensor:
    """Four corners, the middle, and their mirror images, of the same scaled image: (10, 3, side, side)."""
    return torch.stack(F.ten_crop(_scaled(image, side), [side, side]))


def _scaled(image: Image.Image, side: int) -> Tensor:
    return F.resize(F.pil_to_tensor(image), [round(side * 256 / 224)], antialias=True)


class Streamed:
    """Batches (x, y) of images that worker processes read; each ``iter()`` is the next pass.

    A pass depends on (seed, number of the pass) alone: the workers draw nothing, flips are drawn here.

    Args:
        images: gives uint8 pixels (..., 3, H, W) and a label.
        batch_size: images in a batch; the last of a pass is smaller where they do not divide.
        training: whether the images come in random order, and half of them mirrored.
        seed: which randomness.
        workers: processes that read; 0 reads in this one.
    """

    def __init__(self, images: Dataset, batch_size: int, *, training: bool, seed: int = 0, workers: int = 0):
        self.images, self.batch_size, self.training = images, batch_size, training
        self.seed, self.workers = seed, workers
        self.device = runtime.device()
        self._normalise = Normalise(MEAN, STD, 3, torch.float32, self.device)
        self._epoch = 0

    def __len__(self) -> int:
        """Batches in a pass."""
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch, self._epoch = self._epoch, self._epoch + 1
        return self._one_pass(epoch)

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._epoch = state["epoch"]

    def _one_pass(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order, flips = (
            torch.Generator().manual_seed(int(number))
            for number in np.random.SeedSequence((self.seed, epoch)).generate_state(2, np.uint64)
        )
        loader = DataLoader(
            self.images,
            self.batch_size,
            shuffle=self.training,
            generator=order,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )
        for x, y in loader:
            mirrored = torch.rand(len(x), generator=flips) < 0.5
            x = x.to(self.device, non_blocking=True)
            if self.training:
                mirrored = mirrored.view(-1, *[1] * (x.ndim - 1)).to(self.device)
                x = torch.where(mirrored, x.flip(-1), x)
            yield self._normalise(x.float()), y.to(self.device)


def top_accuracies(model: nn.Module, images: ImageFolder, batch_size: int, workers: int) -> dict[str, float]:
    """Accuracy (%) in ``top-1`` and ``top-5``; with fewer than five classes all of them count as the five."""
    logits = predict(model, Streamed(images, batch_size, training=False, workers=workers)).float()
    labels = torch.tensor(images.targets)
    five = min(5, logits.shape[1])
    return {f"top-{n}": 100 * metrics.top_k_accuracy(labels, logits, k) for n, k in ((1, 1), (5, five))}


def pretrained(name: str, data: str = "imagenet", **options: Any) -> nn.Module:
    """A net of torchvision with the ImageNet weights that the user has; nothing is downloaded.

    Args:
        name: torchvision's, such as ``resnet101``.
        data: the weights are ``COURSE_DATA/<data>/<name>.pth``, a state dict of that net; where there is no
            such file, torchvision's first ImageNet weights in the cache of ``torch.hub`` are taken.
        options: of the net.

    Returns:
        the net, on the CPU, with as many classes as the weights have.

    Raises:
        CourseError: there are no weights, or they do not fit the net.
    """
    own = data_folder() / data / f"{name}.pth"
    published = models.get_model_weights(name)["IMAGENET1K_V1"].url.rpartition("/")[2]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / published
    path = next((path for path in (own, cached) if path.is_file()), None)
    if path is None:
        raise CourseError(
            f"The weights of {name} are not here: put a state dict of torchvision's {name} into {own}, "
            f"or its file {published} into {cached.parent}."
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        classes = len(state[f"{FINAL.get(name, 'fc')}.bias"])
        net = models.get_model(name, weights=None, num_classes=classes, **options)
        net.load_state_dict(state)
    except Exception as problem:  # whatever is wrong with the file, the user has to bring another
        reason = str(problem).splitlines()[0]
        raise CourseError(f"{path} holds no weights of torchvision's {name}: {reason}") from problem
    return net


def require_classes(net: nn.Module, name: str, images: ImageFolder) -> None:
    """Raise a CourseError unless the folders of the classes tell which output of the net is which class."""
    outputs = net.get_submodule(FINAL.get(name, "fc")).out_features
    if outputs != len(images.classes):
        raise CourseError(
            f"{images.root} has {len(images.classes)} folders of classes and {name} has {outputs} outputs: "
            "all of them are needed, because their order says which output is which class."
        )
