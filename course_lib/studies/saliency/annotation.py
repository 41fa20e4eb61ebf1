"""Photographs in which people have marked what there is and where."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from course_lib.runtime import CourseError

LEFT_OPEN = -1  # a label: the class is there, but so hard to see that nobody is asked about it


@dataclass(frozen=True)
class Annotated:
    """Photographs of any size, with the classes that are in them.

    Attributes:
        paths: of the N files.
        labels: (N, C) int64: 1 where the class is there, 0 where it is not, or ``LEFT_OPEN``.
        regions: (number of a photograph, its (height, width)) -> (C, height, width) bool, where each class
            is, with the objects that are hard to see.
    """

    paths: Sequence[str | Path]
    labels: Tensor
    regions: Callable[[int, tuple[int, int]], Tensor]

    def showing_one(self) -> Tensor:
        """The numbers of the photographs that show exactly one class, and show it well."""
        return ((self.labels != 0).sum(1) == 1).logical_and((self.labels == 1).any(1)).nonzero()[:, 0]


class Pictures(Dataset):
    """Photographs and their labels, one by one, for processes that read them.

    Args:
        paths: of the N files.
        labels: (N, ...).
        look: makes uint8 pixels (3, h, w) of an opened photograph.
    """

    def __init__(self, paths: Sequence[str | Path], labels: Tensor, look: Callable[[Image.Image], Tensor]):
        self.paths, self.labels, self.look = paths, labels, look

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.look(opened(self.paths[i])), self.labels[i]


def opened(path: str | Path) -> Image.Image:
    """A photograph, in colour.

    Raises:
        CourseError: there is none, or it is damaged.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as problem:
        raise CourseError(f"The photograph {path} is missing or damaged: bring it again.") from problem


def evenly(labels: Tensor, n: int) -> Tensor:
    """Places of ``n`` images, as evenly over the classes as there are images of them.

    First comes one image of each class, then a second one of each that has it, and so on; where the last
    round has too many, the classes that give one are evenly spaced. Fewer than ``n`` where there are no more.

    Args:
        labels: (N,) the one class of each image.
        n: how many, from 1.
    """
    seen: dict[int, int] = {}
    rounds: list[list[int]] = []
    for place in torch.argsort(labels, stable=True).tolist():
        label = int(labels[place])
        turn = seen.get(label, 0)
        seen[label] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(place)
    chosen: list[int] = []
    for members in rounds:
        wanted = min(n - len(chosen), len(members))
        chosen += [members[k * len(members) // wanted] for k in range(wanted)]
    return torch.tensor(chosen)
