"""Batches of two streams: a few labelled images, and many without a label."""

from collections.abc import Iterator

import torch

from course_lib.data.augment import Augment, whole_number
from course_lib.data.batches import Batch, Batches
from course_lib.data.image_set import ImageSet

NO_LABEL = -1


class TwoStreams:
    """Each batch has ``n_labelled`` images with their labels, and after them ``n_unlabelled`` with label -1.

    A pass goes once through the unlabelled images. The labelled ones are few, so they are gone through again
    and again, each time in a new order. Batches are those of `Batches` in all else: on the device, augmented
    image by image, the same in a run that is continued. ``index`` counts the places in the labelled set, and
    from its end on those in the unlabelled set.

    Args:
        labelled: the set whose labels are shown.
        unlabelled: the set whose labels are hidden. It may hold the labelled images too, as a set of its own.
        n_labelled, n_unlabelled: images of each in a batch.
        augment, views, seed, mean, std, dtype, channels_last: as for `Batches`; None normalises by the
            statistics of the unlabelled set.
        steps: batches in a pass; None takes as many as the unlabelled images fill.

    Attributes:
        shape: (C, h, w) of an image in a batch.
        batch_size: images in a batch, of both kinds.
        augment, views, seed: as given; with them a checkpoint knows its run.

    Raises:
        ValueError: an argument is impossible, the images of the two sets differ in shape, or there are fewer
            unlabelled images than a batch needs.
    """

    def __init__(
        self,
        labelled: ImageSet,
        unlabelled: ImageSet,
        n_labelled: int,
        n_unlabelled: int,
        *,
        augment: Augment | None = None,
        views: int = 1,
        steps: int | None = None,
        seed: int = 0,
        mean=None,
        std=None,
        dtype: torch.dtype = torch.float32,
        channels_last: bool = False,
    ):
        whole_number("n_labelled", n_labelled, 1)
        whole_number("n_unlabelled", n_unlabelled, 1)
        whole_number("seed", seed, 0)
        if steps is None and n_unlabelled > len(unlabelled):
            raise ValueError(
                f"n_unlabelled is {n_unlabelled}, but there are {len(unlabelled)} images without a label."
            )
        steps = len(unlabelled) // n_unlabelled if steps is None else steps
        own_mean, own_std = unlabelled.statistics()
        how = {
            "augment": augment, "views": views, "steps": steps, "dtype": dtype,
            "mean": own_mean if mean is None else mean,
            "std": torch.where(own_std > 0, own_std, 1) if std is None else std,
            "channels_last": channels_last,
        }  # fmt: skip
        self._streams = (
            Batches(labelled, n_labelled, seed=2 * seed, **how),
            Batches(unlabelled, n_unlabelled, seed=2 * seed + 1, **how),
        )
        shapes = [stream.shape for stream in self._streams]
        if shapes[0] != shapes[1]:
            raise ValueError(f"labelled images are {shapes[0]} and unlabelled ones {shapes[1]}, not alike.")
        self._labelled = len(labelled)
        self.shape = shapes[1]
        self.batch_size, self.seed = n_labelled + n_unlabelled, seed
        self.augment, self.views = self._streams[1].augment, views

    def __len__(self) -> int:
        """Batches in a pass."""
        return len(self._streams[1])

    def __iter__(self) -> Iterator[Batch]:
        for known, hidden in zip(*self._streams, strict=True):
            views = tuple(torch.cat(pair) for pair in zip(known.views, hidden.views))
            y = torch.cat((known.y, torch.full_like(hidden.y, NO_LABEL)))
            yield Batch(views[0], y, torch.cat((known.index, hidden.index + self._labelled)), views)

    def state_dict(self) -> dict[str, int]:
        """How many passes have been begun."""
        return self._streams[1].state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue with the pass that came next when ``state_dict`` was called."""
        for stream in self._streams:
            stream.load_state_dict(state)
