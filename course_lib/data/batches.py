"""``Batches``: augmented batches from a set that lives on the device as a whole.

There is no worker process and no Python per image. The images stay uint8, padded once; a batch is one gather
over the view of all their windows, one flip and one normalisation.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_lib.data import geometry
from course_lib.data.augment import Augment, whole_number
from course_lib.data.image_set import ImageSet
from course_lib.data.normalise import Normalise, PerChannel


class Batch(NamedTuple):
    """Some images of the set, normalised, with their labels.

    Attributes:
        x: (B, C, h, w) floating; the first of the views.
        y: (B,) int64.
        index: (B,) int64, the places of the images in the set.
        views: one or more draws of the same images, each like x.
    """

    x: Tensor
    y: Tensor
    index: Tensor
    views: tuple[Tensor, ...]


class Batches:
    """Batches of an image set; each ``iter()`` is the next pass over it.

    A pass depends on (seed, number of the pass) alone and draws nothing from torch's global generator: a run
    that is continued sees the very batches that it would have seen. The order of the images does not depend
    on the augmentation. Draws are the same on the same kind of device; a CPU and a GPU draw differently.

    Normalisation is (pixel / 255 - mean) / std per channel. Masks and factors of the set are not in the
    batches (``index`` tells where to find them), and they are not augmented.

    Args:
        data: an `ImageSet`, or anything with ``images`` uint8 (N, C, H, W) and ``labels`` int64 (N,).
        batch_size: images in a batch; the last batch of a pass is smaller where N does not divide.
        augment: the random changes; None shows the images as they are.
        views: independently augmented copies of each image.
        shuffle: a new order in each pass; otherwise the order of the set.
        replacement: draw each image of a pass anew from all, instead of each once.
        drop_last: leave out the last batch of a pass if it is smaller.
        steps: batches in a pass, all of them full; the set is gone through as often as that takes, each time
            in a new order. None goes through it once.
        seed: which randomness.
        device: where the batches are wanted; the set is kept there. None stays where the images are.
        mean, std: one number per channel, or one for all, for pixels in [0, 1]; None takes the set's own.
            A channel that never changes has standard deviation 0, and is then divided by 1.
        dtype: of the images.
        channels_last: whether the images are stored in torch's channels_last memory format.

    Attributes:
        shape: (C, h, w) of an image in a batch.

    Raises:
        ValueError: an argument is impossible, or the set is empty.
    """

    def __init__(
        self,
        data: ImageSet,
        batch_size: int,
        *,
        augment: Augment | None = None,
        views: int = 1,
        shuffle: bool = True,
        replacement: bool = False,
        drop_last: bool = False,
        steps: int | None = None,
        seed: int = 0,
        device: str | torch.device | None = None,
        mean: PerChannel | None = None,
        std: PerChannel | None = None,
        dtype: torch.dtype = torch.float32,
        channels_last: bool = False,
    ):
        if not isinstance(data, ImageSet):
            data = ImageSet(data.images, data.labels)
        if len(data) == 0:
            raise ValueError("data has no images, so there is nothing to make batches of.")
        if not dtype.is_floating_point:
            raise ValueError(f"dtype is {dtype}, possible are floating types such as torch.float32.")
        for name, value, least in (("batch_size", batch_size, 1), ("views", views, 1), ("seed", seed, 0)):
            whole_number(name, value, least)
        if steps is not None:
            whole_number("steps", steps, 1)
        elif drop_last and batch_size > len(data):
            raise ValueError(
                f"batch_size is {batch_size} with drop_last, but there are {len(data)} images: "
                "no batch would be left."
            )
        if replacement and not shuffle:
            raise ValueError("replacement=True draws at random, so it cannot go with shuffle=False.")

        self.augment = augment or Augment()
        channels, height, width = data.shape
        if self.augment.colour and channels not in (1, 3):
            raise ValueError(f"colour needs images of 1 or 3 channels, given {channels}.")
        self.shape = (channels, *self.augment.size(height, width))
        self.batch_size, self.views, self.steps, self.seed = batch_size, views, steps, seed
        self.shuffle, self.replacement, self.drop_last = shuffle, replacement, drop_last
        self.dtype, self.channels_last = dtype, channels_last
        self.device = data.images.device if device is None else torch.device(device)
        own_mean, own_std = data.statistics() if mean is None or std is None else (mean, std)
        self._normalise = Normalise(
            own_mean if mean is None else mean,
            torch.where(own_std > 0, own_std, 1) if std is None else std,
            channels, dtype, self.device,
        )  # fmt: skip
        self.labels = data.labels.to(self.device)
        self._padded = geometry.pad(data.images.to(self.device), self.augment.margin)
        self._windows = geometry.all_windows(self._padded, self.shape[1:])
        self._epoch = 0

    @property
    def mean(self) -> Tensor:
        """(C,): what is subtracted from pixels in [0, 1]; give it to the batches of another split."""
        return self._normalise.mean

    @property
    def std(self) -> Tensor:
        """(C,): what the difference is divided by."""
        return self._normalise.std

    def __len__(self) -> int:
        """Batches in a pass."""
        if self.steps is not None:
            return self.steps
        n = len(self.labels)
        return n // self.batch_size if self.drop_last else math.ceil(n / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        epoch, self._epoch = self._epoch, self._epoch + 1
        return self._one_pass(epoch)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"<Batches of {self.batch_size} from {len(self.labels)} images {shape} on {self.device}>"

    def state_dict(self) -> dict[str, int]:
        """How many passes have been begun: all that a continued run needs to know."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue with the pass that came next when ``state_dict`` was called."""
        whole_number("epoch", state["epoch"], 0)
        self._epoch = state["epoch"]

    def evaluation(self) -> "Batches":
        """The same images in the order of the set, each once and unchanged: the central window of each."""
        images = geometry.centre(self._padded, self.shape[1:])
        return Batches(
            ImageSet(images, self.labels), self.batch_size, shuffle=False, mean=self.mean, std=self.std,
            dtype=self.dtype, channels_last=self.channels_last,
        )  # fmt: skip

    def _one_pass(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator(self.device).manual_seed(_mixed(self.seed, epoch))
        order = self._order(generator)
        for index in order.split(self.batch_size)[: len(self)]:
            views = self._look_at(index.repeat(self.views), generator).chunk(self.views)
            yield Batch(views[0], self.labels[index], index, views)

    def _order(self, generator: torch.Generator) -> Tensor:
        n = len(self.labels)
        total = n if self.steps is None else self.steps * self.batch_size
        if self.replacement:
            return torch.randint(n, (total,), generator=generator, device=self.device)
        if not self.shuffle:
            return torch.arange(total, device=self.device) % n
        rounds = range(math.ceil(total / n))
        return torch.cat([torch.randperm(n, generator=generator, device=self.device) for _ in rounds])[:total]

    def _look_at(self, index: Tensor, generator: torch.Generator) -> Tensor:
        x = self.augment.cut(self._windows, index, generator).to(self._normalise.dtype)
        x = self._normalise(self.augment.distort(x, generator))
        x = self.augment.disturb(x, generator).to(self.dtype)
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last else x


def _mixed(seed: int, epoch: int) -> int:
    """One seed from two numbers, such that neighbouring pairs start unrelated streams."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
