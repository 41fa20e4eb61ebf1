"""The moving average of a model's parameters: a smoother copy of a model in training."""

import copy
from collections import OrderedDict
from itertools import compress

import torch
from torch import Tensor, nn

BUFFERS = ("copy", "average", "own")
WARM_UPS = (False, True, "mean", "mean with start")


class Average:
    """Exponential moving average of a model, ``average <- decay * average + (1 - decay) * model``.

    ``average.model`` is a copy of the model in evaluation mode, without hooks and without gradients. It may
    be moved to another device; modules that are exchanged in it are not noticed.

    Args:
        model: the model to follow; the average starts at its present values.
        decay: weight of the old average, in [0, 1).
        warm_up: begin with a smaller weight, so that the first steps, far from the solution, are soon
            forgotten. With ``t`` updates done, True takes ``min(decay, (1 + t) / (10 + t))``. "mean" takes
            ``min(decay, 1 - 1 / (t + 1))`` (Tarvainen & Valpola 2017): the first update copies the model, and
            until the decay is reached the average is the plain mean of the models given to ``update``. In
            "mean with start" the model that the average began with counts in that mean, as in the released
            code of Mean Teacher, which counts an update before it makes it: ``min(decay, 1 - 1 / (t + 2))``.
        buffers: what happens to buffers such as the statistics of batch norm. ``copy`` takes the model's;
            ``average`` averages those of floating type and copies the others; ``own`` leaves the copy's
            alone, for a teacher that runs in training mode and gathers its own.

    Raises:
        ValueError: an argument has an impossible value.
    """

    def __init__(
        self, model: nn.Module, decay: float = 0.999, warm_up: bool | str = False, buffers: str = "copy"
    ):
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}, possible is 0 up to but not including 1.")
        if warm_up not in WARM_UPS:
            raise ValueError(f"warm_up is {warm_up!r}, possible are {', '.join(map(repr, WARM_UPS))}.")
        if buffers not in BUFFERS:
            raise ValueError(f"buffers is {buffers!r}, possible are {', '.join(BUFFERS)}.")
        self.decay, self.warm_up, self.buffers = decay, warm_up, buffers
        self.updates = 0
        self.model = _copy_without_hooks(model).eval().requires_grad_(False)
        parameters, own = _tensors(self.model)
        self._shapes = _shapes(parameters, own)
        self._places = _places(self.model, parameters), _places(self.model, own)
        self._moving = [buffer.is_floating_point() for buffer in own]  # these can be averaged
        self._still = [not moving for moving in self._moving]

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present parameters.

        Raises:
            ValueError: the model's parameters or buffers are not those that the average began with.
        """
        current, copied = _tensors(model)
        if _shapes(current, copied) != self._shapes:
            raise ValueError(
                "The model's parameters or buffers differ from those that the average began with."
            )
        averaged, own = ([tensors[name] for tensors, name in places] for places in self._places)
        if self.buffers == "average":
            averaged += compress(own, self._moving)
            current += compress(copied, self._moving)
            own, copied = list(compress(own, self._still)), list(compress(copied, self._still))
        if averaged:
            torch._foreach_lerp_(averaged, current, 1 - self._decay())
        if own and self.buffers != "own":
            torch._foreach_copy_(own, copied)
        self.updates += 1

    def _decay(self) -> float:
        """The weight of the old average in the next update."""
        t = self.updates
        if not self.warm_up:
            return self.decay
        if self.warm_up == "mean":
            return min(self.decay, 1 - 1 / (t + 1))
        if self.warm_up == "mean with start":
            return min(self.decay, 1 - 1 / (t + 2))
        return min(self.decay, (1 + t) / (10 + t))

    def state_dict(self) -> dict:
        """The averaged tensors and the number of updates."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict) -> None:
        """Take over what ``state_dict`` gave."""
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]


def _tensors(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The model's parameters and its buffers, each once, in an order that equal models share.

    ``parameters()`` and ``buffers()`` give the same tensors, but in a small model going through these
    generators takes longer than the average itself.
    """
    modules, parameters, buffers = [model], [], []
    for module in modules:  # the list grows meanwhile
        if module._modules:
            modules.extend(child for child in module._modules.values() if child is not None)
        if module._parameters:
            parameters.extend(module._parameters.values())
        if module._buffers:
            buffers.extend(module._buffers.values())
    return _each_once(parameters), _each_once(buffers)


def _places(model: nn.Module, tensors: list[Tensor]) -> list[tuple[dict[str, Tensor], str]]:
    """Where in the model each of its tensors is found, also when another has taken its place."""
    places = {
        id(tensor): (kind, name)
        for module in model.modules()
        for kind in (module._parameters, module._buffers)
        for name, tensor in kind.items()
    }
    return [places[id(tensor)] for tensor in tensors]


def _each_once(tensors: list[Tensor | None]) -> list[Tensor]:
    """Without the empty places of a model, and with a tensor that several modules share only once."""
    names = set(map(id, tensors))
    if len(names) == len(tensors) and id(None) not in names:
        return tensors  # almost always
    return list({id(tensor): tensor for tensor in tensors if tensor is not None}.values())


def _shapes(parameters: list[Tensor], buffers: list[Tensor]) -> list[list[torch.Size]]:
    return [[tensor.shape for tensor in tensors] for tensors in (parameters, buffers)]


def _copy_without_hooks(model: nn.Module) -> nn.Module:
    """A deep copy in which nobody listens: a regulariser's hooks belong to the model that it regularises."""
    memo: dict[int, object] = {}
    for module in model.modules():
        for name, value in vars(module).items():
            if name.startswith(("_forward", "_backward")) and isinstance(value, dict):
                memo[id(value)] = OrderedDict()
    return copy.deepcopy(model, memo)
