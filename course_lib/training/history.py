"""What a run leaves behind: the mean of each recorded number per epoch, and the evaluations."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class History:
    """The record of a run.

    Attributes:
        losses: for each number that the loss returned, its means per epoch, each batch weighted by its size.
        evaluations: what ``evaluate`` returned, with the ``epoch`` and ``step`` it was called after (from 1).
        steps: steps taken.
        seconds: time spent in them, evaluations left out.
    """

    losses: dict[str, list[float]] = field(default_factory=dict)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Epochs recorded; the last may be a part of one."""
        return len(self.losses.get("loss", ()))

    def close_epoch(self, means: dict[str, float], steps: int, seconds: float) -> None:
        """Add the means of an epoch after which ``steps`` are done in all."""
        for name, mean in means.items():
            self.losses.setdefault(name, []).append(mean)
        self.steps = steps
        self.seconds += seconds

    def state_dict(self) -> dict[str, Any]:
        """The record as plain numbers."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        vars(self).update(state)


class EpochMeans:
    """Collects the numbers of an epoch on the device, so that no step waits for the host to read them.

    Args:
        first_step: the step that the epoch begins with.
    """

    def __init__(self, first_step: int):
        self.first_step = first_step
        self.values: dict[str, list[Tensor]] = {}
        self.sizes: list[int] = []

    def add(self, values: dict[str, Tensor], size: int) -> None:
        """Note the numbers of one step on ``size`` images.

        Raises:
            ValueError: the names differ from those of the epoch's first step.
        """
        if self.sizes and values.keys() != self.values.keys():
            raise ValueError(
                f"The loss returned {', '.join(values)} after {', '.join(self.values)}: "
                "it must return the same names at each step."
            )
        for name, value in values.items():
            self.values.setdefault(name, []).append(value.detach().clone())
        self.sizes.append(size)

    def read(self) -> dict[str, float]:
        """The means, each step weighted by its number of images.

        Raises:
            FloatingPointError: the loss was not finite; says at which step that began.
        """
        read = {name: torch.stack(values).cpu().double() for name, values in self.values.items()}
        bad = (~read["loss"].isfinite()).nonzero()
        if len(bad):
            first = int(bad[0])
            raise FloatingPointError(
                f"The loss became {float(read['loss'][first])} at step {self.first_step + first}, "
                "and training has stopped; a smaller learning rate or loss weight often helps."
            )
        sizes = torch.tensor(self.sizes, dtype=torch.float64)
        return {name: float(values @ sizes / sizes.sum()) for name, values in read.items()}
