"""Image sets: made by code or read from files, split by labels, and served as batches on the device.

``load(name, split)`` gives an :class:`ImageSet`, whole and in memory; ``Batches`` serves it, augmented.
"""

from course_lib.data.augment import Augment
from course_lib.data.batches import Batch, Batches
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo, Verification
from course_lib.data.labels import balanced_subset, split_off
from course_lib.data.registry import available, describe, fetch, listing, load, names, verify
from course_lib.data.two_streams import TwoStreams

__all__ = [
    "Augment",
    "Batch",
    "Batches",
    "ImageSet",
    "SetInfo",
    "TwoStreams",
    "Verification",
    "available",
    "balanced_subset",
    "describe",
    "fetch",
    "listing",
    "load",
    "names",
    "split_off",
    "verify",
]
