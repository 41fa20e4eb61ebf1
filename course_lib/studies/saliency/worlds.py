"""Where a study's nets and images come from: composed scenes, or photographs of the user's."""

from collections.abc import Iterator

from torch import Tensor

from course_lib.studies.saliency import composed, photographs
from course_lib.studies.saliency.parts import Pairs, Subject
from course_lib.studies.saliency.setting import Setting


def subject(config: Setting, net: str, seed: int) -> Subject:
    """The net of a seed, trained."""
    return _world(config).subject(config, net, seed)


def pairs(config: Setting) -> Iterator[Pairs]:
    """Every test image with each class that is in it, in batches of one size."""
    return _world(config).pairs(config)


def labelled(config: Setting, split: str, n: int) -> tuple[Tensor, Tensor]:
    """Images (n, C, h, w) as the nets see them, each with the one class (n,) that it shows."""
    return _world(config).labelled(config, split, n)


def _world(config: Setting):
    return composed if config.data == "scenes" else photographs
