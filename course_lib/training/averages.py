"""The moving average of a model's parameters: a smoother copy of a model in training."""

import copy
from collections import OrderedDict

import torch
from torch import nn

BUFFERS = ("copy", "average", "own")


class Average:
    """Exponential moving average of a model, ``average <- decay * average + (1 - decay) * model``.

    ``average.model`` is a copy of the model in evaluation mode, without hooks and without gradients.

    Args:
        model: the model to follow; the average starts at its present values.
        decay: weight of the old average, in [0, 1).
        warm_up: use ``min(decay, (1 + t) / (10 + t))`` with ``t`` updates done, so that the first steps, far
            from the solution, are soon forgotten.
        buffers: what happens to buffers such as the statistics of batch norm. ``copy`` takes the model's;
            ``average`` averages those of floating type and copies the others; ``own`` leaves the copy's
            alone, for a teacher that runs in training mode and gathers its own.

    Raises:
        ValueError: an argument has an impossible value.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999, warm_up: bool = False, buffers: str = "copy"):
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}, possible is 0 up to but not including 1.")
        if buffers not in BUFFERS:
            raise ValueError(f"buffers is {buffers!r}, possible are {', '.join(BUFFERS)}.")
        self.decay, self.warm_up, self.buffers = decay, warm_up, buffers
        self.updates = 0
        self.model = _copy_without_hooks(model).eval().requires_grad_(False)
        self._shapes = _shapes(self.model)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present parameters.

        Raises:
            ValueError: the model's parameters or buffers are not those that the average began with.
        """
        if _shapes(model) != self._shapes:
            raise ValueError(
                "The model's parameters or buffers differ from those that the average began with."
            )
        t = self.updates
        decay = min(self.decay, (1 + t) / (10 + t)) if self.warm_up else self.decay
        averaged, current = list(self.model.parameters()), list(model.parameters())
        if self.buffers != "own":
            for mine, theirs in zip(self.model.buffers(), model.buffers()):
                if self.buffers == "average" and mine.is_floating_point():
                    averaged.append(mine)
                    current.append(theirs)
                else:
                    mine.copy_(theirs)
        if averaged:
            torch._foreach_lerp_(averaged, current, 1 - decay)
        self.updates += 1

    def state_dict(self) -> dict:
        """The averaged tensors and the number of updates."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict) -> None:
        """Take over what ``state_dict`` gave."""
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]


def _shapes(model: nn.Module) -> list[torch.Size]:
    return [tensor.shape for tensor in (*model.parameters(), *model.buffers())]


def _copy_without_hooks(model: nn.Module) -> nn.Module:
    """A deep copy in which nobody listens: a regulariser's hooks belong to the model that it regularises."""
    memo: dict[int, object] = {}
    for module in model.modules():
        for name, value in vars(module).items():
            if name.startswith(("_forward", "_backward")) and isinstance(value, dict):
                memo[id(value)] = OrderedDict()
    return copy.deepcopy(model, memo)
