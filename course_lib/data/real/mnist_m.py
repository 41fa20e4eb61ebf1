"""MNIST-M (Ganin and Lempitsky 2015), composed here: ``|patch - digit|`` with patches of natural photos."""

import numpy as np
import torch

from course_lib.data.drawing import canvas, textures
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo, Verification
from course_lib.data.real import packs
from course_lib.data.real.folder import data_folder, find
from course_lib.data.real.packed_sets import BSDS_FOLDERS
from course_lib.data.real.source import RealSet
from course_lib.runtime import CourseError

INFO = SetInfo(
    name="mnist_m",
    kind="real",
    title="MNIST-M: MNIST digits that invert patches of photos",
    licence="MNIST CC BY-SA 3.0 (the usual statement); photos for non-commercial research",
    source="composed here from mnist and bsds300_small",
    shape=(3, 28, 28),
    classes=10,
    sizes={"train": 60000, "test": 10000},
    options={"size": 28, "backgrounds": "photos", "seed": 0},
    choices={"size": (28, 32), "backgrounds": ("photos", "textures")},
    note='backgrounds="textures" needs no photos, but is another set',
)


class MnistM:
    """The set, given the two that it is composed of."""

    info = INFO

    def __init__(self, mnist: RealSet, photos: RealSet):
        self.mnist, self.photos = mnist, photos

    def make(self, split: str, size: int = 28, backgrounds: str = "photos", seed: int = 0) -> ImageSet:
        """MNIST's images in MNIST's order, each on a patch of its own.

        Training and test take their patches from different photos (BSDS's own division). Pixels are bytes,
        and the difference is taken between bytes, as the authors did.

        Args:
            split: "train" or "test".
            size: 28, or 32 with two pixels of background on each side.
            backgrounds: "photos", or "textures" for coloured noise where there are no photos.
            seed: of the patches.

        Returns:
            Images (N, 3, size, size); ``masks`` (N, 1, size, size) are the pixels of at least half ink.
        """
        digits = self.mnist.make(split)
        images, margin = digits.images.numpy()[:, 0], (size - 28) // 2
        ink = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
        rng = np.random.default_rng([seed, split == "test"])
        if backgrounds == "photos":
            pictures = self._patches(rng, split, len(ink), size)
        else:
            pictures = np.empty((len(ink), 3, size, size), np.uint8)
            for part in canvas.blocks(len(ink)):
                noise = textures.coloured_noise(rng, len(ink[part]), size)
                pictures[part] = canvas.to_uint8(noise)
        for part in canvas.blocks(len(ink)):
            here, over = pictures[part], ink[part, None]
            pictures[part] = np.maximum(here, over) - np.minimum(here, over)
        return ImageSet(
            images=torch.from_numpy(pictures),
            labels=digits.labels,
            masks=torch.from_numpy(ink[:, None] >= 128),
            class_names=digits.class_names,
            name=INFO.name,
            split=split,
        )

    def available(self) -> bool:
        return self.mnist.available() and self.photos.available()

    def verify(self) -> Verification:
        """Whole when both of its parts are."""
        found = [part.verify() for part in (self.mnist, self.photos)]
        for state in ("broken", "missing", "differs"):
            for part in found:
                if part.state == state:
                    return Verification(INFO.name, state, f"Its part {part.name}: {part.says}")
        return Verification(INFO.name, "ok", "Both of its parts, mnist and bsds300_small, are whole.")

    def _patches(self, rng, split, n, size):
        packed = find(self.photos.info.packed)
        if packed is None:
            raise CourseError(
                f"The photos of mnist_m were asked for, but the data folder {data_folder()} does not hold "
                f'{self.photos.info.packed}: put it there, or load with backgrounds="textures", '
                "which is another set."
            )
        try:
            photos = [np.asarray(photo) for _, photo in packs.photos(packed, BSDS_FOLDERS[split])]
        except packs.DAMAGE as problem:
            raise CourseError(
                f"The photos {packed} are damaged or not all there: replace the file."
            ) from problem
        out = np.empty((n, 3, size, size), np.uint8)
        which, place = rng.integers(len(photos), size=n), rng.random((2, n))
        for k, photo in enumerate(photos):
            chosen = np.flatnonzero(which == k)
            windows = np.lib.stride_tricks.sliding_window_view(photo, (size, size), (0, 1))
            y, x = (place[:, chosen] * np.array(windows.shape[:2])[:, None]).astype(int)
            out[chosen] = windows[y, x]
        return out
