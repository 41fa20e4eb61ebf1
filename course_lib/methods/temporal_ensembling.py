"""Temporal Ensembling: the target of an image is an average of what was said of it in past passes.

Laine & Aila 2017, §3.2; Robert 2019, §3.2.1. Symbols: ``Z`` (N, C) the running averages, ``t`` (N,) how many
passes have gone into each, ``alpha`` the weight of the old average.
"""

from typing import Any

import torch
from torch import Tensor

from course_lib.methods.stability import StabilityTarget


class TemporalEnsembling:
    """Targets ỹ = Z / (1 - alpha^t), with Z <- alpha Z + (1 - alpha) ŷ after each pass over the data.

    Z starts at 0, and the division makes up for it: after t passes the weights of all past answers sum to
    1 - alpha^t. Everything goes by the image's place in the set, never by its place in a batch. A pass in
    which an image does not occur leaves its Z and its t; one in which it occurs several times counts once,
    with the mean of what was said. An image that no closed pass has seen has no target yet.

    A pass over the data closes by itself: in ``observe``, or in ``target`` where that is told the epoch, as
    soon as the epoch is another one. So that the first batch of a pass gets the targets of all passes before
    it, ``observe`` comes first in a step, or ``target`` is told the epoch.

    Its state is in ``state_dict``: give it to ``fit(..., stateful={"targets": targets})``.

    Args:
        n: images in the whole set, N.
        classes: C.
        alpha: weight of the old average, in [0, 1); 0.6 in Laine & Aila 2017. With 0 the target is the
            answer in the last pass.
        dtype: of the averages and of the targets.

    Attributes:
        Z: (N, C). Moves to the device of the first batch.
        t: (N,) int64, the closed passes that each image was seen in.
        epoch: the pass that is not closed yet, None before the first.

    Raises:
        ValueError: an argument has an impossible value.
    """

    def __init__(self, n: int, classes: int, alpha: float = 0.6, dtype: torch.dtype = torch.float32):
        if not 0 <= alpha < 1:
            raise ValueError(f"alpha is {alpha}, possible is 0 up to but not including 1.")
        for name, value in (("n", n), ("classes", classes)):
            if value < 1:
                raise ValueError(f"{name} is {value}, possible are whole numbers from 1.")
        self.alpha, self.epoch = alpha, None
        self.Z = torch.zeros(n, classes, dtype=dtype)
        self.t = torch.zeros(n, dtype=torch.long)
        self._sum = torch.zeros_like(self.Z)  # of what was said of an image in the open pass,
        self._count = torch.zeros_like(self.t)  # and how often it was seen in it

    def observe(self, batch: Any, prob: Tensor, epoch: int) -> None:
        """Take note of the student's probabilities (B, C) for the images at ``batch.index`` (B,).

        Raises:
            ValueError: the shapes do not fit.
        """
        wanted = (len(batch.index), self.Z.shape[1])
        if tuple(prob.shape) != wanted:
            raise ValueError(f"prob has shape {tuple(prob.shape)}, needed is {wanted}.")
        self._begin(epoch, batch.index.device)
        self._sum.index_add_(0, batch.index, prob.detach().to(self._sum))
        self._count.index_add_(0, batch.index, torch.ones_like(batch.index))

    def target(self, batch: Any, epoch: int | None = None) -> StabilityTarget:
        """The bias-corrected averages of the images at ``batch.index``; zeros where none is known."""
        self._begin(self.epoch if epoch is None else epoch, batch.index.device)
        t = self.t[batch.index]
        known = t > 0
        weight = 1 - self.alpha ** t.to(self.Z.dtype)
        prob = self.Z[batch.index] / torch.where(known, weight, 1)[:, None]
        return StabilityTarget(prob, known)

    def update(self) -> None:
        """Nothing: the averages move when a pass closes, not in a step."""

    def close(self) -> None:
        """Close the open pass: what was said in it goes into the averages. Happens by itself."""
        seen = self._count > 0
        said = self._sum[seen] / self._count[seen, None]
        self.Z[seen] = self.alpha * self.Z[seen] + (1 - self.alpha) * said
        self.t += seen
        self._sum.zero_()
        self._count.zero_()

    def state_dict(self) -> dict[str, Any]:
        """The averages, and what the open pass has seen so far."""
        return {"Z": self.Z, "t": self.t, "sum": self._sum, "count": self._count, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        for name, own in (("Z", self.Z), ("t", self.t), ("sum", self._sum), ("count", self._count)):
            own.copy_(state[name])
        self.epoch = state["epoch"]

    def _begin(self, epoch: int | None, device: torch.device) -> None:
        if self.Z.device != device:
            self.Z, self.t = self.Z.to(device), self.t.to(device)
            self._sum, self._count = self._sum.to(device), self._count.to(device)
        if epoch != self.epoch:
            self.close()
            self.epoch = epoch
